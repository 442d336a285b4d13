#pragma once

#include <string>

#include "base/duration.hpp"
#include "schedule/pattern.hpp"

namespace moonshift::schedule {

/// `at 02:30 on Monday to Friday`, `every 15 minutes in January`
std::string describe(const Pattern& pattern);

/// Why no day matches a pattern that is not possible(): `February has no days 30 and 31`,
/// `day 1 of January in 2026 does not fall on Monday`.
std::string why_no_day(const Pattern& pattern);

/// `every 6 hours, counted from midnight`; whole seconds.
std::string describe_interval(std::chrono::seconds interval);

}  // namespace moonshift::schedule
