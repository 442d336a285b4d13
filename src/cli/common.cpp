#include "cli/common.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "base/duration.hpp"
#include "base/error.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "cli/progress.hpp"
#include "record/journal.hpp"

namespace moonshift::cli {

namespace {

namespace fs = std::filesystem;
using base::ConfigError;
using Parsed = cxxopts::ParseResult;

/// The group of the words that are no options; --help does not show it.
constexpr std::string_view kWords = "Words";

/// The first line, without blanks around it; empty if there is none.
std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

std::string read_url_file(const std::string& path) {
  const std::string url = first_line(path);
  if (url.empty()) {
    throw ConfigError(
        fmt::format("--url-file {}: it cannot be read, or its first line is empty", path));
  }
  return url;
}

/// https://systemd.io/CREDENTIALS: LoadCredential=redis-url:/etc/moonshift/redis-url
std::string credential() {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) return "";
  return first_line(fs::path(directory) / "redis-url");
}

std::string first_url(const Parsed& parsed, const std::string& fallback) {
  if (parsed.count("url") > 0) return parsed["url"].as<std::string>();
  if (parsed.count("url-file") > 0) return read_url_file(parsed["url-file"].as<std::string>());
  // The usual `url = "${REDIS_URL}"` is no wish of the job's own.
  if (!fallback.empty() && fallback != "${REDIS_URL}") return job::expand_environment(fallback);
  if (std::string url = credential(); !url.empty()) return url;
  const char* environment = std::getenv("REDIS_URL");
  return environment == nullptr ? "" : environment;
}

/// Stands before a negative number while the options are parsed: it would be taken for one. And
/// before words that begin with this themselves.
constexpr char kMark = '\x01';

bool is_negative_number(std::string_view word) {
  return word.size() > 1 && word[0] == '-' &&
         (std::isdigit(static_cast<unsigned char>(word[1])) != 0 || word[1] == '.' ||
          word == "-inf");
}

}  // namespace

Parser::Parser(const std::string& usage, const std::string& description)
    : usage_(usage), options_("moonshift " + usage, description) {
  options_.custom_help("");
  options_.positional_help("");
  add()("h,help", "print this help");
}

void Parser::add_redis_options(const std::string& timeout_help) {
  add("Redis")(
      "url",
      "redis://[user:password@]host[:port][/db], unix:///path.sock[?db=n], or scratch:[dump.rdb]: "
      "a private server with a copy of a snapshot. Default: $REDIS_URL",
      cxxopts::value<std::string>(), "URL")(
      "url-file", "read the URL from the first line of a file", cxxopts::value<std::string>(),
      "FILE")("timeout", timeout_help, cxxopts::value<std::string>(), "DURATION");
}

void Parser::add_run_options() {
  add("Run")("n,dry-run", "only find; change nothing")(
      "now",
      "the time that tasks see, such as 2026-11-01T02:30:00Z, to rehearse on a snapshot. Default: "
      "Redis's clock",
      cxxopts::value<std::string>(), "TIME");
}

void Parser::add_output_options() {
  add("Output")("json", "print one JSON object")("q,quiet", "print only what went wrong")(
      "v,verbose", "log what happens underneath")(
      "scripts", "scripts of your own; they win over the built-in ones",
      cxxopts::value<std::string>(), "DIR");
}

void Parser::take_positional(const std::string& name, const std::string& help) {
  add(std::string(kWords))(name, help, cxxopts::value<std::vector<std::string>>());
  options_.parse_positional({name});
}

std::optional<Parsed> Parser::parse(const Arguments& arguments) {
  Arguments marked = arguments;
  for (std::string& word : marked) {
    if (word.starts_with(kMark) || (takes_negative_numbers_ && is_negative_number(word)))
      word.insert(word.begin(), kMark);
  }
  std::vector<const char*> words{"moonshift"};
  for (const std::string& word : marked) words.push_back(word.c_str());
  try {
    options_.allow_unrecognised_options();
    Parsed parsed = options_.parse(static_cast<int>(words.size()), words.data());
    refuse_unknown(parsed);
    if (parsed.count("help") > 0) {
      std::cout << options_.help({"", "Run", "Redis", "Output"});
      return std::nullopt;
    }
    // --quiet hides what goes well; a warning is no such thing.
    base::set_up_log(parsed.count("verbose") > 0 ? base::LogLevel::kDebug
                                                 : base::LogLevel::kWarning);
    return parsed;
  } catch (const cxxopts::exceptions::exception& error) {
    throw ConfigError(fmt::format("{}\nusage: moonshift {}", error.what(), usage_));
  }
}

