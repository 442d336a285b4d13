#include "schedule/cron.hpp"

#include "schedule/times.hpp"

using namespace moonshift;
using schedule::Schedule;
using schedule::Zone;

namespace {

std::string cron_refusal(const std::string& text) {
  return test::refusal([&] { Schedule::cron(text, Zone::utc()); });
}

}  // namespace

TEST_CASE("cron expressions: when they fire, and in words") {
  struct Case {
    std::string cron, words, next;
  };
  // From Sunday 2026-03-01 00:00 UTC.
  for (const Case& c : {
           Case{"30 2 * * *", "at 02:30 every day", "2026-03-01T02:30:00Z 2026-03-02T02:30:00Z"},
           Case{"* * * * *", "every minute", "2026-03-01T00:01:00Z 2026-03-01T00:02:00Z"},
           Case{"*/15 * * * *", "every 15 minutes", "2026-03-01T00:15:00Z 2026-03-01T00:30:00Z"},
           Case{"7/20 * * * *", "every hour at minutes 7, 27 and 47",
                "2026-03-01T00:07:00Z 2026-03-01T00:27:00Z"},
           Case{"30 * * * *", "every hour at minute 30",
                "2026-03-01T00:30:00Z 2026-03-01T01:30:00Z"},
           Case{"0 */6 * * *", "every 6 hours", "2026-03-01T06:00:00Z 2026-03-01T12:00:00Z"},
           Case{"*/5 9-17 * * MON-FRI", "every 5 minutes from 09:00 to 17:55 on Monday to Friday",
                "2026-03-02T09:00:00Z 2026-03-02T09:05:00Z"},
           Case{"15 9-17 * * *", "every hour from 09:15 to 17:15",
                "2026-03-01T09:15:00Z 2026-03-01T10:15:00Z"},
           Case{"0 0 1 JAN,jul *", "at 00:00 on day 1 of January and July",
                "2026-07-01T00:00:00Z 2027-01-01T00:00:00Z"},
           Case{"0 0 L * *", "at 00:00 on the last day of every month",
                "2026-03-31T00:00:00Z 2026-04-30T00:00:00Z"},
           Case{"0 0 15,L 2 *", "at 00:00 on day 15 and the last day of February",
                "2027-02-15T00:00:00Z 2027-02-28T00:00:00Z"},
           Case{"0 0 * * 0", "at 00:00 on Sunday", "2026-03-08T00:00:00Z 2026-03-15T00:00:00Z"},
           Case{"0 0 * * 7", "at 00:00 on Sunday", "2026-03-08T00:00:00Z 2026-03-15T00:00:00Z"},
           Case{"0 0 * * 5-7", "at 00:00 on Friday to Sunday",
                "2026-03-06T00:00:00Z 2026-03-07T00:00:00Z"},
           Case{"0 0 * * FRI-SUN", "at 00:00 on Friday to Sunday",
                "2026-03-06T00:00:00Z 2026-03-07T00:00:00Z"},
           Case{"0 0 13 * 5", "at 00:00 on Friday or on day 13 of every month",
                "2026-03-06T00:00:00Z 2026-03-13T00:00:00Z"},
           Case{"0 0 10 * 5", "at 00:00 on Friday or on day 10 of every month",
                "2026-03-06T00:00:00Z 2026-03-10T00:00:00Z"},
           // A star in one of the two, even with a step: both must hold.
           Case{"0 0 */16 * 5", "at 00:00 on Friday that is among days 1 and 17 of every month",
                "2026-04-17T00:00:00Z 2026-05-01T00:00:00Z"},
           Case{"0 0 1-31 * 5", "at 00:00 every day", "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z"},
           Case{"15 30 2 * * *", "at 02:30:15 every day",
                "2026-03-01T02:30:15Z 2026-03-02T02:30:15Z"},
           Case{"*/20 * * * * *", "every 20 seconds", "2026-03-01T00:00:20Z 2026-03-01T00:00:40Z"},
           Case{"3 0 4 * * *", "at 04:00:03 every day",
                "2026-03-01T04:00:03Z 2026-03-02T04:00:03Z"},
           Case{"30 2 * * * *", "every hour at second 30 of minute 2",
                "2026-03-01T00:02:30Z 2026-03-01T01:02:30Z"},
           Case{"10 5,6,7,8 * * * *", "every hour at second 10 of minutes 5 to 8",
                "2026-03-01T00:05:10Z 2026-03-01T00:06:10Z"},
           Case{"30 2 * * * 1", "every hour at second 30 of minute 2 on Monday",
                "2026-03-02T00:02:30Z 2026-03-02T01:02:30Z"},
           Case{"*/30 2 * * * *", "every 30 seconds of minute 2 of every hour",
                "2026-03-01T00:02:00Z 2026-03-01T00:02:30Z"},
           Case{"*/30 */5 * * * *", "every 30 seconds of every 5th minute",
                "2026-03-01T00:00:30Z 2026-03-01T00:05:00Z"},
           Case{"5 * 2,4 * * *", "every minute at second 5 of hours 2 and 4",
                "2026-03-01T02:00:05Z 2026-03-01T02:01:05Z"},
           Case{"7,20 1-9/2 * * *", "at minutes 7 and 20 of hours 1, 3, 5, 7 and 9 every day",
                "2026-03-01T01:07:00Z 2026-03-01T01:20:00Z"},
           Case{"0 0 29 2 *", "at 00:00 on day 29 of February",
                "2028-02-29T00:00:00Z 2032-02-29T00:00:00Z"},
           Case{"@hourly", "every hour", "2026-03-01T01:00:00Z 2026-03-01T02:00:00Z"},
           Case{"@Daily", "at 00:00 every day", "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z"},
           Case{"@midnight", "at 00:00 every day", "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z"},
           Case{"@weekly", "at 00:00 on Sunday", "2026-03-08T00:00:00Z 2026-03-15T00:00:00Z"},
           Case{"@monthly", "at 00:00 on day 1 of every month",
                "2026-04-01T00:00:00Z 2026-05-01T00:00:00Z"},
           Case{"@yearly", "at 00:00 on day 1 of January",
                "2027-01-01T00:00:00Z 2028-01-01T00:00:00Z"},
           Case{"  30   2 * *\t* ", "at 02:30 every day",
                "2026-03-01T02:30:00Z 2026-03-02T02:30:00Z"},
       }) {
    CAPTURE(c.cron);
    const Schedule schedule = Schedule::cron(c.cron, Zone::utc());
    CHECK(schedule.describe() == c.words + ", UTC");
    CHECK(test::shown(test::next_times(schedule, test::at("2026-03-01T00:00:00Z"), 2)) == c.next);
  }
}

