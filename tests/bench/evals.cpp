#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>

#include "modes.hpp"

namespace bench {

namespace {

/// Small scripts as applications have them: a counter, a limiter, a document, a list.
constexpr std::array<std::string_view, 4> kSmallScripts{
    "return redis.call('INCR', KEYS[1])",
    "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) "
    "end return n",
    "return #cjson.encode({id = KEYS[1], values = {1, 2, 3}})",
    "redis.call('LPUSH', 'l' .. KEYS[1], ARGV[1]) return redis.call('LTRIM', 'l' .. KEYS[1], 0, "
    "9)"};

void write_requests(const std::filesystem::path& json, const std::filesystem::path& inlined,
                    long count) {
  std::ofstream requests(json), commands(inlined);
  for (long i = 0; i < count; ++i) {
    const std::string_view script =
        kSmallScripts[static_cast<std::size_t>(i) % kSmallScripts.size()];
    const std::string key = "k" + std::to_string(i % 1000);
    requests << R"({"script":")" << script << R"(","keys":[")" << key << R"("],"args":["60"]})"
             << '\n';
    commands << "EVAL \"" << script << "\" 1 " << key << " 60\n";
  }
}

}  // namespace

void compare_evals(const std::string& program, long count, int rounds) {
  const Server server;
  const auto requests = server.directory() / "requests", commands = server.directory() / "commands";
  write_requests(requests, commands, count);
  const auto batch = [&](const std::string& engine) -> Method {
    return {"moonshift, " + engine + " engine",
            {"sh", "-c",
             program + " eval --batch --engine " + engine + " --url unix://" + server.socket() +
                 " < " + requests.string()}};
  };
  const std::vector<Method> all{
      {"EVAL by redis-cli",
       {"sh", "-c", "redis-cli -s " + server.socket() + " < " + commands.string()}},
      batch("local"),
      batch("server")};
  std::vector<std::vector<double>> seconds(all.size());
  for (int round = 1; round <= rounds; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      progress("round " + std::to_string(round) + ": " + all[i].name);
      Redis(server.socket()).call({"FLUSHALL"});
      seconds[i].push_back(
          Child(all[i].command, server.directory() / "answers").finish().wall.count());
    }
  }
  progress("");
  std::cout << thousands(count)
            << " small scripts, one after the other on one connection; medians of " << rounds
            << " rounds\n\n";
  double limit = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::sort(seconds[i].begin(), seconds[i].end());
    const double median = seconds[i][seconds[i].size() / 2];
    if (i == 0) limit = median;
    std::cout << std::left << std::setw(25) << all[i].name << std::right << std::setw(5)
              << fixed(median / limit, 2) << std::setw(12)
              << thousands(std::lround(static_cast<double>(count) / median)) << " scripts/s\n";
  }
}

}  // namespace bench
