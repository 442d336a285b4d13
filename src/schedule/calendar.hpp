#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "schedule/pattern.hpp"

namespace moonshift::schedule {

/// What a calendar expression says.
struct Calendar {
  Pattern pattern;
  std::string zone;  ///< the name at its end; empty if there is none
};

/// Reads an expression as OnCalendar= of systemd takes it (systemd.time(7)):
///
///     [WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [ZONE]
///
/// WEEKDAYS is a list of names and ranges, `Mon..Wed,Fri`. Every other field is `*`, a value, a
/// range `a..b`, one of these with a step `/n`, or a list of them; `a/n` goes on to the end of the
/// field.
/// `~` instead of the last `-` counts days from the end of the month. A date that is left out is
/// any, a time is 00:00:00. Also minutely, hourly, daily, weekly, monthly, quarterly, semiannually
/// and yearly, and the other words that systemd has for these. ZONE is an IANA name.
///
/// Fractions of seconds and `@TIMESTAMP` are refused: a schedule has whole seconds and comes again.
///
/// Throws ConfigError with the column of what is wrong; also if there is no such date.
Calendar parse_calendar(std::string_view text);

/// A pattern in that syntax, or why it has none.
struct CalendarForm {
  std::optional<std::string> text;
  std::string why_not;
};

/// Without a time zone.
CalendarForm to_calendar(const Pattern& pattern);

/// The same for an interval of Schedule::every().
CalendarForm to_calendar(std::chrono::seconds interval);

}  // namespace moonshift::schedule
