#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace moonshift::base {

/// A point in civil time as Redis and the job libraries count it: milliseconds since 1970, UTC.
using UnixTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// A point in time that only measures: deadlines and durations.
using SteadyTime = std::chrono::steady_clock::time_point;

/// A deadline that never comes.
inline constexpr SteadyTime kNever = SteadyTime::max();

/// Reads `2026-11-01T02:30:00Z` (with or without fraction) or milliseconds since 1970.
/// Throws ConfigError that shows both forms.
UnixTime parse_time(std::string_view text);

/// `2026-11-01T02:30:00.000Z`
std::string format_time(UnixTime time);

/// Now, by this host's clock. Tasks see Redis's clock instead.
UnixTime system_now();

}  // namespace moonshift::base
