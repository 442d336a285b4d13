#include "schedule/words.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace moonshift::schedule {

namespace {

constexpr std::array<const char*, 12> kMonths{"January",   "February", "March",    "April",
                                              "May",       "June",     "July",     "August",
                                              "September", "October",  "November", "December"};
constexpr std::array<const char*, 7> kWeekdays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                               "Friday", "Saturday", "Sunday"};

/// Beyond this many times of the day a list of them is harder to read than a rule.
constexpr std::size_t kMostTimes = 8;

std::string number(int value) { return std::to_string(value); }
std::string month(int value) { return kMonths[static_cast<std::size_t>(value - 1)]; }
std::string weekday(int value) { return kWeekdays[static_cast<std::size_t>(value - 1)]; }

/// `a`, `a and b`, `a, b and c`
std::string enumerate(const std::vector<std::string>& words, std::string_view last = " and ") {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last : ", ";
    text += words[i];
  }
  return text;
}

/// Three or more in a row become `a to c`.
template <class Name>
std::vector<std::string> runs(const FieldSet& set, Name name) {
  std::vector<std::string> words;
  const std::vector<int> values = set.values();
  for (std::size_t i = 0, end = 0; i < values.size(); i = end) {
    end = i + 1;
    while (end < values.size() && values[end] == values[end - 1] + 1) ++end;
    if (end - i >= 3) {
      words.push_back(name(values[i]) + " to " + name(values[end - 1]));
    } else {
      for (std::size_t k = i; k < end; ++k) words.push_back(name(values[k]));
    }
  }
  return words;
}

std::string list(const FieldSet& set) { return enumerate(runs(set, number)); }

/// `minute 30`, `minutes 0, 15 and 40`
std::string counted(const FieldSet& set) {
  return fmt::format("{}{} {}", set.field().name, set.count() == 1 ? "" : "s", list(set));
}

/// n if the set is 0, n, 2n, ... through the whole field, evenly across its end too; 1 if it is
/// full.
std::optional<int> rhythm(const FieldSet& set) {
  if (set.full()) return 1;
  const auto step = set.step();
  const int size = set.field().size();
  const bool whole =
      step && set.contains(set.field().first) && static_cast<int>(set.count()) * *step == size;
  return whole ? step : std::nullopt;
}

std::string every(int count, std::string_view unit) {
  return count == 1 ? fmt::format("every {}", unit) : fmt::format("every {} {}s", count, unit);
}

bool only_zero(const FieldSet& set) { return set.count() == 1 && set.contains(0); }

std::string clock_time(int hour, int minute, int second) {
  return second == 0 ? fmt::format("{:02}:{:02}", hour, minute)
                     : fmt::format("{:02}:{:02}:{:02}", hour, minute, second);
}

std::string times_of_day(const Pattern& p) {
  std::vector<std::string> times;
  for (const int hour : p.hours.values()) {
    for (const int minute : p.minutes.values()) {
      for (const int second : p.seconds.values()) times.push_back(clock_time(hour, minute, second));
    }
  }
  return "at " + enumerate(times);
}

std::string ordinal(int value) {
  const int tens = value % 100, ones = value % 10;
  const char* ending = tens >= 11 && tens <= 13 ? "th"
                       : ones == 1              ? "st"
                       : ones == 2              ? "nd"
                       : ones == 3              ? "rd"
                                                : "th";
  return number(value) + ending;
}

/// `every 10 seconds`, `at seconds 5 and 8`
std::string seconds_words(const Pattern& p) {
  const auto beat = rhythm(p.seconds);
  return beat ? every(*beat, "second") : "at " + counted(p.seconds);
}

/// Within the hours, which must be said besides: `every 15 minutes`, `at minute 30`,
/// `every 10 seconds of minute 5`.
std::string minutes_words(const Pattern& p) {
  const auto beat = rhythm(p.minutes);
  if (only_zero(p.seconds)) return beat ? every(*beat, "minute") : "at " + counted(p.minutes);
  const std::string seconds = seconds_words(p);
  if (!beat) return fmt::format("{} of {}", seconds, counted(p.minutes));
  if (!rhythm(p.seconds)) return every(*beat, "minute") + " " + seconds;
  return *beat == 1 ? seconds : fmt::format("{} of every {} minute", seconds, ordinal(*beat));
}

/// With every hour of the day.
std::string whole_day_words(const Pattern& p) {
  if (rhythm(p.minutes)) return minutes_words(p);
  if (only_zero(p.minutes) && only_zero(p.seconds)) return "every hour";
  const std::string minutes = minutes_words(p);
  return minutes.starts_with("at ") ? "every hour " + minutes : minutes + " of every hour";
}

