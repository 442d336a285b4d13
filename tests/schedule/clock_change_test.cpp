#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "schedule/cron.hpp"
#include "schedule/random_expression.hpp"
#include "schedule/times.hpp"

// What happens where clocks change. The C library's clocks, minute by minute, are the oracle.

using namespace moonshift;
using namespace std::chrono;
using schedule::Schedule;
using schedule::Zone;
using test::Times;

namespace {

/// The minutes of the wall clock that a pattern names, which must outlive this. The times of the
/// day are tried once and not on each day, as there are 1300 years to go through.
class Due {
 public:
  explicit Due(const schedule::Pattern& pattern) : pattern_(pattern) {
    for (minutes of_day{0}; of_day < days(1); of_day += minutes(1)) {
      const hh_mm_ss time(of_day);
      if (pattern.minutes.contains(static_cast<int>(time.minutes().count())) &&
          pattern.hours.contains(static_cast<int>(time.hours().count())))
        times_of_day_.push_back(of_day);
    }
  }

  /// Calls `visit` with each such time in [begin, end), in order.
  template <class Visit>
  void each(local_seconds begin, local_seconds end, Visit visit) const {
    for (auto day = floor<days>(begin); day < end; day += days(1)) {
      if (!on(year_month_day(day))) continue;
      for (const seconds of_day : times_of_day_) {
        const local_seconds time = day + of_day;
        if (time >= begin && time < end) visit(time);
      }
    }
  }

 private:
  bool on(year_month_day date) const {
    return pattern_.years.contains(int{date.year()}) &&
           pattern_.months.contains(static_cast<int>(static_cast<unsigned>(date.month()))) &&
           pattern_.matches(date);
  }

  const schedule::Pattern& pattern_;
  std::vector<seconds> times_of_day_;
};

/// A year, with what the clocks of a zone show at each of its minutes.
class Clocks {
 public:
  Clocks(const std::string& zone, int in_year)
      : begin_(sys_days(year{in_year} / 1 / 1)), end_(sys_days(year{in_year + 1} / 1 / 1)) {
    const char* before = std::getenv("TZ");
    const std::string kept = before == nullptr ? "" : before;
    ::setenv("TZ", zone.c_str(), 1);
    ::tzset();
    for (sys_seconds time = begin_ - days(2); time < end_ + days(2); time += minutes(1)) {
      const std::time_t count = time.time_since_epoch().count();
      std::tm parts{};
      ::localtime_r(&count, &parts);
      add(time, seconds(parts.tm_gmtoff));
    }
    before == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", kept.c_str(), 1);
    ::tzset();
  }

  sys_seconds begin() const { return begin_; }
  sys_seconds end() const { return end_; }

  /// Every minute at which the clocks show a time that is due.
  Times whenever(const Due& due) const {
    Times times;
    for (const Stretch& here : stretches_) {
      due.each(here.shown(here.begin), here.shown(here.end),
               [&](local_seconds local) { add_to(times, here.time(local)); });
    }
    return times;
  }

  /// The first minute at which the clocks show a time that is due, or a later one.
  Times once(const Due& due) const {
    Times times;
    local_seconds next = stretches_.front().shown(stretches_.front().begin);
    for (const Stretch& here : stretches_) {
      due.each(next, here.shown(here.end), [&](local_seconds local) {
        const sys_seconds time = std::max(here.begin, here.time(local));
        if (times.empty() || times.back() != time) add_to(times, time);
      });
      next = std::max(next, here.shown(here.end));
    }
    return times;
  }

 private:
  /// Minutes in a row with one offset from UTC: [begin, end).
  struct Stretch {
    sys_seconds begin, end;
    seconds offset;

    local_seconds shown(sys_seconds time) const {
      return local_seconds((time + offset).time_since_epoch());
    }
    sys_seconds time(local_seconds local) const {
      return sys_seconds(local.time_since_epoch() - offset);
    }
  };

  void add(sys_seconds minute, seconds offset) {
    if (stretches_.empty() || stretches_.back().offset != offset)
      stretches_.push_back({minute, minute, offset});
    stretches_.back().end = minute + minutes(1);
  }

  void add_to(Times& times, sys_seconds time) const {
    if (time > begin_ && time <= end_) times.push_back(time);
  }

