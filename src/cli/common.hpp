#pragma once

#include <cxxopts.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/time.hpp"
#include "cli/command.hpp"
#include "job/runner.hpp"
#include "record/report.hpp"
#include "redis/endpoint.hpp"

namespace moonshift::cli {

/// The options of one command: its own, and the groups of common ones that it asks for.
class Parser {
 public:
  /// `usage` is what follows `moonshift `.
  Parser(const std::string& usage, const std::string& description);

  cxxopts::OptionAdder add(const std::string& group = "") { return options_.add_options(group); }
  void add_redis_options(
      const std::string& timeout_help = "end the run after this long, such as 30s or 2h");
  void add_run_options();
  void add_output_options();

  /// The words that are no options go to `positional`, a list option of that name.
  void take_positional(const std::string& name, const std::string& help);

  /// Words such as -5 are no options then.
  void take_negative_numbers() { takes_negative_numbers_ = true; }

  /// Parses; sets up the log. Throws ConfigError. Nothing if --help was asked for, which is
  /// printed.
  std::optional<cxxopts::ParseResult> parse(const Arguments& arguments);

 private:
  void refuse_unknown(const cxxopts::ParseResult& parsed) const;

  std::string usage_;
  bool takes_negative_numbers_ = false;
  cxxopts::Options options_;
};

/// The one word that a command needs. Throws ConfigError that says what is missing, or what is too
/// much.
std::string one_positional(const cxxopts::ParseResult& parsed, const std::string& name);

/// All the words, or all the values of a list option, as they were typed: cxxopts itself would
/// split them at commas.
std::vector<std::string> raw_positional(const cxxopts::ParseResult& parsed,
                                        const std::string& name);

task::Catalog catalog_of(const cxxopts::ParseResult& parsed);

/// --schedules, ./schedules, or /etc/moonshift/schedules.
std::filesystem::path schedules_of(const cxxopts::ParseResult& parsed);

/// Which Redis: --url, --url-file, `fallback` (a job's own), the systemd credential `redis-url`, or
/// $REDIS_URL. Throws ConfigError if there is none.
redis::Url url_of(const cxxopts::ParseResult& parsed, const std::string& fallback = "");

/// Puts the option's name before what is wrong with its value.
template <class Read>
auto about_option(const std::string& option, Read read) {
  try {
    return read();
  } catch (const base::ConfigError& error) {
    throw base::ConfigError("--" + option + ": " + error.what());
  }
}

base::Duration positive_duration(const cxxopts::ParseResult& parsed, const std::string& option);

base::SteadyTime deadline_of(const cxxopts::ParseResult& parsed,
                             std::optional<base::Duration> fallback = {});

redis::ConnectionOptions connection_options(base::SteadyTime deadline);

/// `2026-03-02T02:00:00Z`
std::string utc_text(std::chrono::sys_seconds time);

/// `Sun 2026-03-01 02:30:00 CET`
std::string zone_text(const schedule::Zone& zone, std::chrono::sys_seconds time);

/// --now, --dry-run and the live progress line.
job::RunnerOptions runner_options(const cxxopts::ParseResult& parsed, base::SteadyTime deadline);

/// Prints the report as --json or as text, unless --quiet and all went well, and tells the journal;
/// its exit code.
base::ExitCode print_report(const cxxopts::ParseResult& parsed, const record::Report& report);

}  // namespace moonshift::cli
