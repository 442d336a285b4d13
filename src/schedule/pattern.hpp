#pragma once

#include <chrono>
#include <optional>

#include "schedule/field_set.hpp"

namespace moonshift::schedule {

/// The times of the wall clock that a cron or a calendar expression names, whatever the time zone.
struct Pattern {
  FieldSet years = FieldSet::all(kYear);
  FieldSet months = FieldSet::all(kMonth);
  FieldSet days = FieldSet::all(kDay);
  FieldSet last_days = FieldSet(kDay);  ///< counted from the end of the month: 1 is its last day
  FieldSet weekdays = FieldSet::all(kWeekday);
  FieldSet hours = FieldSet::all(kHour);
  FieldSet minutes = FieldSet::all(kMinute);
  FieldSet seconds = FieldSet(kSecond, {0});

  /// Whether a day of the month or a weekday is enough, as in a cron expression that restricts
  /// both.
  bool either_day = false;

  /// Whether the hours are a wildcard (`*`) or go on through the day (`*/2`), so that the
  /// expression follows real time where the clocks change; see Schedule.
  bool follows_clock = true;

  bool any_day_of_month() const { return days.full(); }

  bool matches(std::chrono::year_month_day day) const;

  /// The first such time from `least` on; nothing if there is none until the end of 2199.
  std::optional<std::chrono::local_seconds> next(std::chrono::local_seconds least) const;

  /// Whether there is such a day at all: not with 30 February.
  bool possible() const;

 private:
  std::optional<std::chrono::local_days> next_day(std::chrono::year_month_day least) const;
  std::optional<std::chrono::seconds> next_time(std::chrono::seconds least) const;
};

}  // namespace moonshift::schedule