/// Begins with `at ` only if it says all the times of a day.
std::string time_words(const Pattern& p) {
  if (p.hours.full()) return whole_day_words(p);
  const bool few = p.hours.count() * p.minutes.count() * p.seconds.count() <= kMostTimes;
  const auto beat = rhythm(p.hours);
  if (beat && p.follows_clock && p.minutes.count() == 1 && only_zero(p.seconds)) {
    return every(*beat, "hour") + (only_zero(p.minutes) ? "" : " at " + counted(p.minutes));
  }
  if (few) return times_of_day(p);
  const std::vector<int> hours = p.hours.values();
  const bool in_a_row = hours.back() - hours.front() + 1 == static_cast<int>(hours.size());
  if (in_a_row && only_zero(p.seconds) && (rhythm(p.minutes) || p.minutes.count() == 1)) {
    const std::vector<int> minutes = p.minutes.values();
    const auto minute_beat = rhythm(p.minutes);
    return fmt::format(
        "{} from {} to {}", minute_beat ? every(*minute_beat, "minute") : "every hour",
        clock_time(hours.front(), minutes.front(), 0), clock_time(hours.back(), minutes.back(), 0));
  }
  return fmt::format("{} of {}", minutes_words(p), counted(p.hours));
}

std::string last_days_words(const FieldSet& last_days) {
  const std::vector<int> values = last_days.values();
  if (values.back() == static_cast<int>(values.size()))
    return values.size() == 1 ? "the last day" : fmt::format("the last {} days", values.size());
  std::vector<std::string> words;
  for (const int value : values)
    words.push_back(value == 1 ? "the last" : "the " + ordinal(value) + " last");
  return enumerate(words) + " day";
}

/// `day 1`, `days 1 and 15 and the last day`
std::string month_days(const Pattern& p) {
  if (p.days.empty()) return last_days_words(p.last_days);
  const std::string days = counted(p.days);
  return p.last_days.empty() ? days : days + " and " + last_days_words(p.last_days);
}

std::string of_months(const Pattern& p) {
  return p.months.full() ? "every month" : enumerate(runs(p.months, month));
}

std::string in_years(const Pattern& p) { return p.years.full() ? "" : " in " + list(p.years); }

bool any_day(const Pattern& p) { return p.days.full() && p.weekdays.full(); }

/// `Monday to Friday`, `day 1 of January and July in 2026`; not of a pattern that any day matches.
std::string days_words(const Pattern& p) {
  const std::string weekdays = enumerate(runs(p.weekdays, weekday));
  const std::string in_months = p.months.full() ? "" : " in " + of_months(p);
  if (p.days.full()) return weekdays + in_months + in_years(p);
  const std::string days = fmt::format("{} of {}", month_days(p), of_months(p));
  if (p.weekdays.full()) return days + in_years(p);
  if (p.either_day) return fmt::format("{}{} or on {}{}", weekdays, in_months, days, in_years(p));
  return fmt::format("{} that is among {}{}", weekdays, days, in_years(p));
}

}  // namespace

std::string why_no_day(const Pattern& p) {
  Pattern any_weekday = p;
  any_weekday.weekdays = FieldSet::all(kWeekday);
  if (!any_weekday.possible()) {
    return fmt::format("{}{} {} no {}", of_months(p), in_years(p),
                       p.months.count() == 1 ? "has" : "have", month_days(p));
  }
  const bool one = p.days.count() + p.last_days.count() == 1;
  return fmt::format("{} {} not fall on {}", days_words(any_weekday), one ? "does" : "do",
                     enumerate(runs(p.weekdays, weekday), " or "));
}

std::string describe(const Pattern& p) {
  const std::string time = time_words(p);
  if (!any_day(p)) return fmt::format("{} on {}", time, days_words(p));
  std::string when = time.starts_with("at ") ? " every day" : "";
  if (!p.months.full()) when += " in " + of_months(p);
  return time + when + in_years(p);
}

std::string describe_interval(std::chrono::seconds interval) {
  struct Unit {
    std::int64_t seconds;
    const char* name;
  };
  std::string length = base::format_duration(interval);
  for (const Unit& unit : {Unit{604800, "week"}, Unit{86400, "day"}, Unit{3600, "hour"},
                           Unit{60, "minute"}, Unit{1, "second"}}) {
    if (interval.count() % unit.seconds != 0) continue;
    const auto count = interval.count() / unit.seconds;
    length = count == 1 ? unit.name : fmt::format("{} {}s", count, unit.name);
    break;
  }
  const bool daily = 86400 % interval.count() == 0;
  return fmt::format("every {}, counted from {}", length,
                     daily ? "midnight UTC" : "Monday 1970-01-05 00:00 UTC");
}

}  // namespace moonshift::schedule