  sys_seconds begin_, end_;
  std::vector<Stretch> stretches_;
};

void check_year(const Clocks& clocks, const std::string& zone, const std::string& cron) {
  CAPTURE(zone);
  CAPTURE(cron);
  const schedule::Pattern pattern = schedule::parse_cron(cron);
  const Due due(pattern);
  const Times expected = pattern.follows_clock ? clocks.whenever(due) : clocks.once(due);
  const Times times =
      test::times_between(Schedule::cron(cron, Zone::named(zone)), clocks.begin(), clocks.end());
  const bool same = times == expected;
  CHECK(same);
  if (same) return;
  const auto [ours, theirs] =
      std::mismatch(times.begin(), times.end(), expected.begin(), expected.end());
  CAPTURE(times.size());
  CAPTURE(expected.size());
  CHECK((ours == times.end() ? "none" : test::shown(*ours)) ==
        (theirs == expected.end() ? "none" : test::shown(*theirs)));
}

struct ZoneYear {
  std::string zone;
  int year;
};

/// With half an hour, at midnight, with negative summer time, and with a day that was left out.
const std::vector<ZoneYear> kYears{
    {"UTC", 2026},           {"Europe/Berlin", 2026},       {"America/New_York", 2026},
    {"Asia/Beirut", 2026},   {"Australia/Lord_Howe", 2026}, {"Africa/Casablanca", 2026},
    {"Europe/Dublin", 2026}, {"Pacific/Apia", 2011},
};

}  // namespace

TEST_CASE(
    "through a year with every hour: a fixed time happens once a day, a wildcard follows clocks") {
  for (const ZoneYear& at : kYears) {
    const Clocks clocks(at.zone, at.year);
    for (int hour = 0; hour < 24; ++hour) {
      for (const int minute : {0, 15, 30, 59})
        check_year(clocks, at.zone, fmt::format("{} {} * * *", minute, hour));
    }
    for (const char* cron :
         {"* * * * *", "*/15 * * * *", "45 * * * *", "0 */2 * * *", "30 1/5 * * *", "*/20 2 * * *",
          "0,30 1-3 * * *", "0 0 * * 0", "30 23 L * *", "30 * 31 3 *", "59 23 31 12 *"})
      check_year(clocks, at.zone, cron);
  }
}

TEST_CASE("through a year with random expressions") {
  constexpr std::uint32_t kSeed = 20261025;
  CAPTURE(kSeed);
  test::RandomExpressions random(kSeed);
  for (const ZoneYear& at : kYears) {
    const Clocks clocks(at.zone, at.year);
    for (int tried = 0; tried < 60;) {
      const std::string cron = random.cron();
      const bool whole_minutes = std::count(cron.begin(), cron.end(), ' ') == 4;
      if (!whole_minutes || test::refusal([&] { schedule::parse_cron(cron); }) != "accepted")
        continue;
      check_year(clocks, at.zone, cron);
      ++tried;
    }
  }
}

TEST_CASE("in the night of a change") {
  struct Case {
    std::string zone, cron, from, next;
  };
  for (const Case& c : {
           // 02:00 to 03:00 is skipped at 01:00 UTC.
           Case{"Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z",
                "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"},
           Case{"Europe/Berlin", "*/15 2 * * *", "2026-03-28T12:00:00Z",
                "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
           Case{"Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00:00Z",
                "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
           Case{"Europe/Berlin", "30 * * * *", "2026-03-29T00:00:00Z",
                "2026-03-29T00:30:00Z 2026-03-29T01:30:00Z"},
           Case{"Europe/Berlin", "0 */2 * * *", "2026-03-28T23:00:00Z",
                "2026-03-29T02:00:00Z 2026-03-29T04:00:00Z"},
           // 02:00 to 03:00 comes twice, from 00:00 UTC on.
           Case{"Europe/Berlin", "30 2 * * *", "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
           Case{"Europe/Berlin", "30 2 * * *", "2026-10-25T01:10:00Z",
                "2026-10-26T01:30:00Z 2026-10-27T01:30:00Z"},
           Case{"Europe/Berlin", "30 * * * *", "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z"},
           Case{"Europe/Berlin", "* * 2 * * *", "2026-10-25T00:59:58Z",
                "2026-10-25T00:59:59Z 2026-10-26T01:00:00Z"},
           // 02:00 to 02:30 is skipped at 15:30 UTC; 01:30 to 02:00 comes twice, from 14:30 UTC on.
           Case{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00:00Z",
                "2026-10-03T15:30:00Z 2026-10-04T15:15:00Z"},
           Case{"Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00:00Z",
                "2026-04-04T14:45:00Z 2026-04-05T15:15:00Z"},
           Case{"Australia/Lord_Howe", "45 * * * *", "2026-04-04T14:30:00Z",
                "2026-04-04T14:45:00Z 2026-04-04T15:15:00Z"},
       }) {
    CAPTURE(c.zone);
    CAPTURE(c.cron);
    CAPTURE(c.from);
    const Schedule schedule = Schedule::cron(c.cron, Zone::named(c.zone));
    CHECK(test::shown(test::next_times(schedule, test::at(c.from), 2)) == c.next);
  }
  const Schedule every = Schedule::every("1h", Zone::named("Europe/Berlin"));
  CHECK(test::shown(test::next_times(every, test::at("2026-10-25T00:00:00Z"), 3)) ==
        "2026-10-25T01:00:00Z 2026-10-25T02:00:00Z 2026-10-25T03:00:00Z");
}
