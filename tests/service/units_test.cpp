#include "service/units.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "schedule/oracle.hpp"

namespace moonshift::service {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kChecks = "\n[verify]\nchecks = [\"memory\"]\n";

/// A directory that is gone afterwards, with schedules/ inside.
class Host {
 public:
  Host() {
    std::string path = (fs::temp_directory_path() / "moonshift-units-XXXXXX").string();
    root_ = ::mkdtemp(path.data());
    fs::create_directories(schedules());
  }
  ~Host() { fs::remove_all(root_); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  fs::path schedules() const { return root_ / "schedules"; }
  fs::path output() const { return root_ / "units"; }

  fs::path job(const std::string& name, std::string_view text) const {
    const fs::path path = schedules() / (name + ".toml");
    std::ofstream(path) << text << kChecks;
    return path;
  }

  std::string text(const fs::path& unit) const {
    std::ifstream file(output() / unit);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  WrittenUnits write(bool wanted = false, bool has_url = true) const {
    return write_units({schedules(), output(), wanted, has_url});
  }

 private:
  fs::path root_;
};

bool has(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

const base::UnixTime kNow = base::parse_time("2026-01-01T00:00:00Z");

std::string timer(std::string_view schedule, const std::string& name = "nightly") {
  const Host host;
  return timer_of(job::read_job(host.job(name, schedule)), kNow)->text;
}

/// What follows OnCalendar=, each.
std::vector<std::string> calendars_of(const std::string& timer) {
  std::vector<std::string> calendars;
  std::istringstream lines(timer);
  constexpr std::string_view kSetting = "OnCalendar=";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kSetting)) calendars.push_back(line.substr(kSetting.size()));
  }
  return calendars;
}

/// When a timer elapses, as systemd-analyze has it: those of the `count` first times of each line
/// that lie before `until`, which must be more than there are.
test::Times times_of_timer(const std::string& timer, std::chrono::sys_seconds from,
                           std::chrono::sys_seconds until, int count) {
  std::set<std::chrono::sys_seconds> times;
  for (const auto& line : test::systemd_times(calendars_of(timer), from, count)) {
    REQUIRE(line.has_value());
    for (const auto time : *line) {
      if (time < until) times.insert(time);
    }
  }
  return {times.begin(), times.end()};
}

}  // namespace

TEST_CASE("a job's name becomes a unit's name as systemd-escape writes it, but keeps its dashes") {
  struct Case {
    std::string name, escaped;
  };
  for (const auto& [name, escaped] : std::vector<Case>{{"nightly", "nightly"},
                                                       {"hourly-stalled", "hourly-stalled"},
                                                       {"-x", "\\x2dx"},
                                                       {".hidden", "\\x2ehidden"},
                                                       {"a.b_c:9", "a.b_c:9"},
                                                       {"two words", "two\\x20words"},
                                                       {"100%$HOME", "100\\x25\\x24HOME"},
                                                       {"b\\x2d", "b\\x5cx2d"},
                                                       {"bär", "b\\xc3\\xa4r"}}) {
    CAPTURE(name);
    CHECK(escape_instance(name) == escaped);
    CHECK(unescape_instance(escaped) == name);
  }
  CHECK(unescape_instance("hourly\\x2dstalled") == "hourly-stalled");
  CHECK(unescape_instance("\\x2") == "\\x2");
  CHECK(unescape_instance("\\xzz") == "\\xzz");
}

