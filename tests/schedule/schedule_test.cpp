#include "schedule/schedule.hpp"

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "schedule/calendar.hpp"
#include "schedule/cron.hpp"
#include "schedule/local_time.hpp"
#include "schedule/random_expression.hpp"
#include "schedule/times.hpp"
#include "schedule/words.hpp"
#include "schedule/words_reader.hpp"

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

TEST_CASE("the last time is the one before the next") {
  const Zone berlin = Zone::named("Europe/Berlin");
  for (const std::string text : {"30 2 * * *", "* * * * * *", "*/7 * * * *", "0 0 29 2 *", "6h",
                                 "Mon..Fri 02:30", "0 3 31 * *"}) {
    CAPTURE(text);
    const Schedule schedule = Schedule::parse(text, berlin);
    auto time = schedule.next(test::at("2024-02-28T12:00:00Z"));
    for (int i = 0; i < 40; ++i) {
      const auto following = schedule.next(*time);
      REQUIRE(following.has_value());
      CHECK(schedule.last(*time) == time);
      CHECK(schedule.last(*following - 1ms) == time);
      time = following;
    }
  }
  CHECK_FALSE(Schedule::parse("2050-01-01", berlin).last(test::at("2026-01-01T00:00:00Z")));
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

TEST_CASE("a file of the time zones that is none of them is refused") {
  const auto refusal = [](const std::string& name) {
    return test::refusal([&] { Zone::named(name); });
  };
  CHECK(refusal("localtime")
            .starts_with("there is no time zone 'localtime' (did you mean this host's, "));
  for (const std::string file : {"posixrules", "Factory", "posix/Europe/Berlin", "right/UTC",
                                 "zone.tab", "leapseconds", "tzdata.zi", "Europe", ""}) {
    CAPTURE(file);
    CHECK(refusal(file).starts_with("there is no time zone '" + file + "'"));
  }
  CHECK(test::refusal([] {
          Schedule::calendar("daily localtime", std::nullopt);
        }).find("there is no time zone 'localtime'") != std::string::npos);
}

namespace {

/// $TZ while this lives.
class TimeZoneVariable {
 public:
  TimeZoneVariable() {
    if (const char* before = std::getenv("TZ")) before_ = before;
  }
  ~TimeZoneVariable() { before_ ? set(*before_) : unset(); }

  void set(const std::string& value) {
    ::setenv("TZ", value.c_str(), 1);
    ::tzset();
  }
  void unset() {
    ::unsetenv("TZ");
    ::tzset();
  }

 private:
  std::optional<std::string> before_;
};

/// What is removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "moonshift-zones-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("this host's time zone is that of $TZ, as tzset(3) reads it") {
  const TemporaryDirectory directory;
  const std::string link = directory.path() / "localtime", zones = directory.path() / "zones";
  std::filesystem::create_symlink("/usr/share/zoneinfo/Asia/Seoul", link);
  std::filesystem::create_directory_symlink("/usr/share/zoneinfo/Europe", zones);
  TimeZoneVariable variable;
  variable.unset();
  const std::string host = Zone::local().name();
  struct Case {
    std::string variable, name;
  };
  for (const Case& c :
       {Case{"Asia/Tokyo", "Asia/Tokyo"}, Case{":Europe/Berlin", "Europe/Berlin"}, Case{"", "UTC"},
        Case{":", "UTC"}, Case{"UTC0", "UTC"}, Case{"utc", "UTC"}, Case{"UTC", "UTC"},
        Case{"GMT0", "UTC"}, Case{"<UTC>-00:00", "UTC"}, Case{"JST-9", "JST-9"},
        Case{"/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"},
        Case{":/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"},
        Case{"right/Asia/Tokyo", "Asia/Tokyo"}, Case{link, "Asia/Seoul"},
        Case{":" + zones + "/Berlin", "Europe/Berlin"}, Case{":/etc/localtime", host},
        Case{"/etc/localtime", host}, Case{"localtime", host}}) {
    CAPTURE(c.variable);
    variable.set(c.variable);
    CHECK(Zone::local().name() == c.name);
    CHECK(Zone::local().doubt() == "");
    CHECK(Schedule::parse("daily", std::nullopt).zone().name() == c.name);
  }
}

TEST_CASE("a $TZ that cannot be read is UTC, with a doubt, and no schedule fails because of it") {
  TimeZoneVariable variable;
  for (const std::string wrong :
       {"Nowhere", "Nowhere/Land", "Factory", "/nowhere", "../../../etc/passwd", "CET-1CEST", "A0",
        "CET-30", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5.0/200,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x",
        "CET-1CEST,M3.5.0", "\xff\n0"}) {
    CAPTURE(wrong);
    variable.set(wrong);
    const Schedule daily = Schedule::parse("daily", std::nullopt);
    CHECK(daily.describe() == "at 00:00 every day, UTC");
    CHECK(daily.zone().doubt().starts_with("the environment variable TZ: there is no time zone '"));
    const Schedule own = Schedule::parse("daily", Zone::named("Asia/Tokyo"));
    CHECK(own.zone().doubt() == "");
    CHECK(own.calendar_form().text == "*-*-* 00:00:00 Asia/Tokyo");
  }
  variable.set("europe/berlin");
  CHECK(Zone::local().doubt() ==
        "the environment variable TZ: there is no time zone 'europe/berlin' (did you mean "
        "Europe/Berlin?); UTC is taken for it");
}

TEST_CASE(
    "a $TZ that is a POSIX rule shows what the C library shows, and systemd has no such zone") {
  using namespace std::chrono;
  TimeZoneVariable variable;
  for (const std::string rule :
       {"CET-1CEST,M3.5.0,M10.5.0/3", ":EST5EDT,M3.2.0,M11.1.0", "JST-9", "<+0545>-5:45",
        "<-03>3<-02>,M3.5.0/-1,M10.5.0/0", "AEST-10AEDT,M10.1.0,M4.1.0/3", "XYZ24",
        "ABC-1DEF-1:30,M12.1.0/100,M6.2.3"}) {
    CAPTURE(rule);
    variable.set(rule);
    const Zone zone = Zone::local();
    CHECK(zone.doubt() == "");
    std::string differing;
    for (sys_seconds time = sys_days(2026y / 1 / 1);
         time < sys_days(2028y / 2 / 1) && differing.empty(); time += 30min) {
      const std::time_t count = time.time_since_epoch().count();
      std::tm shown{};
      ::localtime_r(&count, &shown);
      const Zone::Period period = zone.period(time);
      if (period.offset != seconds(shown.tm_gmtoff) || period.abbreviation != shown.tm_zone ||
          time < period.begin || time >= period.end)
        differing = test::shown(time);
    }
    CHECK(differing == "");
    const auto form = Schedule::parse("daily", std::nullopt).calendar_form();
    CHECK_FALSE(form.text.has_value());
    CHECK(form.why_not.starts_with("systemd has no time zone '" + zone.name() + "'"));
    CHECK(Schedule::parse("1h", std::nullopt).calendar_form().text == "*-*-* *:00:00 UTC");
  }
}

TEST_CASE("a POSIX rule whose changes all fall into the next year has a period for each time") {
  TimeZoneVariable variable;
  variable.set("ABC-1DEF,M12.5.0/160,M12.5.1/167");
  const Zone zone = Zone::local();
  for (const std::string text : {"2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"}) {
    const auto time = test::at(text);
    const Zone::Period period = zone.period(time);
    CHECK(period.begin <= time);
    CHECK(time < period.end);
  }
}

TEST_CASE("an interval's error is an interval's") {
  for (const std::string text : {"1h ", "  1h", " every\t1h "}) {
    CAPTURE(text);
    CHECK(Schedule::parse(text, Zone::utc()).describe() == "every hour, counted from midnight UTC");
  }
  struct Refused {
    std::string text, why;
  };
  const std::string form =
      ": an interval is a number and a unit of w d h m s, as in 90m, 6h, 1h30m";
  for (const Refused& c :
       {Refused{"5M", "'5M' is not a duration (did you mean 5m?)" + form},
        Refused{" every 1H 30m", "'1H 30m' is not a duration (did you mean 1h30m?)" + form},
        Refused{"5x", "'5x' is not a duration" + form},
        Refused{"every 5 minutes on Monday", "'5 minutes on Monday' is not a duration" + form},
        Refused{"every", "'' is not a duration" + form},
        Refused{"3000000w", "'3000000w' is too long: an interval is at most 1000 years"},
        Refused{"0.5s", "every '0.5s': an interval is one second or more, and whole seconds"}}) {
    CAPTURE(c.text);
    const std::string refusal = test::refusal([&] { Schedule::parse(c.text, Zone::utc()); });
    CHECK(refusal == c.why);
    CHECK(test::refusal([&] { Schedule::every(c.text, Zone::utc()); }) == c.why);
  }
}

TEST_CASE("a time may be of a zone's clocks, have an offset, or be a date alone") {
  const Zone berlin = Zone::named("Europe/Berlin");
  struct Case {
    std::string text, utc;
  };
  for (const Case& c : {Case{"2026-12-31", "2026-12-30T23:00:00.000Z"},
                        Case{"2026-12-31T10:00", "2026-12-31T09:00:00.000Z"},
                        Case{"2026-12-31 10:00:05", "2026-12-31T09:00:05.000Z"},
                        Case{"2026-07-31T10:00:05.25", "2026-07-31T08:00:05.250Z"},
                        Case{"2026-12-31T10:00:00+05:30", "2026-12-31T04:30:00.000Z"},
                        Case{"2026-12-31T10:00-05:30", "2026-12-31T15:30:00.000Z"},
                        Case{"2026-12-31T10:00Z", "2026-12-31T10:00:00.000Z"},
                        Case{"2026-12-31T10:00:00.5Z", "2026-12-31T10:00:00.500Z"},
                        Case{"1767225600000", "2026-01-01T00:00:00.000Z"},
                        // Twice, and never.
                        Case{"2026-10-25T02:30", "2026-10-25T00:30:00.000Z"},
                        Case{"2026-03-29T02:30", "2026-03-29T01:00:00.000Z"}}) {
    CAPTURE(c.text);
    CHECK(base::format_time(schedule::parse_time(c.text, berlin)) == c.utc);
  }
  for (const std::string wrong :
       {"", "yesterday", "2026-02-30", "2026-13-01", "2026-1-1", "-026-01-01", "2026-12-31T",
        "2026-12-31T24:00", "2026-12-31T10", "2026-12-31T10:60", "2026-12-31T10:00:",
        "2026-12-31T10:00:60+00:00", "2026-12-31T10:00:00.", "2026-12-31T10:00:00.-5",
        "2026-12-31T10:00+5", "2026-12-31T10:00+05:30Z", "2026-12-31T10:00 ", "2026-12-31Z"}) {
    CAPTURE(wrong);
    CHECK(test::refusal([&] { schedule::parse_time(wrong, berlin); }) ==
          "'" + wrong +
              "' is not a time: write 2026-11-01T02:30:00Z, 2026-11-01T02:30+01:00, "
              "2026-11-01T02:30 or 2026-11-01 as the clocks of Europe/Berlin show it, or "
              "milliseconds since 1970");
  }
}

namespace {

test::Values times_of(const schedule::Pattern& pattern) {
  test::Values times;
  for (const int hour : pattern.hours.values()) {
    for (const int minute : pattern.minutes.values()) {
      for (const int second : pattern.seconds.values())
        times.insert(times.end(), hour * 3600 + minute * 60 + second);
    }
  }
  return times;
}

/// The first day of a leap year for which the words say something else; nothing if there is none.
std::string differing_day(const test::Said& said, const schedule::Pattern& pattern) {
  using namespace std::chrono;
  for (local_days day = local_days(2028y / 1 / 1); day < local_days(2029y / 1 / 1);
       day += days(1)) {
    const year_month_day date(day);
    const bool on =
        pattern.years.contains(int{date.year()}) &&
        pattern.months.contains(static_cast<int>(static_cast<unsigned>(date.month()))) &&
        pattern.matches(date);
    if (said.on(date) != on) return test::shown(sys_seconds(day.time_since_epoch()));
  }
  return "";
}

void check_words(const schedule::Pattern& pattern) {
  const std::string words = schedule::describe(pattern);
  CAPTURE(words);
  test::Said said;
  REQUIRE(test::refusal([&] { said = test::WordsReader(words).read(); }) == "accepted");
  const bool same_times = said.times == times_of(pattern);
  CHECK(same_times);
  CHECK(differing_day(said, pattern) == "");
  CHECK(said.any_day == (pattern.days.full() && pattern.weekdays.full()));
  const std::vector<int> years = pattern.years.values();
  CHECK(said.years.has_value() != pattern.years.full());
  if (said.years) CHECK(*said.years == test::Values(years.begin(), years.end()));
}

}  // namespace

TEST_CASE("whoever reads the words alone knows all the times, and no others") {
  constexpr std::uint32_t kSeed = 20260302;
  CAPTURE(kSeed);
  test::RandomExpressions random(kSeed);
  int checked = 0;
  for (int i = 0; i < 2500; ++i) {
    const bool cron = i % 2 == 0;
    const std::string text = cron ? random.cron() : random.calendar();
    CAPTURE(text);
    schedule::Pattern pattern;
    const std::string refusal = test::refusal([&] {
      pattern = cron ? schedule::parse_cron(text) : schedule::parse_calendar(text).pattern;
    });
    if (refusal != "accepted") continue;
    check_words(pattern);
    ++checked;
  }
  CHECK(checked > 2000);
}
