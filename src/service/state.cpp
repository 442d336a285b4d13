#include "service/state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "base/log.hpp"
#include "record/report.hpp"
#include "redis/transport.hpp"

namespace moonshift::service {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

/// A run is not late yet while others are before it.
constexpr auto kOverdueAfter = std::chrono::minutes(5);

std::optional<base::UnixTime> time_in(const Json& json, const char* key) {
  if (!json.contains(key)) return std::nullopt;
  return base::parse_time(json.at(key).get<std::string>());
}

void put(Json& json, const char* key, const std::optional<base::UnixTime>& time) {
  if (time) json[key] = base::format_time(*time);
}

JobRecord to_record(const Json& json) {
  JobRecord record;
  record.schedule = json.value("schedule", "");
  if (json.contains("owed")) {
    const Json& owed = json.at("owed");
    record.owed = JobRecord::Owed{.scheduled = time_in(owed, "scheduled").value(),
                                  .attempt = owed.value("attempt", 1),
                                  .begun = owed.value("begun", false),
                                  .lease_left = owed.value("lease_left", false)};
  }
  record.handled = time_in(json, "handled").value();
  record.running = json.value("running", false);
  record.scheduled = time_in(json, "scheduled").value_or(base::UnixTime{});
  record.run_id = json.value("run", "");
  record.started = time_in(json, "started");
  record.ended = time_in(json, "ended");
  if (json.contains("exit_code")) record.exit_code = json.at("exit_code").get<int>();
  record.succeeded = time_in(json, "succeeded");
  if (json.contains("verdict"))
    record.verdict = health::level_named(json.at("verdict").get<std::string>());
  return record;
}

Json to_json(const JobRecord& record) {
  Json json{{"handled", base::format_time(record.handled)}};
  if (!record.schedule.empty()) json["schedule"] = record.schedule;
  if (record.owed) {
    json["owed"] = {{"scheduled", base::format_time(record.owed->scheduled)},
                    {"attempt", record.owed->attempt},
                    {"begun", record.owed->begun},
                    {"lease_left", record.owed->lease_left}};
  }
  if (record.run_id.empty()) return json;
  json["running"] = record.running;
  json["scheduled"] = base::format_time(record.scheduled);
  json["run"] = record.run_id;
  put(json, "started", record.started);
  put(json, "ended", record.ended);
  if (record.exit_code) json["exit_code"] = *record.exit_code;
  put(json, "succeeded", record.succeeded);
  if (record.verdict) json["verdict"] = health::name_of(*record.verdict);
  return json;
}

State parse(const std::string& text) {
  const Json json = Json::parse(text);
  const int version = json.at("version").get<int>();
  if (version > kVersion) {
    throw std::runtime_error(fmt::format(
        "a newer version of moonshift wrote it (its form is {}, ours {})", version, kVersion));
  }
  State state;
  for (const auto& [name, record] : json.at("jobs").items()) state[name] = to_record(record);
  return state;
}

std::optional<std::string> read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

[[noreturn]] void fail(const fs::path& path) {
  throw std::system_error(errno, std::generic_category(), path.string());
}

/// Returns when the file's bytes are on the disk.
void write_through(const fs::path& path, std::string_view text) {
  const redis::Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) fail(path);
  while (!text.empty()) {
    const ssize_t count = ::write(file.get(), text.data(), text.size());
    if (count < 0) fail(path);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(file.get()) != 0) fail(path);
}

void flush_directory(const fs::path& path) {
  const redis::Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0 || ::fsync(directory.get()) != 0) fail(path);
}

}  // namespace

std::string schedule_id(const job::Job& job) {
  return job.schedule
             ? fmt::format("{} {}", job.schedule->expression(), job.schedule->zone().name())
             : "";
}

std::string ending_of(int exit_code) {
  if (exit_code == kCutOff) return "cut off: the daemon or the host ended";
  if (exit_code == kAwaitsRedis) return "waits for its Redis";
  if (exit_code > kSignalled)
    return fmt::format("killed by signal {} ({})", exit_code - kSignalled,
                       ::strsignal(exit_code - kSignalled));
  if (exit_code > static_cast<int>(base::ExitCode::kLockHeld))
    return fmt::format("exit code {}", exit_code);
  return record::describe(static_cast<base::ExitCode>(exit_code));
}

std::optional<base::UnixTime> overdue_since(const job::Job& job, const JobRecord& record,
                                            base::UnixTime now) {
  const bool known = record.schedule.empty() || record.schedule == schedule_id(job);
  if (!job.schedule || record.running || !known) return std::nullopt;
  const base::UnixTime last = record.run_id.empty() ? record.handled : record.scheduled;
  const auto next = job.schedule->next(last);
  if (!next || *next + job.jitter + kOverdueAfter >= now) return std::nullopt;
  return *next;
}

State StateFile::look() const {
  const auto text = read(path_);
  if (!text) return {};
  try {
    return parse(*text);
  } catch (const std::exception& error) {
    base::log_warning("{}: it cannot be read: {}", path_.string(), error.what());
    return {};
  }
}

State StateFile::load() const {
  const auto text = read(path_);
  if (!text) return {};
  try {
    return parse(*text);
  } catch (const std::exception& error) {
    const fs::path aside = path_.string() + ".unread";
    fs::rename(path_, aside);
    base::log_warning(
        "{}: it cannot be read: {}; it is set aside as {}, and every job's past is unknown",
        path_.string(), error.what(), aside.string());
    return {};
  }
}

void StateFile::save(const State& state) const {
  Json jobs = Json::object();
  for (const auto& [name, record] : state) jobs[name] = to_json(record);
  const Json json{{"version", kVersion}, {"jobs", std::move(jobs)}};
  fs::create_directories(path_.parent_path());
  const fs::path written = fmt::format("{}.{}", path_.string(), ::getpid());
  write_through(written, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  fs::rename(written, path_);
  flush_directory(path_.parent_path());
}

}  // namespace moonshift::service