TEST_CASE("a cron expression becomes OnCalendar with its time zone") {
  const std::string text = timer("cron = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"");
  CHECK(has(text, "OnCalendar=*-*-* 02:30:00 Europe/Berlin"));
  CHECK(has(text, "AccuracySec=1s"));
  CHECK(text.find("Persistent") == std::string::npos);
  CHECK(text.find("RandomizedDelaySec") == std::string::npos);
}

TEST_CASE("catch_up and jitter become Persistent and a fixed random delay") {
  const std::string text =
      timer("cron = \"30 2 * * *\"\ntimezone = \"UTC\"\ncatch_up = true\njitter = \"1h30m\"");
  CHECK(has(text, "Persistent=true"));
  CHECK(has(text, "RandomizedDelaySec=1h30m"));
  CHECK(has(text, "FixedRandomDelay=true"));
}

TEST_CASE(
    "an interval that divides a day has a calendar form; a short other one counts from the last "
    "run") {
  CHECK(timer("every = \"6h\"").find("\nOnCalendar=") != std::string::npos);
  const std::string text = timer("every = \"every 7h\"");
  CHECK(has(text, "OnActiveSec=7h"));
  CHECK(has(text, "OnUnitActiveSec=7h"));
  const std::string caught_up = timer("every = \"7h\"\ncatch_up = true");
  CHECK(has(caught_up, "OnActiveSec=1min"));
  CHECK(caught_up.find("Persistent") == std::string::npos);
}

TEST_CASE("a timer elapses when the schedule says, also where clocks change (systemd-analyze)") {
  using std::chrono::days;
  for (const std::string zone : {"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York",
                                 "Australia/Lord_Howe", "Africa/Casablanca"}) {
    for (const std::string text :
         {"cron = '30 2 * * *'", "cron = '15,45 1-3 * * *'", "cron = '30 * * * *'",
          "cron = '*/20 * * * *'", "cron = '45 */2 * * *'", "calendar = 'Sun *-*-* 02:00/10'",
          "calendar = '*-*-* 00/1:00:05'"}) {
      CAPTURE(zone);
      CAPTURE(text);
      const Host host;
      const auto job = job::read_job(host.job("nightly", text + "\ntimezone = '" + zone + "'"));
      const std::string unit = timer_of(job, kNow)->text;
      auto from = std::chrono::floor<std::chrono::seconds>(kNow);
      for (int changes = 0; changes < 3; ++changes) {
        const auto change = job.schedule->zone().period(from).end;
        if (change > from + days(366)) break;
        from = change - days(1);
        const auto until = change + days(2);
        test::Times expected;
        for (auto time = job.schedule->next(from); time && *time < until;
             time = job.schedule->next(*time))
          expected.push_back(*time);
        auto times = times_of_timer(unit, from, until, 300);
        // Where an hour comes twice that is no end of summer, systemd may take both.
        if (zone == "Africa/Casablanca") {
          test::Times both;
          std::set_intersection(times.begin(), times.end(), expected.begin(), expected.end(),
                                std::back_inserter(both));
          times = both;
        }
        CHECK(test::shown(times) == test::shown(expected));
        from = change;
      }
    }
  }
}

TEST_CASE("an interval elapses when it says, whatever it divides (systemd-analyze)") {
  const auto from = std::chrono::floor<std::chrono::seconds>(kNow) + std::chrono::hours(5);
  for (const std::string every : {"90m", "45m", "6h", "36h", "2d", "2w", "56h", "7d"}) {
    CAPTURE(every);
    const Host host;
    const auto job = job::read_job(host.job("nightly", "every = '" + every + "'\ncatch_up = true"));
    const std::string unit = timer_of(job, kNow)->text;
    CHECK(has(unit, "Persistent=true"));
    const auto until = from + std::chrono::days(29);
    test::Times expected;
    for (auto time = job.schedule->next(from); time && *time < until;
         time = job.schedule->next(*time))
      expected.push_back(*time);
    CHECK(times_of_timer(unit, from, until, 120) == expected);
  }
}

TEST_CASE(
    "timers of jobs that are gone are removed; what others made, and of a broken job, stays") {
  const Host host;
  host.job("gone", "every = '1h'");
  host.job("stays", "every = '1h'");
  host.job("breaks", "every = '1h'");
  host.write();
  std::ofstream(host.output() / "moonshift@mine.timer") << "[Timer]\nOnBootSec=1h\n";
  fs::remove(host.schedules() / "gone.toml");
  host.job("stays", "");
  host.job("breaks", "every = '1 hour and a half'");
  CHECK(host.write().removed ==
        std::vector<std::string>{"moonshift@gone.timer", "moonshift@stays.timer"});
  CHECK(fs::exists(host.output() / "moonshift@mine.timer"));
  CHECK(fs::exists(host.output() / "moonshift@breaks.timer"));
}

TEST_CASE("what a person wrote cannot break a unit") {
  const std::string text =
      timer("cron = \"0 3 * * *\"\ndescription = \"50 % of\\n[Timer]\\tall \\\\\"", "a b%");
  CHECK(has(text, "Description=moonshift job a b%%: 50 %% of [Timer] all "));
  CHECK(text.find("\n[Timer]") == text.rfind("\n[Timer]"));
}

TEST_CASE("a job that is run by hand gets no timer") {
  const Host host;
  CHECK_FALSE(timer_of(job::read_job(host.job("recovery", "")), kNow));
}

TEST_CASE("a name that is too long for systemd is refused") {
  const Host host;
  const auto job = job::read_job(host.job(std::string(236, 'n'), "every = \"1h\""));
  CHECK(timer_of(job, kNow));
  const auto longer = job::read_job(host.job(std::string(240, 'n'), "every = \"1h\""));
  CHECK_THROWS_AS(timer_of(longer, kNow), base::ConfigError);
}

TEST_CASE("what is wrong with one job keeps no other from its timer") {
  const Host host;
  host.job("broken", "cron = \"61 * * * *\"");
  host.job("either", "cron = \"0 3 1 * MON\"");
  host.job("nightly", "cron = \"30 2 * * *\"");
  const auto written = host.write();
  CHECK(written.names == std::vector<std::string>{"moonshift@nightly.timer"});
  REQUIRE(written.errors.size() == 2);
  CHECK(written.errors[0].find("broken.toml:1:8:") != std::string::npos);
  CHECK(written.errors[1].find("either.toml: systemd has no form of '0 3 1 * MON': ") !=
        std::string::npos);
  CHECK(has(host.text("moonshift@nightly.timer"), "WantedBy=timers.target"));
  CHECK_FALSE(fs::exists(host.output() / "timers.target.wants"));
}

TEST_CASE("a generator makes timers.target hold the timers up, also at a daemon-reload") {
  const Host host;
  host.job("nightly", "cron = \"30 2 * * *\"");
  host.job("hourly-stalled", "cron = \"7 * * * *\"");
  host.write(true);
  const std::string upheld = host.text("timers.target.d/moonshift.conf");
  CHECK(has(upheld, "Upholds=moonshift@hourly-stalled.timer"));
  CHECK(has(upheld, "Upholds=moonshift@nightly.timer"));
  const fs::path link = host.output() / "timers.target.wants/moonshift@nightly.timer";
  CHECK(fs::read_symlink(link) == "../moonshift@nightly.timer");
  CHECK(fs::exists(link));
}

TEST_CASE("without a Redis for all, only the jobs that name their own get timers") {
  const Host host;
  host.job("nightly", "cron = \"30 2 * * *\"\nurl = \"${REDIS_URL}\"");
  host.job("own", "cron = \"30 2 * * *\"\nurl = \"redis://cache\"");
  host.job("silent", "cron = \"30 2 * * *\"");
  CHECK(host.write(true, false).names == std::vector<std::string>{"moonshift@own.timer"});
}

}  // namespace moonshift::service
