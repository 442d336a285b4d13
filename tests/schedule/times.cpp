#include "schedule/times.hpp"

#include <stdexcept>

#include "base/time.hpp"

namespace moonshift::test {

using std::chrono::sys_seconds;

sys_seconds at(const std::string& text) {
  return std::chrono::floor<std::chrono::seconds>(base::parse_time(text));
}

std::string shown(sys_seconds time) { return base::format_time(time).substr(0, 19) + "Z"; }

std::string shown(const Times& times) {
  std::string text;
  for (const sys_seconds time : times) text += (text.empty() ? "" : " ") + shown(time);
  return text;
}

namespace {

std::optional<sys_seconds> next_time(const schedule::Schedule& schedule, sys_seconds from) {
  const auto time = schedule.next(from);
  if (time && *time <= from) throw std::logic_error(shown(*time) + " is not after " + shown(from));
  return time;
}

}  // namespace

Times next_times(const schedule::Schedule& schedule, sys_seconds from, int count) {
  Times times;
  while (static_cast<int>(times.size()) < count) {
    const auto time = next_time(schedule, from);
    if (!time) break;
    times.push_back(from = *time);
  }
  return times;
}

Times times_between(const schedule::Schedule& schedule, sys_seconds from, sys_seconds until) {
  Times times;
  for (auto time = next_time(schedule, from); time && *time <= until;
       time = next_time(schedule, *time))
    times.push_back(*time);
  return times;
}

}  // namespace moonshift::test
