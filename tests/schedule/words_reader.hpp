#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

#include "schedule/pattern.hpp"

namespace moonshift::test {

using Values = std::set<int>;

/// What the words of describe() say to someone who has nothing else, read by their grammar alone.
struct Said {
  Values times;          ///< the seconds of a day
  bool any_day = false;  ///< says nothing of weekdays and days of the month
  std::optional<Values> years, months, days, last_days, weekdays;  ///< nothing: any
  bool either_day = false;

  bool on(std::chrono::year_month_day date) const {
    const auto has = [](const std::optional<Values>& values, int value) {
      return !values || values->contains(value);
    };
    const auto day = static_cast<int>(static_cast<unsigned>(date.day()));
    const auto last = static_cast<int>(
        static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day()));
    const bool in_month = (!days && !last_days) || (days && days->contains(day)) ||
                          (last_days && last_days->contains(last - day + 1));
    const std::chrono::weekday weekday{std::chrono::local_days(date)};
    const bool in_week = has(weekdays, static_cast<int>(weekday.iso_encoding()));
    return has(years, int{date.year()}) &&
           has(months, static_cast<int>(static_cast<unsigned>(date.month()))) &&
           (either_day ? in_month || in_week : in_month && in_week);
  }
};

/// Reads them from left to right. Throws std::runtime_error if they leave open when it is.
class WordsReader {
 public:
  explicit WordsReader(std::string_view words) : rest_(words) {}

  Said read() {
    Said said;
    const bool at = rest_.starts_with("at ");
    said.times = read_times();
    if (take(" on ")) {
      read_days(said);
    } else {
      said.any_day = true;
      // Only what says "every" is understood without it.
      if (take(" every day") != at) fail("times of every day");
      if (take(" in ") && !is_digit()) said.months = months();
    }
    if (take(" in ") || is_digit()) said.years = numbers();
    if (!rest_.empty()) fail("the end");
    return said;
  }

