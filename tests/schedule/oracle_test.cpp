#include "schedule/oracle.hpp"

#include <cstdlib>
#include <regex>

#include "schedule/random_expression.hpp"

// Random expressions, and what other programs make of them. Where we differ on purpose, a row of
// kSystemdDifferences or kCroniterDifferences says why.

using namespace moonshift;
using namespace std::chrono;
using schedule::Schedule;
using schedule::Zone;
using test::Times;

namespace {

/// $MOONSHIFT_TEST_SEED looks elsewhere; the seed is printed with a failure.
std::uint32_t seed() {
  const char* given = std::getenv("MOONSHIFT_TEST_SEED");
  return given == nullptr ? 20260301U : static_cast<std::uint32_t>(std::atol(given));
}

/// Whole days before and after a change of the clocks are not compared: see kSystemdDifferences.
bool near_change(const Zone& zone, sys_seconds time) {
  return zone.period(time - days(2)).end != zone.period(time + days(2)).end;
}

Times far_from_changes(const Times& times, const Zone& zone, sys_seconds until) {
  Times kept;
  for (const sys_seconds time : times) {
    if (time <= until && !near_change(zone, time)) kept.push_back(time);
  }
  return kept;
}

struct Difference {
  std::string expression, from, ours, why;
};

const std::vector<Difference> kSystemdDifferences{
    {"*-02-30", "", "February has no day 30",
     "a job that never runs is a mistake, and is told when the file is loaded"},
    {"10:00:00.5", "", "a schedule has whole seconds",
     "nothing needs to run at a part of a second"},
    {"@1700000000", "", "a moment that does not come again", "a schedule comes again"},
    {"*-*~13,28", "2026-03-01T00:00:00Z", "2026-03-04T00:00:00Z 2026-03-19T00:00:00Z",
     "systemd refuses it by a slip: it allows three days less for each further part of the list"},
    {"00:00:05..05", "2026-03-01T00:00:00Z", "2026-03-01T00:00:05Z 2026-03-02T00:00:05Z",
     "systemd refuses ranges of one second, though not of one minute"},
    {"*:0/7", "2026-12-31T23:50:00Z", "2026-12-31T23:56:00Z 2027-01-01T00:00:00Z",
     "a step that does not come out even makes systemd leave out the first time of a new day; what "
     "calendar_form() gives to systemd has none"},
    {"02:30 Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z",
     "a skipped time is made up for after the gap; systemd leaves it out"},
    {"02:30 Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z",
     "a time that comes twice happens the first time; systemd's choice depends on what came "
     "before"},
    {"*:30 Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z",
     "a wildcard follows real time; systemd leaves one of the two hours out"},
};

/// Shapes that RandomExpressions leaves out.
const std::vector<Difference> kCroniterDifferences{
    {"0 0 */2 * 1", "2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z 2026-03-23T00:00:00Z",
     "a field with a star is not restricted, as crontab(5) has it; croniter takes either"},
    {"0 0 1-31 * 1", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z",
     "a field without a star is restricted, as crontab(5) has it; croniter takes 1-31 for a star"},
    {"0 0 0 * * 3,7", "2026-03-01T00:00:00Z", "2026-03-04T00:00:00Z 2026-03-08T00:00:00Z",
     "7 is Sunday; croniter 1.3.5 drops it from a list where there are six fields"},
    {"0 0 31 FEB 1", "2026-03-01T00:00:00Z", "2027-02-01T00:00:00Z 2027-02-08T00:00:00Z",
     "either is enough, and there are Mondays in February; croniter refuses it"},
    {"*/90 * * * *", "", "a step of 90 goes beyond the last minute",
     "it would be no interval of 90 minutes; croniter takes it for minute 0"},
};

void check_differences(const std::vector<Difference>& differences) {
  for (const Difference& d : differences) {
    CAPTURE(d.expression);
    CAPTURE(d.why);
    if (d.from.empty()) {
      const std::string refusal =
          test::refusal([&] { Schedule::parse(d.expression, std::nullopt); });
      const bool as_said = refusal.find(d.ours) != std::string::npos ||
                           // parse() takes a leading @ for cron
                           d.expression[0] == '@';
      CAPTURE(refusal);
      CHECK(as_said);
    } else {
      const Schedule schedule = Schedule::parse(d.expression, std::nullopt);
      CHECK(test::shown(test::next_times(schedule, test::at(d.from), 2)) == d.ours);
    }
  }
}

/// Where both have times, and no clock changes.
void check_same(const Times& ours, const Times& theirs, const Zone& zone) {
  const bool any = !ours.empty() && !theirs.empty();
  const sys_seconds until = any ? std::min(ours.back(), theirs.back()) : sys_seconds::max();
  CHECK(test::shown(far_from_changes(ours, zone, until)) ==
        test::shown(far_from_changes(theirs, zone, until)));
  if (zone.name() == "UTC") CHECK(ours.size() == theirs.size());
}

/// Whether there is an `a/n`, which makes systemd leave out times: see kSystemdDifferences.
bool has_open_step(const std::string& expression) {
  static const std::regex kOpenStep("(^|[ :,~-])[0-9]+/");
  return std::regex_search(expression, kOpenStep);
}

/// That there are no such dates.
bool is_of_no_day(const std::string& refusal) {
  static const std::regex kNoDay("ha(s|ve) no day|do(es)? not fall on");
  return std::regex_search(refusal, kNoDay);
}

/// What systemd refuses we refuse; what it takes we take, but for dates that never come.
void check_calendars(const std::vector<std::string>& expressions, const std::string& zone,
                     sys_seconds from) {
  constexpr int kTimes = 6;
  std::vector<std::string> asked;
  for (const std::string& expression : expressions)
    asked.push_back(zone == "UTC" ? expression : expression + " " + zone);
  const auto theirs = test::systemd_times(asked, from, kTimes);
  const Zone in_zone = Zone::named(zone);
  int accepted = 0;
  std::vector<std::string> forms;
  std::vector<Times> of_forms;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    CAPTURE(asked[i]);
    CAPTURE(test::shown(from));
    std::optional<Schedule> schedule;
    const std::string refusal =
        test::refusal([&] { schedule = Schedule::calendar(asked[i], Zone::named(zone)); });
    if (!theirs[i] || !schedule) {
      CAPTURE(refusal);
      const bool never = theirs[i] && theirs[i]->empty() && is_of_no_day(refusal);
      CHECK((never || theirs[i].has_value() == schedule.has_value()));
      continue;
    }
    ++accepted;
    const Times ours = test::next_times(*schedule, from, kTimes);
    if (!has_open_step(asked[i])) check_same(ours, *theirs[i], in_zone);
    if (const auto form = schedule->calendar_form(); form.text) {
      forms.push_back(*form.text);
      of_forms.push_back(ours);
    } else {
      CHECK(form.why_not.starts_with("systemd refuses such a list of days before the end"));
    }
  }
  const auto by_form = test::systemd_times(forms, from, kTimes);
  for (std::size_t i = 0; i < forms.size(); ++i) {
    CAPTURE(forms[i]);
    CAPTURE(test::shown(from));
    REQUIRE(by_form[i].has_value());
    check_same(of_forms[i], *by_form[i], in_zone);
    check_same(of_forms[i],
               test::next_times(Schedule::calendar(forms[i], std::nullopt), from, kTimes), in_zone);
  }
  // That the test tests something.
  CHECK(accepted > static_cast<int>(asked.size()) / 2);
}

}  // namespace

