#pragma once

#include <string_view>

#include "base/time.hpp"
#include "schedule/zone.hpp"

namespace moonshift::schedule {

/// Reads what base::parse_time reads, and other times of ISO 8601: with an offset from UTC, such as
/// `2026-11-01T02:30+05:30`; without one, such as `2026-11-01T02:30`, as the clocks of `zone` show
/// it; or a date alone, for its midnight there. A time that the clocks show twice is the first one,
/// one that they skip is the end of the gap. Throws ConfigError that shows these forms.
base::UnixTime parse_time(std::string_view text, const Zone& zone);

}  // namespace moonshift::schedule
