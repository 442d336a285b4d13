#include "schedule/schedule.hpp"

#include <cstdlib>

#include "schedule/times.hpp"

using namespace moonshift;
using schedule::Schedule;
using schedule::Zone;
using namespace std::chrono_literals;

TEST_CASE("an interval is counted from a fixed Monday, whatever the zone") {
  struct Case {
    std::string every, words, calendar, next;
  };
  for (const Case& c : {
           Case{"6h", "every 6 hours, counted from midnight UTC", "*-*-* 00/6:00:00 UTC",
                "2026-03-01T06:00:00Z 2026-03-01T12:00:00Z"},
           Case{"every 90m", "every 90 minutes, counted from midnight UTC", "",
                "2026-03-01T01:30:00Z 2026-03-01T03:00:00Z"},
           Case{"1d", "every day, counted from midnight UTC", "*-*-* 00:00:00 UTC",
                "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z"},
           Case{"1w", "every week, counted from Monday 1970-01-05 00:00 UTC",
                "Mon *-*-* 00:00:00 UTC", "2026-03-02T00:00:00Z 2026-03-09T00:00:00Z"},
           Case{"5h", "every 5 hours, counted from Monday 1970-01-05 00:00 UTC", "",
                "2026-03-01T04:00:00Z 2026-03-01T09:00:00Z"},
           Case{"1h", "every hour, counted from midnight UTC", "*-*-* *:00:00 UTC",
                "2026-03-01T01:00:00Z 2026-03-01T02:00:00Z"},
           Case{"60s", "every minute, counted from midnight UTC", "*-*-* *:*:00 UTC",
                "2026-03-01T00:01:00Z 2026-03-01T00:02:00Z"},
           Case{"20s", "every 20 seconds, counted from midnight UTC", "*-*-* *:*:00/20 UTC",
                "2026-03-01T00:00:20Z 2026-03-01T00:00:40Z"},
       }) {
    CAPTURE(c.every);
    const Schedule schedule = Schedule::every(c.every, Zone::named("Europe/Berlin"));
    CHECK(schedule.describe() == c.words);
    CHECK(schedule.calendar_form().text.value_or("") == c.calendar);
    CHECK(test::shown(test::next_times(schedule, test::at("2026-03-01T00:00:00Z"), 2)) == c.next);
  }
  for (const std::string wrong : {"0s", "1500ms", "500us", "6", "often"})
    CHECK(test::refusal([&] { Schedule::every(wrong, Zone::utc()); }) != "accepted");
}

TEST_CASE("the forms of an expression are told apart") {
  using Kind = Schedule::Kind;
  struct Case {
    std::string text;
    Kind kind;
  };
  for (const Case& c :
       {Case{"30 2 * * *", Kind::kCron}, Case{"0 30 2 * * *", Kind::kCron},
        Case{"@daily", Kind::kCron}, Case{"daily", Kind::kCalendar},
        Case{"Mon..Fri *-*-* 02:30 Europe/Berlin", Kind::kCalendar}, Case{"02:30", Kind::kCalendar},
        Case{"2026-03-01", Kind::kCalendar}, Case{"*-*-* *:*", Kind::kCalendar},
        Case{"6h", Kind::kEvery}, Case{"1h30m", Kind::kEvery}, Case{"every 6h", Kind::kEvery},
        Case{"Every 6h", Kind::kEvery}}) {
    CAPTURE(c.text);
    CHECK(Schedule::parse(c.text, std::nullopt).kind() == c.kind);
  }
  struct Refused {
    std::string text, why;
  };
  for (const Refused& c :
       {Refused{"", "'' is no expression. Write cron"}, Refused{"5", "'5' may mean much"},
        Refused{"30 2 * *", "cron '30 2 * *', column 9: this has 4 fields"},
        Refused{"Mon Tue Wed 10:00 UTC", "'Mon Tue Wed 10:00 UTC' is no expression"},
        Refused{"at noon", "calendar 'at noon', column 4: there is no time zone 'noon'"}}) {
    CAPTURE(c.text);
    const std::string refusal = test::refusal([&] { Schedule::parse(c.text, Zone::utc()); });
    CAPTURE(refusal);
    CHECK(refusal.starts_with(c.why));
  }
}

