#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "base/duration.hpp"
#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/time.hpp"
#include "cli/common.hpp"
#include "record/table.hpp"
#include "schedule/local_time.hpp"
#include "schedule/schedule.hpp"

namespace moonshift::cli {

namespace {

using std::chrono::sys_seconds;

constexpr int kMostTimes = 10'000;

std::string expression_of(const cxxopts::ParseResult& parsed) {
  const auto words = raw_positional(parsed, "expression");
  if (words.empty()) throw base::ConfigError("which expression? (see --help)");
  if (words.size() > 1) {
    throw base::ConfigError(fmt::format(
        "the expression is one word: put it in quotes, as in moonshift next \"{} ...\"", words[0]));
  }
  return words[0];
}

std::optional<schedule::Zone> zone_of(const cxxopts::ParseResult& parsed) {
  if (parsed.count("timezone") == 0) return std::nullopt;
  return about_option("timezone",
                      [&] { return schedule::Zone::named(parsed["timezone"].as<std::string>()); });
}

base::UnixTime from_of(const cxxopts::ParseResult& parsed, const schedule::Zone& zone) {
  if (parsed.count("from") == 0) return base::system_now();
  return about_option("from",
                      [&] { return schedule::parse_time(parsed["from"].as<std::string>(), zone); });
}

int count_of(const cxxopts::ParseResult& parsed) {
  if (parsed.count("count") == 0) return 5;
  const std::string text = parsed["count"].as<std::string>();
  const auto count = base::parse_number<int>(text);
  if (!count || *count < 1 || *count > kMostTimes)
    throw base::ConfigError(
        fmt::format("--count: '{}' is no whole number from 1 to {}", text, kMostTimes));
  return *count;
}

std::vector<sys_seconds> next_times(const schedule::Schedule& schedule, base::UnixTime from,
                                    int count) {
  std::vector<sys_seconds> times;
  for (auto time = schedule.next(from); time && count > 0; time = schedule.next(*time), --count)
    times.push_back(*time);
  return times;
}

/// In units that matter: `12d5h`, `5h30m`, `40s`.
std::string distance(base::Duration duration) {
  using namespace std::chrono;
  if (duration >= days(1)) return base::format_duration(floor<hours>(duration));
  if (duration >= hours(1)) return base::format_duration(floor<minutes>(duration));
  return base::format_duration(ceil<seconds>(duration));
}

void print_json(const schedule::Schedule& schedule, const std::vector<sys_seconds>& times) {
  const schedule::CalendarForm calendar = schedule.calendar_form();
  nlohmann::ordered_json json{{"expression", schedule.expression()},
                              {"words", schedule.describe()},
                              {"timezone", schedule.zone().name()},
                              {"calendar", nullptr}};
  if (calendar.text) {
    json["calendar"] = *calendar.text;
  } else {
    json["calendar_reason"] = calendar.why_not;
  }
  json["next"] = nlohmann::ordered_json::array();
  for (const sys_seconds time : times) json["next"].push_back(utc_text(time));
  std::cout << json.dump() << std::endl;
}

void print_text(const schedule::Schedule& schedule, const std::vector<sys_seconds>& times,
                base::UnixTime from) {
  const schedule::CalendarForm calendar = schedule.calendar_form();
  std::cout << schedule.describe() << "\n";
  std::cout << "calendar: "
            << (calendar.text ? *calendar.text : fmt::format("none: {}", calendar.why_not))
            << "\n\n";
  if (times.empty()) {
    std::cout << "It does not come again after " << base::format_time(from) << ".\n";
    return;
  }
  record::Table table({"next", "UTC", "in"});
  for (const sys_seconds time : times)
    table.add({zone_text(schedule.zone(), time), utc_text(time), distance(time - from)});
  std::cout << table.to_text();
}

}  // namespace

base::ExitCode next_command(const Arguments& arguments) {
  Parser parser("next EXPRESSION [options]",
                "Tells when a cron or calendar expression fires, or an interval: in words, as "
                "systemd's OnCalendar, and the next times.");
  parser.take_positional(
      "expression",
      "cron: \"30 2 * * *\"; calendar of systemd: \"Mon..Fri *-*-* 02:30\"; an interval: 6h");
  parser.add()(
      "timezone",
      "an IANA name, such as Europe/Berlin. Default: that of the expression, or this host's",
      cxxopts::value<std::string>(),
      "ZONE")("from",
              "the times after this one, such as 2026-11-01T02:30:00Z; 2026-11-01 and "
              "2026-11-01T02:30 are of the time zone. Default: now",
              cxxopts::value<std::string>(),
              "TIME")("count", "how many times. Default: 5", cxxopts::value<std::string>(), "N");
  parser.add("Output")("json", "print one JSON object");
  const auto parsed = parser.parse(arguments);
  if (!parsed) return base::ExitCode::kDone;

  const auto schedule = schedule::Schedule::parse(expression_of(*parsed), zone_of(*parsed));
  const base::UnixTime from = from_of(*parsed, schedule.zone());
  const auto times = next_times(schedule, from, count_of(*parsed));
  if (const std::string& doubt = schedule.zone().doubt(); !doubt.empty())
    std::cerr << "moonshift: " << doubt << "\n";
  if (parsed->count("json") > 0) {
    print_json(schedule, times);
  } else {
    print_text(schedule, times, from);
  }
  return base::ExitCode::kDone;
}

}  // namespace moonshift::cli