void Parser::refuse_unknown(const Parsed& parsed) const {
  if (parsed.unmatched().empty()) return;
  const std::string& word = parsed.unmatched().front();
  std::vector<std::string> known;
  for (const std::string& group : options_.groups()) {
    for (const auto& option : options_.group_help(group).options) {
      if (group == kWords) continue;
      for (const std::string& name : std::vector<std::string>{option.l})
        known.push_back("--" + name);
    }
  }
  if (!word.starts_with('-'))
    throw ConfigError(fmt::format("what is '{}'?\nusage: moonshift {}", word, usage_));
  throw ConfigError(fmt::format("there is no option {}{}\nusage: moonshift {}", word,
                                base::did_you_mean(word.substr(0, word.find('=')), known), usage_));
}

std::string one_positional(const Parsed& parsed, const std::string& name) {
  if (parsed.count(name) == 0) throw ConfigError(fmt::format("which {}? (see --help)", name));
  const auto words = raw_positional(parsed, name);
  if (words.size() > 1)
    throw ConfigError(fmt::format("one {} at a time: what is '{}'?", name, words[1]));
  return words[0];
}

std::vector<std::string> raw_positional(const Parsed& parsed, const std::string& name) {
  std::vector<std::string> words;
  for (const auto& argument : parsed.arguments()) {
    if (argument.key() != name) continue;
    const std::string& word = argument.value();
    words.push_back(word.starts_with(kMark) ? word.substr(1) : word);
  }
  return words;
}

task::Catalog catalog_of(const Parsed& parsed) {
  if (parsed.count("scripts") == 0) return task::Catalog();
  return task::Catalog(parsed["scripts"].as<std::string>());
}

fs::path schedules_of(const Parsed& parsed) {
  if (parsed.count("schedules") > 0) return parsed["schedules"].as<std::string>();
  return fs::is_directory("schedules") ? "schedules" : "/etc/moonshift/schedules";
}

redis::Url url_of(const Parsed& parsed, const std::string& fallback) {
  const std::string text = first_url(parsed, fallback);
  if (text.empty()) {
    throw ConfigError(
        "which Redis? Give --url redis://host:6379, or set REDIS_URL; --url scratch: starts a "
        "private one");
  }
  return redis::parse_url(text);
}

base::Duration positive_duration(const Parsed& parsed, const std::string& option) {
  return about_option(option, [&] {
    const base::Duration duration = base::parse_duration(parsed[option].as<std::string>());
    if (duration.count() == 0) throw ConfigError("it must be above 0");
    return duration;
  });
}

base::SteadyTime deadline_of(const Parsed& parsed, std::optional<base::Duration> fallback) {
  if (parsed.count("timeout") > 0) fallback = positive_duration(parsed, "timeout");
  return fallback ? std::chrono::steady_clock::now() + *fallback : base::kNever;
}

redis::ConnectionOptions connection_options(base::SteadyTime deadline) {
  redis::ConnectionOptions options;
  options.deadline = deadline;
  return options;
}

std::string utc_text(std::chrono::sys_seconds time) {
  return base::format_time(time).substr(0, 19) + "Z";
}

std::string zone_text(const schedule::Zone& zone, std::chrono::sys_seconds time) {
  constexpr std::array kWeekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  const auto period = zone.period(time);
  const std::chrono::sys_seconds local = time + period.offset;
  const std::chrono::weekday day(std::chrono::floor<std::chrono::days>(local));
  std::string text = base::format_time(local).substr(0, 19);
  text[10] = ' ';
  return fmt::format("{} {} {}", kWeekdays[day.c_encoding()], text, period.abbreviation);
}

job::RunnerOptions runner_options(const Parsed& parsed, base::SteadyTime deadline) {
  job::RunnerOptions options;
  options.deadline = deadline;
  options.dry_run = parsed.count("dry-run") > 0;
  if (parsed.count("now") > 0) {
    options.now =
        about_option("now", [&] { return base::parse_time(parsed["now"].as<std::string>()); });
  }
  if (parsed.count("quiet") == 0) options.on_progress = show_progress(::isatty(STDERR_FILENO) != 0);
  return options;
}

base::ExitCode print_report(const Parsed& parsed, const record::Report& report) {
  end_progress();
  const bool quiet = parsed.count("quiet") > 0 && report.exit_code == base::ExitCode::kDone;
  if (parsed.count("json") > 0) {
    std::cout << record::to_json(report) << std::endl;
  } else if (!quiet) {
    std::cout << record::to_text(report) << std::flush;
  }
  record::tell_journal(report);
  return report.exit_code;
}

}  // namespace moonshift::cli
