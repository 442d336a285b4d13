#include "schedule/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration.hpp"
#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/text.hpp"
#include "schedule/cron.hpp"
#include "schedule/expression.hpp"
#include "schedule/words.hpp"

namespace moonshift::schedule {

using namespace std::chrono;
using base::ConfigError;

namespace {

constexpr sys_seconds kFirst = sys_days(year{kYear.first} / 1 / 1) - days(1);
constexpr sys_seconds kLast = sys_days(year{kYear.last + 1} / 1 / 2);

/// Longer than any zone's clocks are ever put back or forward.
constexpr days kLongestChange{2};

std::optional<sys_seconds> next_fixed(const Pattern& pattern, const Zone& zone, sys_seconds after) {
  const Zone::Period here = zone.period(after);
  // In an hour that comes twice, the times of its first pass have happened already.
  const Zone::Period before = zone.period(std::max(here.begin, kFirst) - seconds(1));
  const sys_seconds shown =
      std::max(after + seconds(1) + here.offset, std::max(here.begin, kFirst) + before.offset);
  const auto local = pattern.next(local_seconds(shown.time_since_epoch()));
  if (!local) return std::nullopt;
  return zone.first_at(*local);
}

std::optional<sys_seconds> next_shown(const Pattern& pattern, const Zone& zone, sys_seconds after) {
  for (sys_seconds from = after + seconds(1);;) {
    const Zone::Period here = zone.period(from);
    const auto local = pattern.next(local_seconds((from + here.offset).time_since_epoch()));
    if (!local) return std::nullopt;
    const sys_seconds time(local->time_since_epoch() - here.offset);
    if (time < here.end) return time;
    // The clocks change before that. If they do so at once, they may show once more what they
    // showed before `from`; else nothing is due until shortly before `time`, however often they
    // change.
    const bool at_once = here.end - from < kLongestChange;
    from = at_once ? here.end : std::max(here.end, time - kLongestChange);
  }
}

std::optional<sys_seconds> next_interval(seconds interval, sys_seconds after) {
  constexpr sys_seconds kMonday = sys_days(year{1970} / 1 / 5);
  if (after < kMonday) return kMonday;
  return kMonday + ((after - kMonday) / interval + 1) * interval;
}

/// `6h` of `every 6h`; all of it if there is no such word.
std::string_view after_every(std::string_view text) {
  const auto words = split_words(text);
  if (words.empty()) return "";
  const char* end = words.back().data() + words.back().size();
  if (!base::equal_ignoring_case(words[0], "every")) return {words[0].data(), end};
  return words.size() == 1 ? "" : std::string_view(words[1].data(), end);
}

bool is_duration(std::string_view text) {
  try {
    base::parse_duration(text);
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

/// Whether it is made of numbers and units, though perhaps longer than any duration.
bool has_units(std::string_view text) {
  while (const auto quantity = base::take_quantity(text)) {
    if (!is_duration("1" + std::string(quantity->unit))) return false;
    if (text.empty()) return true;
  }
  return false;
}

/// `5M`, `1h`: nothing but an interval begins so.
bool starts_with_quantity(std::string_view word) {
  const auto unit = word.find_first_not_of("0123456789.");
  return unit != 0 && unit != std::string_view::npos &&
         word.find_first_of(":-~*/,") == std::string_view::npos;
}

[[noreturn]] void fail_interval(std::string_view text) {
  const std::string shown = base::printable(text);
  if (has_units(text))
    throw ConfigError(fmt::format("'{}' is too long: an interval is at most 1000 years", shown));
  std::string meant;
  for (const std::string_view word : split_words(text)) meant += word;
  std::transform(meant.begin(), meant.end(), meant.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  throw ConfigError(fmt::format(
      "'{}' is not a duration{}: an interval is a number and a unit of w d h m s, as in 90m, 6h, "
      "1h30m",
      shown, is_duration(meant) ? fmt::format(" (did you mean {}?)", meant) : ""));
}

constexpr const char* kForms =
    "Write cron, minute hour day month weekday: \"30 2 * * *\"; a calendar expression of systemd: "
    "\"Mon..Fri *-*-* 02:30\" or \"daily\"; or an interval: \"6h\"";

/// Only the characters of cron, so that fewer than five fields are a slip.
bool looks_like_cron(const std::vector<std::string_view>& words) {
  return words.size() > 1 && std::all_of(words.begin(), words.end(), [](std::string_view word) {
           return word.find_first_not_of("0123456789*/,-") == std::string_view::npos;
         });
}

}  // namespace

Schedule Schedule::cron(std::string_view expression, const Zone& zone) {
  return Schedule(Kind::kCron, expression, zone, parse_cron(expression));
}

Schedule Schedule::calendar(std::string_view expression, const std::optional<Zone>& zone) {
  const Calendar calendar = parse_calendar(expression);
  if (!calendar.zone.empty() && zone && zone->name() != calendar.zone) {
    throw ConfigError(
        fmt::format("calendar '{}' names the time zone {}, and the timezone is {}: leave "
                    "out one of them",
                    base::printable(expression), calendar.zone, zone->name()));
  }
  const Zone chosen = !calendar.zone.empty() ? Zone::named(calendar.zone)
                      : zone                 ? *zone
                                             : Zone::local();
  return Schedule(Kind::kCalendar, expression, chosen, calendar.pattern);
}

Schedule Schedule::every(std::string_view expression, const Zone& zone) {
  const std::string_view text = after_every(expression);
  if (!is_duration(text)) fail_interval(text);
  const base::Duration duration = base::parse_duration(text);
  const auto whole = floor<seconds>(duration);
  if (duration != whole || whole.count() == 0) {
    throw ConfigError(
        fmt::format("every '{}': an interval is one second or more, and whole seconds",
                    base::printable(expression)));
  }
  return Schedule(Kind::kEvery, expression, zone, whole);
}

Schedule Schedule::parse(std::string_view expression, const std::optional<Zone>& zone) {
  const auto words = split_words(expression);
  const auto own_zone = [&] { return zone ? *zone : Zone::local(); };
  const bool clock = expression.find(':') != std::string_view::npos;
  if (words.empty() || (words.size() >= 5 && clock)) {
    throw ConfigError(
        fmt::format("'{}' is no expression. {}", base::printable(expression), kForms));
  }
  const bool interval = base::equal_ignoring_case(words[0], "every") ||
                        (words.size() < 5 && starts_with_quantity(words[0]));
  if (interval) return every(expression, own_zone());
  if (words[0].starts_with('@') || words.size() >= 5) return cron(expression, own_zone());
  if (words.size() == 1 && words[0].find_first_not_of("0123456789") == std::string_view::npos)
    throw ConfigError(fmt::format("'{}' may mean much: an interval has a unit, such as {}m. {}",
                                  words[0], words[0], kForms));
  if (!clock && looks_like_cron(words) && words[0].find('-') == std::string_view::npos)
    return cron(expression, own_zone());  // which says that fields are missing
  return calendar(expression, zone);
}

std::optional<sys_seconds> Schedule::next(base::UnixTime after) const {
  const sys_seconds from = std::max(floor<seconds>(after), kFirst);
  if (from >= kLast) return std::nullopt;
  if (const auto* interval = std::get_if<seconds>(&rule_)) return next_interval(*interval, from);
  const auto& pattern = std::get<Pattern>(rule_);
  return pattern.follows_clock ? next_shown(pattern, zone_, from)
                               : next_fixed(pattern, zone_, from);
}

std::optional<sys_seconds> Schedule::last(base::UnixTime until) const {
  // In a window that held no time, a twice as large one holds few.
  constexpr seconds kLongest = std::chrono::hours(24 * 3660);
  for (seconds window(1); window < kLongest; window *= 2) {
    std::optional<sys_seconds> last;
    for (auto time = next(until - window); time && *time <= until; time = next(*time)) last = time;
    if (last) return last;
  }
  return std::nullopt;
}

bool Schedule::follows_clock() const {
  const auto* pattern = std::get_if<Pattern>(&rule_);
  return pattern == nullptr || pattern->follows_clock;
}

std::string Schedule::describe() const {
  if (const auto* interval = std::get_if<seconds>(&rule_)) return describe_interval(*interval);
  return fmt::format("{}, {}", schedule::describe(std::get<Pattern>(rule_)), zone_.name());
}

CalendarForm Schedule::calendar_form() const {
  const auto* interval = std::get_if<seconds>(&rule_);
  if (interval == nullptr && !zone_.in_database()) {
    return {std::nullopt,
            fmt::format("systemd has no time zone '{}', which is that of the environment variable "
                        "TZ; give the schedule a timezone of its own",
                        zone_.name())};
  }
  CalendarForm form =
      interval != nullptr ? to_calendar(*interval) : to_calendar(std::get<Pattern>(rule_));
  if (form.text) *form.text += " " + (interval != nullptr ? "UTC" : zone_.name());
  return form;
}

}  // namespace moonshift::schedule