TEST_CASE("calendar expressions mean what systemd takes them for") {
  CAPTURE(seed());
  test::RandomExpressions random(seed());
  for (int round = 0; round < 10; ++round) {
    std::vector<std::string> expressions;
    for (int i = 0; i < 300; ++i) expressions.push_back(random.calendar());
    const sys_seconds from =
        test::at("2026-01-01T00:00:00Z") + seconds(random.between(0, 63'000'000));
    check_calendars(expressions, "UTC", from);
  }
}

TEST_CASE("calendar expressions with a time zone mean what systemd takes them for") {
  CAPTURE(seed());
  test::RandomExpressions random(seed() + 1);
  for (const std::string zone :
       {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"}) {
    std::vector<std::string> expressions;
    for (int i = 0; i < 150; ++i) expressions.push_back(random.calendar());
    const sys_seconds from =
        test::at("2026-01-01T00:00:00Z") + seconds(random.between(0, 63'000'000));
    check_calendars(expressions, zone, from);
  }
}

TEST_CASE(
    "cron expressions mean what croniter takes them for, and in their calendar form systemd") {
  constexpr int kTimes = 5;
  CAPTURE(seed());
  test::RandomExpressions random(seed() + 2);
  const sys_seconds from =
      test::at("2026-01-01T00:00:00Z") + seconds(random.between(0, 63'000'000));
  std::vector<std::string> expressions, calendars;
  std::vector<Times> ours, with_calendar;
  while (expressions.size() < 3000) {
    const std::string cron = random.cron();
    const std::string refusal = test::refusal([&] {
      const Schedule schedule = Schedule::cron(cron, Zone::utc());
      expressions.push_back(cron);
      ours.push_back(test::next_times(schedule, from, kTimes));
      if (const auto form = schedule.calendar_form(); form.text) {
        calendars.push_back(*form.text);
        with_calendar.push_back(ours.back());
      } else {
        CHECK_FALSE(form.why_not.empty());
      }
    });
    CAPTURE(cron);
    CAPTURE(refusal);
    CHECK((refusal == "accepted" || is_of_no_day(refusal)));
  }
  CAPTURE(test::shown(from));
  const auto by_croniter = test::croniter_times(expressions, from, kTimes);
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    CAPTURE(expressions[i]);
    CHECK((by_croniter[i] ? test::shown(*by_croniter[i]) : "refused") == test::shown(ours[i]));
  }
  const auto by_systemd = test::systemd_times(calendars, from, kTimes);
  for (std::size_t i = 0; i < calendars.size(); ++i) {
    CAPTURE(calendars[i]);
    CHECK((by_systemd[i] ? test::shown(*by_systemd[i]) : "refused") ==
          test::shown(with_calendar[i]));
  }
  CHECK(calendars.size() > 1500);
}

TEST_CASE("where we differ from systemd, on purpose") { check_differences(kSystemdDifferences); }

TEST_CASE("where we differ from croniter, on purpose") { check_differences(kCroniterDifferences); }
