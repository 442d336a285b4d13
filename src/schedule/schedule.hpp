#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/time.hpp"
#include "schedule/calendar.hpp"
#include "schedule/pattern.hpp"
#include "schedule/zone.hpp"

namespace moonshift::schedule {

/// When something is to happen, again and again: a cron expression (crontab(5)), a calendar
/// expression (systemd.time(7)) or an interval. Immutable; pure: it knows no clock.
///
/// Where the clocks of its time zone change:
///
/// - A fixed time happens exactly once a day. One that the clocks skip happens right after the gap;
///   several that one gap skips happen there as one. One that the clocks show twice happens the
///   first time only.
/// - An expression whose hours are a wildcard (`*`) or go on through the day (`*/2` in cron, `00/2`
/// in
///   a calendar) follows real time: it happens whenever the clocks show such a time, so twice in an
///   hour that comes twice, and not in one that is skipped.
/// - An interval is counted in real time from Monday 1970-01-05 00:00 UTC, so that every host and
///   every restart counts alike, and those that divide a day or a week begin with it.
///
/// All times are whole seconds. There is none after 2199.
class Schedule {
 public:
  enum class Kind { kCron, kCalendar, kEvery };

  /// Each throws ConfigError that names the column of what is wrong, and what is allowed.
  static Schedule cron(std::string_view expression, const Zone& zone);
  /// A zone at its end must be `zone` if that is given; if neither is, the zone is this host's.
  static Schedule calendar(std::string_view expression, const std::optional<Zone>& zone);
  /// A duration of whole seconds, such as 90m, also after the word `every`. The zone is that of
  /// describe() alone.
  static Schedule every(std::string_view expression, const Zone& zone);

  /// Any of the three, told apart: a duration, or five fields and more, or fewer.
  static Schedule parse(std::string_view expression, const std::optional<Zone>& zone);

  Kind kind() const { return kind_; }
  /// As it was given.
  const std::string& expression() const { return expression_; }
  const Zone& zone() const { return zone_; }

  /// The first time after `after`; nothing if there is none. Takes microseconds.
  std::optional<std::chrono::sys_seconds> next(base::UnixTime after) const;

  /// The last time up to `until`; nothing if there was none in ten years before.
  std::optional<std::chrono::sys_seconds> last(base::UnixTime until) const;

  /// Whether it follows real time where clocks change: an interval, or wildcard hours.
  bool follows_clock() const;

  /// `at 02:30 every day, Europe/Berlin`
  std::string describe() const;

  /// The same as OnCalendar= takes it, with the time zone.
  CalendarForm calendar_form() const;

 private:
  using Rule = std::variant<Pattern, std::chrono::seconds>;

  Schedule(Kind kind, std::string_view expression, const Zone& zone, Rule rule)
      : kind_(kind), expression_(expression), zone_(zone), rule_(std::move(rule)) {}

  Kind kind_;
  std::string expression_;
  Zone zone_;
  Rule rule_;
};

}  // namespace moonshift::schedule
