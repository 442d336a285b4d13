#pragma once

#include <string>

#include "base/duration.hpp"
#include "schedule/pattern.hpp"

namespace moonshift::schedule {

/// `at 02:30 on Monday to Friday`, `every 15 minutes in January`
std::string describe(const Pattern& pattern);

/// `day 31 of February`, `Monday`, `day`; for both: `Friday or on day 13 of every month`
std::string describe_days(const Pattern& pattern);

/// `every 6 hours, counted from midnight`; whole seconds.
std::string describe_interval(std::chrono::seconds interval);

}  // namespace moonshift::schedule
