#include "schedule/calendar.hpp"

#include "schedule/times.hpp"

using namespace moonshift;
using schedule::Schedule;
using schedule::Zone;

TEST_CASE("calendar expressions: when they fire, in words, and in their normal form") {
  struct Case {
    std::string calendar, words, normal, next;
  };
  // From Sunday 2026-03-01 00:00 UTC.
  for (const Case& c : {
           Case{"*-*-* 02:30:00", "at 02:30 every day", "*-*-* 02:30:00",
                "2026-03-01T02:30:00Z 2026-03-02T02:30:00Z"},
           Case{"02:30", "at 02:30 every day", "*-*-* 02:30:00",
                "2026-03-01T02:30:00Z 2026-03-02T02:30:00Z"},
           Case{"*-*-* 02:00/15", "at 02:00, 02:15, 02:30 and 02:45 every day", "*-*-* 02:00/15:00",
                "2026-03-01T02:00:00Z 2026-03-01T02:15:00Z"},
           Case{"Mon..Fri", "at 00:00 on Monday to Friday", "Mon..Fri *-*-* 00:00:00",
                "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z"},
           Case{"sat,MONDAY 5:0", "at 05:00 on Monday and Saturday", "Mon,Sat *-*-* 05:00:00",
                "2026-03-02T05:00:00Z 2026-03-07T05:00:00Z"},
           Case{"Mon,Fri, 10:00", "at 10:00 on Monday and Friday", "Mon,Fri *-*-* 10:00:00",
                "2026-03-02T10:00:00Z 2026-03-06T10:00:00Z"},
           Case{"*-*~01", "at 00:00 on the last day of every month", "*-*~01 00:00:00",
                "2026-03-31T00:00:00Z 2026-04-30T00:00:00Z"},
           Case{"*-02~03", "at 00:00 on the 3rd last day of February", "*-02~03 00:00:00",
                "2027-02-26T00:00:00Z 2028-02-27T00:00:00Z"},
           Case{"Mon *-05~07/1", "at 00:00 on Monday that is among the last 7 days of May",
                "Mon *-05~01..07 00:00:00", "2026-05-25T00:00:00Z 2027-05-31T00:00:00Z"},
           Case{"12,14,13:20,10", "at 12:10, 12:20, 13:10, 13:20, 14:10 and 14:20 every day",
                "*-*-* 12..14:10,20:00", "2026-03-01T12:10:00Z 2026-03-01T12:20:00Z"},
           Case{"*:0/5", "every 5 minutes", "*-*-* *:00/5:00",
                "2026-03-01T00:05:00Z 2026-03-01T00:10:00Z"},
           Case{"0/2:30", "every 2 hours at minute 30", "*-*-* 00/2:30:00",
                "2026-03-01T00:30:00Z 2026-03-01T02:30:00Z"},
           Case{"*:*:0/30", "every 30 seconds", "*-*-* *:*:00,30",
                "2026-03-01T00:00:30Z 2026-03-01T00:01:00Z"},
           Case{"*-*-* *:0/5:30", "every 5 minutes at second 30", "*-*-* *:00/5:30",
                "2026-03-01T00:00:30Z 2026-03-01T00:05:30Z"},
           Case{"26-12-24", "at 00:00 on day 24 of December in 2026", "2026-12-24 00:00:00",
                "2026-12-24T00:00:00Z"},
           Case{"2025-01-01", "at 00:00 on day 1 of January in 2025", "2025-01-01 00:00:00", ""},
           Case{"2026..2030/2-1-1", "at 00:00 on day 1 of January in 2026, 2028 and 2030",
                "2026,2028,2030-01-01 00:00:00", "2028-01-01T00:00:00Z 2030-01-01T00:00:00Z"},
           Case{"minutely", "every minute", "*-*-* *:*:00",
                "2026-03-01T00:01:00Z 2026-03-01T00:02:00Z"},
           Case{"Weekly", "at 00:00 on Monday", "Mon *-*-* 00:00:00",
                "2026-03-02T00:00:00Z 2026-03-09T00:00:00Z"},
           Case{"quarterly", "at 00:00 on day 1 of January, April, July and October",
                "*-01/3-01 00:00:00", "2026-04-01T00:00:00Z 2026-07-01T00:00:00Z"},
           Case{"semiannually", "at 00:00 on day 1 of January and July", "*-01,07-01 00:00:00",
                "2026-07-01T00:00:00Z 2027-01-01T00:00:00Z"},
           Case{"daily utc", "at 00:00 every day", "*-*-* 00:00:00",
                "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z"},
       }) {
    CAPTURE(c.calendar);
    const Schedule schedule = Schedule::calendar(c.calendar, Zone::utc());
    CHECK(schedule.describe() == c.words + ", UTC");
    CHECK(schedule.calendar_form().text == c.normal + " UTC");
    CHECK(test::shown(test::next_times(schedule, test::at("2026-03-01T00:00:00Z"), 2)) == c.next);
  }
}

