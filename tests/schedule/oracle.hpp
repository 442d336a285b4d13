#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schedule/times.hpp"

namespace moonshift::test {

/// The next times as `systemd-analyze calendar` has them, for each expression; nothing for one that
/// it refuses. The expressions name their time zones; else it is UTC.
std::vector<std::optional<Times>> systemd_times(const std::vector<std::string>& expressions,
                                                std::chrono::sys_seconds from, int count);

/// The next times as python3-croniter has them in UTC; nothing for one that it refuses.
std::vector<std::optional<Times>> croniter_times(const std::vector<std::string>& expressions,
                                                 std::chrono::sys_seconds from, int count);

}  // namespace moonshift::test
