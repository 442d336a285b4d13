#include "schedule/oracle.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "support/script_directory.hpp"

namespace moonshift::test {

namespace {

namespace fs = std::filesystem;
using std::chrono::sys_seconds;

/// In one argument of /bin/sh, so of limited length.
constexpr std::size_t kBatch = 300;

void run(const std::string& command) {
  const int status = std::system(command.c_str());
  // systemd-analyze fails as a whole if it refuses one expression.
  if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == 127))
    throw std::runtime_error("cannot run: " + command.substr(0, 80));
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

/// `Mon 2026-03-02 02:00:00 UTC` at the end of a line.
sys_seconds parse_timestamp(const std::string& line) {
  const std::size_t date = line.find(" 2") == std::string::npos ? 0 : line.find(" 2", 14) + 1;
  return at(line.substr(date, 10) + "T" + line.substr(date + 11, 8) + "Z");
}

/// The expressions in quotes that systemd-analyze complains of.
std::set<std::string> refused_of(const fs::path& path) {
  std::set<std::string> refused;
  for (const std::string& line : lines_of(path)) {
    const auto begin = line.find("specification '"), end = line.rfind("': ");
    if (begin != std::string::npos && end != std::string::npos)
      refused.insert(line.substr(begin + 15, end - begin - 15));
  }
  return refused;
}

std::vector<std::optional<Times>> systemd_batch(std::span<const std::string> expressions,
                                                sys_seconds from, int count,
                                                const fs::path& directory) {
  const std::string base = shown(from);
  std::string command =
      fmt::format("TZ=UTC LC_ALL=C systemd-analyze calendar --iterations={} --base-time='{} {}'",
                  count, base.substr(0, 10), base.substr(11, 8));
  for (const std::string& expression : expressions) command += " '" + expression + "'";
  const fs::path out = directory / "out", err = directory / "err";
  run(fmt::format("{} >{} 2>{}", command, out.string(), err.string()));

  const std::set<std::string> refused = refused_of(err);
  std::vector<Times> accepted;
  for (const std::string& line : lines_of(out)) {
    if (line.find("Normalized form: ") != std::string::npos) accepted.emplace_back();
    const bool is_time = line.find("Next elapse: ") != std::string::npos ||
                         line.find("Iter. #") != std::string::npos ||
                         line.find("Iteration #") != std::string::npos;
    if (is_time && !line.ends_with("never")) accepted.back().push_back(parse_timestamp(line));
  }
  if (accepted.size() + refused.size() > expressions.size())
    throw std::runtime_error("systemd-analyze printed more than it was asked");

  std::vector<std::optional<Times>> results;
  std::size_t next = 0;
  for (const std::string& expression : expressions) {
    results.emplace_back();
    if (!refused.contains(expression)) results.back() = accepted.at(next++);
  }
  return results;
}

}  // namespace

std::vector<std::optional<Times>> systemd_times(const std::vector<std::string>& expressions,
                                                sys_seconds from, int count) {
  const ScriptDirectory directory;
  std::vector<std::optional<Times>> results;
  for (std::size_t i = 0; i < expressions.size(); i += kBatch) {
    const auto batch = std::span(expressions).subspan(i, std::min(kBatch, expressions.size() - i));
    for (auto& times : systemd_batch(batch, from, count, directory.path()))
      results.push_back(std::move(times));
  }
  return results;
}

std::vector<std::optional<Times>> croniter_times(const std::vector<std::string>& expressions,
                                                 sys_seconds from, int count) {
  const ScriptDirectory directory;
  const fs::path in = directory.path() / "in", out = directory.path() / "out";
  {
    std::ofstream file(in);
    file << fmt::format("{} {}\n", from.time_since_epoch().count(), count);
    for (const std::string& expression : expressions) file << expression << "\n";
  }
  run(fmt::format("/usr/bin/python3 {}/croniter_times.py <{} >{}", SCHEDULE_TESTS, in.string(),
                  out.string()));
  std::vector<std::optional<Times>> results;
  for (const std::string& line : lines_of(out)) {
    results.emplace_back();
    if (line == "refused") continue;
    results.back().emplace();
    std::istringstream words(line);
    for (std::int64_t time; words >> time;)
      results.back()->push_back(sys_seconds(std::chrono::seconds(time)));
  }
  if (results.size() != expressions.size())
    throw std::runtime_error("croniter_times.py failed: is python3-croniter installed?");
  return results;
}

}  // namespace moonshift::test