TEST_CASE("what is wrong in a calendar expression is told with its column and what is allowed") {
  struct Case {
    std::string calendar, refusal;
  };
  for (const Case& c : {
           Case{"", "column 1: it is empty"},
           Case{"dayly", "column 1: what is 'dayly'? (did you mean daily?)"},
           Case{"5", "column 1: '5' is neither a date nor a time"},
           Case{"25:00", "column 1: 25 is no hour: write 0 to 23"},
           Case{"10:60", "column 4: 60 is no minute: write 0 to 59"},
           Case{"10:00:00.5", "column 9: a schedule has whole seconds: leave out the fraction"},
           Case{"10:00:0/0.5", "column 9: after / comes a step of 1 or more"},
           Case{"10:", "column 4: nothing is no minute"},
           Case{"10:00:00:00", "column 9: what is ':00'? A time is HOUR:MINUTE"},
           Case{"*:*/5", "column 4: after * comes no step: write 0/2 for every second minute"},
           Case{"*:0/90", "column 5: a step of 90 from 0 never comes to a second minute"},
           Case{"*:50/30", "column 6: a step of 30 from 50"},
           Case{"*-13-01", "column 3: 13 is no month: write 1 to 12"},
           Case{"*-*-32", "column 5: 32 is no day: write 1 to 31"},
           Case{"*-*~29", "column 5: 29 is no day: write 1 to 28 from the end of the month"},
           Case{"*-*~03..01", "column 5: the range runs backwards"},
           Case{"1800-01-01", "column 1: 1800 is no year: write 1970 to 2199"},
           Case{"*-*-*-*", "column 6: what is '-*'? A date is"},
           Case{"Sat..Mon", "column 6: the range runs backwards, and a week begins on Monday"},
           Case{"Mon..Fri..Sun", "column 9: what is '..Sun'? Weekdays are written Mon..Wed,Fri"},
           Case{"Mon,Foo 10:00", "column 5: 'Foo' is no weekday"},
           Case{"Mon daily", "column 5: daily stands alone"},
           Case{"10:00 *-*-*", "column 7: what is '*-*-*'? A calendar expression is"},
           Case{"daily Europe/Berln",
                "column 7: there is no time zone 'Europe/Berln' (did you mean "
                "Europe/Berlin"},
           Case{"@1700000000", "column 1: a moment that does not come again is no schedule"},
           Case{"*-02-30", "column 1: February has no day 30"},
           Case{"2027-02-29", "column 1: February in 2027 has no day 29"},
           Case{"Mon 2026-01-01", "column 1: day 1 of January in 2026 does not fall on Monday"},
           Case{"Mon,Tue 2026-02~1..2",
                "column 1: the last 2 days of February in 2026 do not fall on Monday or Tuesday"},
       }) {
    CAPTURE(c.calendar);
    const std::string refusal =
        test::refusal([&] { Schedule::calendar(c.calendar, std::nullopt); });
    CAPTURE(refusal);
    CHECK(refusal.starts_with("calendar '" + c.calendar + "', " + c.refusal));
  }
}

TEST_CASE("a calendar's own time zone holds, and must not contradict the given one") {
  const auto tokyo = Zone::named("Asia/Tokyo");
  CHECK(Schedule::calendar("daily Asia/Tokyo", std::nullopt).zone().name() == "Asia/Tokyo");
  CHECK(Schedule::calendar("daily Asia/Tokyo", tokyo).calendar_form().text ==
        "*-*-* 00:00:00 Asia/Tokyo");
  CHECK(test::refusal([&] { Schedule::calendar("daily Europe/Berlin", tokyo); }) ==
        "calendar 'daily Europe/Berlin' names the time zone Europe/Berlin, and the timezone is "
        "Asia/Tokyo: leave out one of them");
}

TEST_CASE("an expression has a calendar form, or a reason why not") {
  struct Case {
    std::string text, form;
  };
  for (const Case& c : {
           Case{"30 2 * * *", "*-*-* 02:30:00 UTC"},
           Case{"*/15 9-17 * * 1-5", "Mon..Fri *-*-* 09..17:00/15:00 UTC"},
           Case{"0 */2 1,15 * *", "*-*-01,15 00/2:00:00 UTC"},
           Case{"0 */12 * * *", "*-*-* 00/12:00:00 UTC"},
           Case{"*/7 * * * *", "*-*-* *:00..56/7:00 UTC"},
           Case{"0 0,12 * * *", "*-*-* 00,12:00:00 UTC"},
           Case{"0 0-22/2 * * *", "*-*-* 00..22/2:00:00 UTC"},
           Case{"0 0 L * *", "*-*~01 00:00:00 UTC"},
           Case{"0 0 * * 0", "Sun *-*-* 00:00:00 UTC"},
           Case{"0 0 */2 * 1", "Mon *-*-01..31/2 00:00:00 UTC"},
           Case{"0 0 13 * 5", "a calendar expression has no 'or'"},
           Case{"0 0 1,L * *", "a calendar expression counts days from the beginning"},
           Case{"*-*~13,28", "systemd refuses such a list"},
       }) {
    CAPTURE(c.text);
    const auto form = Schedule::parse(c.text, Zone::utc()).calendar_form();
    CHECK(form.text.value_or(form.why_not).starts_with(c.form));
    CHECK(form.text.has_value() == form.why_not.empty());
  }
}
