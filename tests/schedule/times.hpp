#pragma once

#include <string>
#include <vector>

#include "schedule/schedule.hpp"

namespace moonshift::test {

using Times = std::vector<std::chrono::sys_seconds>;

/// `2026-03-02T02:00:00Z`
std::chrono::sys_seconds at(const std::string& text);
std::string shown(std::chrono::sys_seconds time);
std::string shown(const Times& times);

/// The next `count` times after `from`; fewer if there are no more.
Times next_times(const schedule::Schedule& schedule, std::chrono::sys_seconds from, int count);

/// All times in (from, until].
Times times_between(const schedule::Schedule& schedule, std::chrono::sys_seconds from,
                    std::chrono::sys_seconds until);

/// What `act` throws; `accepted` if nothing.
template <class Act>
std::string refusal(Act act) {
  try {
    act();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace moonshift::test