TEST_CASE("what is wrong in a cron expression is told with its column and with what is allowed") {
  struct Case {
    std::string cron, refusal;
  };
  for (const Case& c : {
           Case{"", "column 1: this has 0 fields"},
           Case{"every day", "column 10: this has 2 fields: write five"},
           Case{"1 2 3 4 5 6 7", "column 13: this has 7 fields"},
           Case{"60 * * * *", "column 1: 60 is no minute: write 0 to 59"},
           Case{"0 24 * * *", "column 3: 24 is no hour: write 0 to 23"},
           Case{"0 0 0 * *", "column 5: 0 is no day of the month: write 1 to 31 or L for the last"},
           Case{"0 0 * 13 *", "column 7: 13 is no month: write 1 to 12 or JAN to DEC"},
           Case{"0 0 * * 8", "column 9: 8 is no weekday: write 0 to 7 or SUN to SAT"},
           Case{"0 0 * FOO *", "column 7: 'FOO' is no month"},
           Case{"0 0 * * MONDAY", "column 9: 'MONDAY' is no weekday"},
           Case{"0 1, * * *", "column 5: nothing is no hour"},
           Case{"0 ,1 * * *", "column 3: ',1' is no hour"},
           Case{"0 1- * * *", "column 5: nothing is no hour"},
           Case{"0 22-2 * * *", "column 6: the range 22-2 runs backwards: write two ranges"},
           Case{"*/0 * * * *", "column 3: after / comes a step of 1 or more"},
           Case{"*/ * * * *", "column 3: after / comes a step of 1 or more"},
           Case{"*/90 * * * *",
                "column 3: a step of 90 goes beyond the last minute (0 to 59); an "
                "interval is written every"},
           Case{"0 0 * * */7", "column 11: a step of 7 goes beyond the last weekday"},
           Case{"0x5 * * * *", "column 2: what is 'x5'?"},
           Case{"0 0 L-3 * *", "column 5: L stands alone"},
           Case{"0 0 * * 5L", "column 10: cron has no such day; use a calendar expression"},
           Case{"0 0 * * 5#2", "column 10: cron has no such day"},
           Case{"0 0 ? * *", "column 5: '?' is no day of the month: write *"},
           Case{"9999999 * * * *", "column 1: 9999999 is too large"},
           Case{"0 0 31 2 *", "column 5: February has no day 31"},
           Case{"0 0 31 2,4,6,9,11 *",
                "column 5: February, April, June, September and November have no day 31"},
           Case{"0 0 30,31 2 *", "column 5: February has no days 30 and 31"},
           Case{"@dayly", "column 1: there is no @dayly (did you mean @daily?)"},
           Case{"@daily 5", "column 8: @daily stands alone"},
           Case{"@reboot", "column 1: @reboot names no time"},
           Case{"@every 6h", "column 1: an interval is written every = \"6h\""},
       }) {
    CAPTURE(c.cron);
    const std::string refusal = cron_refusal(c.cron);
    CAPTURE(refusal);
    CHECK(refusal.starts_with("cron '" + c.cron + "', " + c.refusal));
  }
  // With a weekday there are such days.
  CHECK(cron_refusal("0 0 31 2 1") == "accepted");
}
