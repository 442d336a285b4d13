#pragma once

#include <string_view>

#include "schedule/pattern.hpp"

namespace moonshift::schedule {

/// Reads a cron expression (crontab(5)): five fields, or six with seconds first.
///
///     second 0-59, minute 0-59, hour 0-23, day of month 1-31 or L (its last), month 1-12 or
///     JAN-DEC, weekday 0-7 or SUN-SAT (0 and 7 are Sunday)
///
/// A field is `*`, a value, a range `a-b`, one of these with a step `/n` (`a/n` goes on to the
/// end), or a list of them with commas. Also @yearly, @annually, @monthly, @weekly, @daily,
/// @midnight and
/// @hourly. If neither the day of month nor the weekday contains a `*`, either is enough.
///
/// Throws ConfigError with the column of what is wrong; also if there is no such date.
Pattern parse_cron(std::string_view text);

}  // namespace moonshift::schedule
