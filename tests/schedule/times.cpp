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

Times next_times(const schedule::Schedule& schedule, sys_seconds from, int count) {
  Times times;
  while (static_cast<int>(times.size()) < count) {
    const auto time = schedule.next(from);
    if (!time) break;
    if (*time <= from) throw std::logic_error(shown(*time) + " is not after " + shown(from));
    times.push_back(from = *time);
  }
  return times;
}

Times times_between(const schedule::Schedule& schedule, sys_seconds from, sys_seconds until) {
  Times times;
  for (;;) {
    const Times next = next_times(schedule, from, 1);
    if (next.empty() || next[0] > until) return times;
    times.push_back(from = next[0]);
  }
}

}  // namespace moonshift::test
