#include "service/timer_times.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/duration.hpp"
#include "base/error.hpp"

namespace moonshift::service {

namespace {

using namespace std::chrono_literals;
using schedule::Schedule;
using std::chrono::floor;
using std::chrono::seconds;
using std::chrono::sys_seconds;

/// How long the lines last that name dates. A generator writes them anew at each boot and each
/// daemon-reload.
constexpr seconds kAhead = std::chrono::hours(24 * 366 * 3);

/// More lines than that are no timer for people to read.
constexpr std::size_t kMostDates = 1000;
constexpr std::size_t kMostTimesOfDay = 288;

constexpr std::size_t kMostAtOneChange = 120;

std::string time_text(sys_seconds time) {
  std::string text = base::format_time(time).substr(0, 19);
  text[10] = ' ';
  return text;
}

std::string on_date(sys_seconds time) {
  return fmt::format("OnCalendar={} UTC\n", time_text(time));
}

std::string on_day(sys_seconds time) {
  return fmt::format("OnCalendar=*-*-* {} UTC\n", time_text(time).substr(11));
}

/// Its times in [from, until); empty if there are more than `most`.
std::vector<sys_seconds> times_between(const Schedule& schedule, sys_seconds from,
                                       sys_seconds until, std::size_t most) {
  std::vector<sys_seconds> times;
  for (auto time = schedule.next(from - 1s); time && *time < until; time = schedule.next(*time)) {
    if (times.size() == most) return {};
    times.push_back(*time);
  }
  return times;
}

/// What systemd may leave out at a clock change, and what it does not leave out besides, which does
/// no harm: two lines that name one time are one.
std::vector<sys_seconds> times_at(const Schedule& schedule, sys_seconds change, seconds shift) {
  // An hour that comes twice comes once for it, and where that is no end of summer (Casablanca in
  // 2026), either time.
  if (shift < 0s) return times_between(schedule, change + shift, change - shift, kMostAtOneChange);
  // A time that was skipped is due right after the gap. Where summer is the standard time (Dublin,
  // Casablanca), systemd leaves out all the rest of the day (seen of systemd 252).
  auto times = times_between(schedule, change, change + std::chrono::hours(24), kMostAtOneChange);
  if (times.empty()) times = times_between(schedule, change, change + 1s, 1);
  return times;
}

std::string dates_at_clock_changes(const Schedule& schedule, sys_seconds from) {
  if (schedule.kind() == Schedule::Kind::kEvery) return "";  // its calendar form is in UTC
  std::string lines;
  const schedule::Zone& zone = schedule.zone();
  for (auto period = zone.period(from); period.end < from + kAhead;) {
    const auto next = zone.period(period.end);
    for (const auto time : times_at(schedule, next.begin, next.offset - period.offset))
      lines += on_date(time);
    period = next;
  }
  if (lines.empty()) return "";
  return "# Where clocks change, systemd leaves out some of these:\n" + lines;
}

std::string calendar_times(const job::Job& job, const std::string& calendar, sys_seconds now) {
  return fmt::format("OnCalendar={}\n{}", calendar, dates_at_clock_changes(*job.schedule, now));
}

/// Nothing if there are too many.
std::string interval_dates(const Schedule& schedule, sys_seconds now) {
  constexpr seconds kDay = std::chrono::hours(24);
  const auto today = floor<std::chrono::days>(now);
  std::string lines;
  // Every day has the same times if the next one begins with the first of them.
  const auto day = times_between(schedule, today, today + kDay, kMostTimesOfDay);
  const auto days = times_between(schedule, today, today + 2 * kDay, 2 * kMostTimesOfDay);
  if (!day.empty() && days.size() == 2 * day.size() && days[day.size()] == day.front() + kDay) {
    for (const auto time : day) lines += on_day(time);
    return lines;
  }
  for (const auto time : times_between(schedule, now, now + kAhead, kMostDates))
    lines += on_date(time);
  return lines;
}

/// An interval as systemd writes time spans, which have the same units.
std::string interval_of(const Schedule& schedule) {
  const std::string& text = schedule.expression();
  const auto digit =
      std::find_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  return std::string(digit, text.end());
}

/// systemd remembers no such times over a reboot: a run that may be overdue is made up for soon.
std::string times_from_last_run(const job::Job& job) {
  const std::string interval = interval_of(*job.schedule);
  return fmt::format("OnActiveSec={}\nOnUnitActiveSec={}\n", job.catch_up ? "1min" : interval,
                     interval);
}

std::string jitter_of(const job::Job& job) {
  if (job.jitter.count() == 0) return "";
  return fmt::format("RandomizedDelaySec={}\nFixedRandomDelay=true\n",
                     base::format_duration(job.jitter));
}

}  // namespace

std::string timer_times(const job::Job& job, base::UnixTime now) {
  const Schedule& schedule = *job.schedule;
  const auto second = floor<seconds>(now);
  const schedule::CalendarForm calendar = schedule.calendar_form();
  std::string times;
  if (calendar.text) {
    times = calendar_times(job, *calendar.text, second);
  } else if (schedule.kind() == Schedule::Kind::kEvery) {
    times = interval_dates(schedule, second);
    if (times.empty()) return times_from_last_run(job) + jitter_of(job);
  } else {
    throw base::ConfigError(fmt::format("{}: systemd has no form of '{}': {}", job.path,
                                        schedule.expression(), calendar.why_not));
  }
  return times + (job.catch_up ? "Persistent=true\n" : "") + jitter_of(job);
}

}  // namespace moonshift::service