 private:
  static constexpr std::array<std::string_view, 12> kMonths{
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  static constexpr std::array<std::string_view, 7> kWeekdays{
      "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

  [[noreturn]] void fail(const std::string& expected) const {
    throw std::runtime_error("no " + expected + " at: " + std::string(rest_));
  }

  bool is_digit() const { return !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; }

  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  int number() {
    if (!is_digit()) fail("number");
    int value = 0;
    for (; is_digit(); rest_.remove_prefix(1)) value = value * 10 + (rest_[0] - '0');
    return value;
  }

  template <std::size_t count>
  std::optional<int> name(const std::array<std::string_view, count>& names) {
    for (std::size_t i = 0; i < count; ++i) {
      if (take(names[i])) return static_cast<int>(i) + 1;
    }
    return std::nullopt;
  }

  /// `a`, `a to c`, `a, b and c`; each is what `one` takes, if it stands next.
  template <class One>
  Values list(One one) {
    Values values;
    for (;;) {
      const auto before = rest_;
      if (!values.empty() && !take(", ") && !take(" and ")) return values;
      const auto first = one();
      if (!first) {  // the comma or the `and` is of something else
        rest_ = before;
        return values;
      }
      const auto last = take(" to ") ? one() : first;
      for (int value = *first; value <= last.value(); ++value) values.insert(value);
    }
  }

  Values numbers() {
    return list([this] { return is_digit() ? std::optional(number()) : std::nullopt; });
  }
  Values months() {
    return list([this] { return name(kMonths); });
  }

  /// `minute 5`, `minutes 5 and 10`
  std::optional<Values> counted(std::string_view unit) {
    if (!take(unit)) return std::nullopt;
    const bool many = take("s");
    if (!take(" ")) fail("number");
    const Values values = numbers();
    if (many != (values.size() > 1)) fail("right number of the noun");
    return values;
  }

  static Values steps(int step, int size) {
    Values values;
    for (int value = 0; value < size; value += step) values.insert(value);
    return values;
  }

  /// `every minute`, `every 5 minutes`
  std::optional<Values> rhythm(std::string_view unit, int size) {
    const auto before = rest_;
    if (take("every ")) {
      const bool many = is_digit();
      const int step = many ? number() : 1;
      if (many) take(" ");
      if (take(unit) && take("s") == many && size % step == 0) return steps(step, size);
    }
    rest_ = before;
    return std::nullopt;
  }

  /// `02:30`, `02:30:15`
  int clock() {
    const int hour = number();
    if (!take(":")) fail("minute");
    const int minute = number();
    return hour * 3600 + minute * 60 + (take(":") ? number() : 0);
  }

  static Values product(const Values& hours, const Values& minutes, const Values& seconds) {
    Values times;
    for (const int hour : hours) {
      for (const int minute : minutes) {
        for (const int second : seconds) times.insert(hour * 3600 + minute * 60 + second);
      }
    }
    return times;
  }

  /// ` of hours 2 and 4`, ` of every hour`, ` from 02:00 to 04:30`
  Values within_hours(const Values& minutes, const Values& seconds) {
    if (take(" from ")) {
      const int first = clock();
      if (!take(" to ")) fail("last time");
      const int last = clock();
      Values times = product(steps(1, 24), minutes, seconds);
      std::erase_if(times, [&](int time) { return time < first || time > last; });
      if (!times.contains(first) || !times.contains(last)) fail("times from the first to the last");
      return times;
    }
    if (take(" of every hour")) return product(steps(1, 24), minutes, seconds);
    if (take(" of ")) return product(counted("hour").value(), minutes, seconds);
    return {};
  }

  /// After `at `.
  Values at_times() {
    if (is_digit())
      return list([this] { return is_digit() ? std::optional(clock()) : std::nullopt; });
    const auto [minutes, seconds] = minutes_and_seconds();
    return within_hours(minutes, seconds);
  }

  /// `minutes 7 and 20`, `second 30 of minute 2`
  std::pair<Values, Values> minutes_and_seconds() {
    const Values seconds = counted("second").value_or(Values{});
    if (!seconds.empty() && !take(" of ")) fail("minute");
    const auto minutes = counted("minute");
    if (!minutes) fail("minute");
    return {*minutes, seconds.empty() ? Values{0} : seconds};
  }

  Values every_hours(const Values& hours) {
    if (take(" at ")) {
      const auto [minutes, seconds] = minutes_and_seconds();
      return product(hours, minutes, seconds);
    }
    if (!rest_.starts_with(" from ")) return product(hours, {0}, {0});
    const auto minute = rest_.find(':') + 1;
    return within_hours({std::stoi(std::string(rest_.substr(minute, 2)))}, {0});
  }

  /// What says no hours is meant for all of them.
  Values or_all_day(const Values& minutes, const Values& seconds) {
    const Values times = within_hours(minutes, seconds);
    return times.empty() ? product(steps(1, 24), minutes, seconds) : times;
  }

  Values every_seconds(const Values& seconds) {
    if (take(" of every ") && is_digit()) {
      const int step = number();
      if (!take("st minute") && !take("nd minute") && !take("rd minute") && !take("th minute"))
        fail("minute");
      return or_all_day(steps(step, 60), seconds);
    }
    if (rest_.starts_with(" of minute")) {
      take(" of ");
      return within_hours(counted("minute").value(), seconds);
    }
    return or_all_day(steps(1, 60), seconds);
  }

  Values read_times() {
    Values times;
    if (take("at ")) {
      times = at_times();
    } else if (const auto hours = rhythm("hour", 24)) {
      times = every_hours(*hours);
    } else if (const auto minutes = rhythm("minute", 60)) {
      const auto seconds = take(" at ") ? counted("second") : Values{0};
      times = or_all_day(*minutes, seconds.value());
    } else if (const auto seconds = rhythm("second", 60)) {
      times = every_seconds(*seconds);
    }
    if (times.empty()) fail("hours of the day");
    return times;
  }

  /// `day 1`, `days 1 and 15 and the last day`, `the 3rd last and the last day`, `the last 3 days`
  void month_days(Said& said) {
    said.days = counted("day");
    if (said.days && !take(" and ")) return;
    if (take("the last ") && is_digit()) {
      const int count = number();
      if (!take(" days")) fail("days");
      said.last_days.emplace();
      for (int day = 1; day <= count; ++day) said.last_days->insert(day);
      return;
    }
    if (rest_.starts_with("day")) {
      said.last_days = Values{1};
    } else {
      said.last_days = last_days();
    }
    if (!take("day")) take(" day");
  }

  Values last_days() {
    Values values;
    if (rest_.starts_with("and ") || rest_.starts_with(", ")) values.insert(1);
    take("and ");
    for (;;) {
      take(", ");
      take(" and ");
      if (!take("the ")) return values;
      if (take("last")) {
        values.insert(1);
      } else {
        values.insert(number());
        rest_.remove_prefix(2);
        if (!take(" last")) fail("last");
      }
    }
  }

  void of_months(Said& said) {
    if (!take(" of ")) fail("months of those days");
    if (!take("every month")) said.months = months();
  }

  void read_days(Said& said) {
    Values weekdays = list([this] { return name(kWeekdays); });
    if (weekdays.empty()) {
      month_days(said);
      of_months(said);
      return;
    }
    said.weekdays = weekdays;
    if (take(" that is among ")) {
      month_days(said);
      of_months(said);
      return;
    }
    const auto before = rest_;
    if (take(" in ") && !is_digit()) {
      said.months = months();
    } else {
      rest_ = before;
    }
    const auto months_of_weekdays = said.months;
    if (!take(" or on ")) return;
    said.either_day = true;
    said.months.reset();
    month_days(said);
    of_months(said);
    if (said.months != months_of_weekdays) fail("same months for both");
  }

  std::string_view rest_;
};

}  // namespace moonshift::test