TEST_CASE("what is due is after the given time, to the millisecond") {
  const Schedule schedule = Schedule::cron("30 2 * * *", Zone::utc());
  const base::UnixTime due = test::at("2026-03-01T02:30:00Z");
  CHECK(schedule.next(due - 1ms) == due);
  CHECK(schedule.next(due) == due + 24h);
  CHECK(schedule.next(due + 1ms) == due + 24h);
}

TEST_CASE("there are times from 1970 to 2199, and asking beyond is no error") {
  const Schedule daily = Schedule::cron("@daily", Zone::named("Asia/Tokyo"));
  CHECK(daily.next(base::UnixTime::min()).has_value());
  CHECK_FALSE(daily.next(base::UnixTime::max()).has_value());
  CHECK_FALSE(Schedule::every("6h", Zone::utc()).next(base::UnixTime::max()).has_value());
  CHECK(
      test::times_between(daily, test::at("2199-12-29T00:00:00Z"), test::at("2201-01-01T00:00:00Z"))
          .size() == 2);
}

TEST_CASE("the rarest expressions are answered at once") {
  const auto from = test::at("2026-03-01T00:00:00Z");
  for (const std::string zone : {"UTC", "Europe/Berlin", "Africa/Casablanca"}) {
    for (const std::string text :
         {"Mon *-02-29", "Mon *-02-29 0/23:59:59", "2199-12-31 23:59:59", "*-*-* *:*:*",
          "1970-01-01 00:00", "2196-02-29 *:59:59", "*-02-29 *:59:59"}) {
      CAPTURE(zone);
      CAPTURE(text);
      const Schedule schedule = Schedule::calendar(text, Zone::named(zone));
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < 1000; ++i) schedule.next(from);
      const auto each = (std::chrono::steady_clock::now() - begin) / 1000;
      // Microseconds; the rest is for a busy machine and for sanitizers.
      CHECK(each < 2ms);
    }
  }
  CHECK(test::shown(test::next_times(Schedule::calendar("Mon *-02-29", Zone::utc()), from, 2)) ==
        "2044-02-29T00:00:00Z 2072-02-29T00:00:00Z");
}

TEST_CASE("a time zone is an IANA name; an unknown one is answered by the nearest") {
  CHECK(Zone::named("UTC").name() == "UTC");
  const auto refusal = [](const std::string& name) {
    return test::refusal([&] { Zone::named(name); });
  };
  CHECK(refusal("Europe/Berln")
            .starts_with("there is no time zone 'Europe/Berln' (did you mean Europe/Berlin"));
  CHECK(refusal("europe/berlin") ==
        "there is no time zone 'europe/berlin' (did you mean Europe/Berlin?); it is an IANA name, "
        "such as Europe/Berlin");
  CHECK(refusal("../../etc/passwd").starts_with("there is no time zone"));
}

TEST_CASE("this host's time zone is that of $TZ") {
  const char* before = std::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TZ", "Asia/Tokyo", 1);
  CHECK(Schedule::parse("daily", std::nullopt).zone().name() == "Asia/Tokyo");
  ::setenv("TZ", ":Europe/Berlin", 1);
  CHECK(Zone::local().name() == "Europe/Berlin");
  ::setenv("TZ", "", 1);
  CHECK(Zone::local().name() == "UTC");
  ::setenv("TZ", "Nowhere", 1);
  CHECK(test::refusal([] { Zone::local(); }).starts_with("the environment variable TZ: "));
  ::unsetenv("TZ");
  CHECK(test::refusal([] { Zone::local(); }) == "accepted");
  if (before != nullptr) ::setenv("TZ", kept.c_str(), 1);
}
