#include "service/daemon.hpp"

#include <fmt/format.h>

#include <fstream>

#include "service/retry.hpp"
#include "service/simulation.hpp"
#include "support/script_directory.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using test::Simulation;

namespace {

const std::string kBerlin = "timezone = 'Europe/Berlin'\n";

/// One of each kind, in a zone whose clocks change.
void add_jobs_of_every_kind(Simulation& host, const std::string& more = "") {
  host.add_job("nightly", "cron = '30 2 * * *'\n" + kBerlin + more);
  host.add_job("calendar", "calendar = 'Mon..Fri *-*-* 02:15:00'\n" + kBerlin + more);
  host.add_job("hourly", "cron = '5 * * * *'\n" + kBerlin + more);
  host.add_job("interval", "every = '6h'\n" + more);
}

/// Runs of jobs whose Redis may be gone.
std::function<Simulation::Course(const service::Run&)> needs_redis(const Simulation& host) {
  return [&host](const service::Run& run) {
    const int otherwise = run.may_wait ? service::kAwaitsRedis : 3;
    return Simulation::Course{.takes = 1s, .exit_code = host.redis_is_there ? 0 : otherwise};
  };
}

std::string counts(const Simulation& host) {
  std::string text;
  for (const char* job : {"nightly", "calendar", "hourly", "interval"})
    text += (text.empty() ? "" : " ") + std::to_string(host.count(job));
  return text;
}

}  // namespace

TEST_CASE("a year: a fixed time once a day over both clock changes, the others by real time") {
  Simulation host("2026-01-01T00:00:00Z");
  add_jobs_of_every_kind(host);
  host.run_until("2027-01-01T00:00:00Z");
  // 261 weekdays; the hours of the year; an interval has a time at the very start of the next year,
  // but the daemon is stopped by then.
  CHECK(counts(host) == "365 261 8760 1459");
}

TEST_CASE("in the nights when clocks change") {
  Simulation spring("2026-03-28T12:00:00Z");
  add_jobs_of_every_kind(spring);
  spring.run_until("2026-03-29T05:00:00Z");
  CHECK(spring.starts("nightly") == "2026-03-29T01:00:00Z");  // right after the gap
  Simulation autumn("2026-10-24T12:00:00Z");
  add_jobs_of_every_kind(autumn);
  autumn.run_until("2026-10-25T05:00:00Z");
  CHECK(autumn.starts("nightly") == "2026-10-25T00:30:00Z");  // the first of both
  CHECK(autumn.count("hourly") == 17);
}

TEST_CASE("a clock that is set, in 24 hours that would have 1 nightly, 1 calendar, 24, 3") {
  struct Case {
    std::string when;
    base::Duration by;
    std::string counts;
    std::string with_catch_up;
  };
  // In Berlin it is an hour later than in UTC.
  for (const Case& c : {
           // Over 02:15 and 02:30: they run right after it. The hourly 02:05 is left out, but the
           // clock shows 00:00 and 00:05 of the next day before 24 hours are over.
           Case{"2026-02-10T01:01:00Z", 1h, "1 1 24 4", "1 1 25 4"},
           // 02:15 and 02:30 have been, and come again: they do not run again. 02:05 does.
           Case{"2026-02-10T01:45:00Z", -1h, "1 1 24 3", "1 1 24 3"},
           // By a day, it was wrong before: all goes on from the new time. What was jumped over is
           // made up for once, if it is to be.
           Case{"2026-02-10T00:30:00Z", 24h, "1 1 24 3", "2 2 25 4"},
           Case{"2026-02-10T12:30:00Z", -24h, "1 1 24 3", "1 1 24 3"},
       }) {
    CAPTURE(c.when);
    CAPTURE(c.by.count());
    for (const bool catch_up : {false, true}) {
      CAPTURE(catch_up);
      Simulation host("2026-02-10T00:00:00Z");
      add_jobs_of_every_kind(host, catch_up ? "catch_up = true" : "");
      host.at(c.when, [&] { host.set_clock(c.by); });
      host.run_until("2026-02-11T00:00:00Z");
      CHECK(counts(host) == (catch_up ? c.with_catch_up : c.counts));
    }
  }
}

TEST_CASE("after a clock was set back by a day, its days come again") {
  Simulation host("2026-02-10T00:00:00Z");
  add_jobs_of_every_kind(host);
  host.at("2026-02-10T12:30:00Z", [&] { host.set_clock(-24h); });
  host.run_until("2026-02-12T00:00:00Z");
  CHECK(host.starts("nightly") == "2026-02-10T01:30:00Z 2026-02-10T01:30:00Z");
}

TEST_CASE("a clock that was years ahead while the daemon did not run does not stop the jobs") {
  Simulation host("2036-02-10T00:00:00Z");
  add_jobs_of_every_kind(host);
  host.run_until("2036-02-11T00:00:00Z");
  host.set_clock(-24h * 3653);
  host.run_until("2036-02-12T00:00:00Z");
  CHECK(counts(host) == "2 1 48 6");
}

TEST_CASE("a clock that is set by a few seconds starts nothing twice and leaves nothing out") {
  Simulation host("2026-02-10T00:00:00Z");
  add_jobs_of_every_kind(host);
  for (int hour = 0; hour < 24; ++hour) {
    const std::string at = fmt::format("2026-02-10T{:02}:05:02Z", hour);
    host.at(at, [&host, hour] { host.set_clock(hour % 2 == 0 ? -20s : 20s); });
  }
  host.run_until("2026-02-11T00:00:00Z");
  CHECK(counts(host) == "1 1 24 3");
}

TEST_CASE("a host that slept over three times runs the job once if it is to catch up") {
  for (const bool catch_up : {false, true}) {
    CAPTURE(catch_up);
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("hourly",
                 std::string("cron = '5 * * * *'\n") + (catch_up ? "catch_up = true" : ""));
    host.at("2026-02-10T00:50:00Z", [&] { host.sleep(3h); });
    host.run_until("2026-02-10T05:00:00Z");
    CHECK(host.starts("hourly") ==
          (catch_up ? "2026-02-10T00:05:00Z 2026-02-10T03:50:00Z 2026-02-10T04:05:00Z"
                    : "2026-02-10T00:05:00Z 2026-02-10T04:05:00Z"));
  }
}

TEST_CASE("a host that wakes within a minute of a time is not late") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("hourly", "cron = '5 * * * *'");
  host.at("2026-02-10T00:50:00Z", [&] { host.sleep(2h + 15min + 30s); });
  host.run_until("2026-02-10T04:00:00Z");
  CHECK(host.starts("hourly") == "2026-02-10T00:05:00Z 2026-02-10T03:05:30Z");
}

TEST_CASE("a host restarted in the middle of a job: it is run again if it may be") {
  for (const std::string more : {"", "catch_up = true", "retries = 1"}) {
    CAPTURE(more);
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("long", "cron = '0 1 * * *'\n" + more);
    host.course = [](const auto&) { return Simulation::Course{.takes = 1h}; };
    host.run_until("2026-02-10T01:30:00Z", true);
    CHECK(host.state.at("long").running);
    host.sleep(10min);
    host.run_until("2026-02-10T05:00:00Z");
    CHECK(host.count("long") == (more.empty() ? 1 : 2));
    CHECK(host.state.at("long").exit_code == (more.empty() ? service::kCutOff : 0));
    CHECK_FALSE(host.state.at("long").running);
  }
}

TEST_CASE("what waited for its turn when the daemon ended is run by the next one") {
  for (const bool crash : {false, true}) {
    CAPTURE(crash);
    Simulation host("2026-02-10T00:00:00Z");
    host.max_parallel = 1;
    host.add_job("a", "cron = '0 1 * * *'\ncatch_up = true");
    host.add_job("b", "cron = '0 1 * * *'\ncatch_up = true");
    host.course = [](const auto&) { return Simulation::Course{.takes = 1h}; };
    host.run_until("2026-02-10T01:30:00Z", crash);
    CHECK(host.count("b") == 0);
    host.run_until("2026-02-10T05:00:00Z");
    CHECK(host.count("b") == 1);
    CHECK(host.state.at("b").scheduled == base::parse_time("2026-02-10T01:00:00Z"));
    CHECK_FALSE(host.state.at("b").owed);
  }
}

TEST_CASE("a run that was stopped with the daemon goes on with the next one if it may") {
  for (const std::string more : {"", "catch_up = true", "retries = 1"}) {
    CAPTURE(more);
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("long", "cron = '0 1 * * *'\n" + more);
    host.course = [](const auto&) { return Simulation::Course{.takes = 1h}; };
    host.run_until("2026-02-10T01:30:00Z");
    CHECK(host.state.at("long").exit_code == 4);
    host.run_until("2026-02-10T05:00:00Z");
    CHECK(host.count("long") == (more.empty() ? 1 : 2));
    host.run_until("2026-02-10T09:00:00Z");
    CHECK(host.count("long") == (more.empty() ? 1 : 2));
  }
}

TEST_CASE("a retry that is to come survives the daemon, and counts on") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("fails", "cron = '0 1 * * *'\nretries = 3\nretry_delay = '10m'");
  host.course = [](const auto&) { return Simulation::Course{.exit_code = 1}; };
  host.run_until("2026-02-10T01:05:00Z");
  CHECK(host.count("fails") == 1);
  host.run_until("2026-02-10T23:00:00Z");
  CHECK(host.count("fails") == 4);
  CHECK_FALSE(host.state.at("fails").owed);
}

TEST_CASE("several missed times are one run, for the latest of them") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("nightly", "cron = '0 1 * * *'\ncatch_up = true");
  host.run_until("2026-02-10T02:00:00Z");
  host.sleep(72h);
  host.run_until("2026-02-13T03:00:00Z");
  CHECK(host.count("nightly") == 2);
  CHECK(host.state.at("nightly").scheduled == base::parse_time("2026-02-13T01:00:00Z"));
}

TEST_CASE("times that pass while a run waits make it the run for the latest of them") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("often", "every = '10m'\noverlap = 'queue'");
  host.course = [](const auto&) { return Simulation::Course{.takes = 35min}; };
  host.run_until("2026-02-10T00:50:00Z");
  CHECK(host.starts("often") == "2026-02-10T00:10:00Z 2026-02-10T00:45:00Z");
  CHECK(host.state.at("often").scheduled == base::parse_time("2026-02-10T00:40:00Z"));
}

TEST_CASE("other times than before, while no daemon ran, say nothing of what has passed") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("a", "cron = '0 1 1 1 *'\ncatch_up = true");
  host.run_until("2026-02-10T02:00:00Z");
  host.sleep(48h);
  host.add_job("a", "cron = '0 1 * * *'\ncatch_up = true");
  host.run_until("2026-02-12T03:00:00Z");
  CHECK(host.count("a") == 0);
  host.run_until("2026-02-13T02:00:00Z");
  CHECK(host.count("a") == 1);
}

TEST_CASE("a clock that was set back while no daemon ran: what follows real time goes on at once") {
  Simulation host("2026-02-10T00:00:00Z");
  add_jobs_of_every_kind(host);
  host.run_until("2026-02-10T02:00:00Z");
  host.set_clock(-2h);
  const std::size_t before = host.count("hourly");
  host.run_until("2026-02-10T04:00:00Z");  // the clock shows 02:00
  CHECK(host.count("hourly") == before + 2);
  CHECK(host.count("nightly") == 1);
}

TEST_CASE("a run that was killed when the daemon stopped has left its lease, too") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("nightly", "cron = '0 1 * * *'\ncatch_up = true\nlease = '30s'");
  host.course = [](const auto&) { return Simulation::Course{.takes = 1h}; };
  host.never_stops = true;
  host.run_until("2026-02-10T01:30:00Z");
  CHECK(host.state.at("nightly").exit_code == 128 + 9);
  host.course = [&](const auto&) {
    return Simulation::Course{.takes = 1s, .exit_code = host.count("nightly") == 1 ? 6 : 0};
  };
  host.run_until("2026-02-10T05:00:00Z");
  CHECK(host.count("nightly") == 3);
  CHECK(host.state.at("nightly").exit_code == 0);
}

TEST_CASE(
    "a killed run's lease is waited for after its Redis was, and by the daemon after the next") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("nightly", "cron = '0 1 * * *'\ncatch_up = true\nlease = '30s'");
  host.course = [](const auto&) { return Simulation::Course{.takes = 1h}; };
  host.run_until("2026-02-10T01:30:00Z", true);
  host.course = [&](const service::Run&) {
    const std::size_t n = host.count("nightly");
    return Simulation::Course{.takes = 1s,
                              .exit_code = n == 1   ? service::kAwaitsRedis
                                           : n == 2 ? 6
                                                    : 0};
  };
  host.run_until("2026-02-10T01:30:20Z");
  CHECK(host.count("nightly") == 3);
  host.run_until("2026-02-10T05:00:00Z");
  CHECK(host.count("nightly") == 4);
  CHECK(host.state.at("nightly").exit_code == 0);
}

TEST_CASE("a run that takes its host down with it is not run again for ever") {
  for (const auto& [more, runs] : std::vector<std::pair<std::string, std::size_t>>{
           {"", 1}, {"catch_up = true", 2}, {"retries = 3", 4}}) {
    CAPTURE(more);
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("bad", "cron = '0 1 * * *'\n" + more);
    host.course = [](const auto&) { return Simulation::Course{.takes = 1h}; };
    for (int minute = 1; minute < 10; ++minute)
      host.run_until(fmt::format("2026-02-10T01:0{}:00Z", minute), true);
    CHECK(host.count("bad") == runs);
  }
}

TEST_CASE("a job that is away for a while, and back, still owes its run") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("fails", "cron = '0 1 * * *'\nretries = 3\nretry_delay = '10m'");
  host.course = [](const auto&) { return Simulation::Course{.exit_code = 1}; };
  host.at("2026-02-10T01:05:00Z", [&] { host.hide_jobs(true); });
  host.at("2026-02-10T01:06:00Z", [&] { host.hide_jobs(false); });
  host.run_until("2026-02-10T23:00:00Z");
  CHECK(host.count("fails") == 4);
}

TEST_CASE("a run that fails while another one waits for Redis is one with it") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("often", "every = '10m'\noverlap = 'allow'\nlease = false\nretries = 1");
  host.course = [&](const auto&) {
    return host.count("often") == 0
               ? Simulation::Course{.takes = 15min, .exit_code = 1}
               : Simulation::Course{.takes = 5min + 30s, .exit_code = service::kAwaitsRedis};
  };
  host.redis_is_there = false;
  host.run_until("2026-02-10T00:29:00Z");
  CHECK(host.count("often") == 2);
}

TEST_CASE("a job that has no retries waits for the lease of its killed run, too") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("often", "every = '10s'\nlease = '30s'");
  host.course = [&](const auto&) {
    const int exit_code = host.count("often") == 0 ? 128 + 9 : host.count("often") == 1 ? 6 : 0;
    return Simulation::Course{.takes = 1s, .exit_code = exit_code};
  };
  host.run_until("2026-02-10T00:01:05Z");
  CHECK(host.starts("often") ==
        "2026-02-10T00:00:10Z 2026-02-10T00:00:20Z 2026-02-10T00:00:52Z 2026-02-10T00:01:00Z");
}

TEST_CASE("the lease that a killed run left behind is waited for, once") {
  for (const bool another_host_runs_it : {false, true}) {
    CAPTURE(another_host_runs_it);
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("nightly", "cron = '0 1 * * *'\ncatch_up = true");
    host.course = [](const auto&) { return Simulation::Course{.takes = 1h}; };
    host.run_until("2026-02-10T01:30:00Z", true);
    host.course = [&](const auto&) {
      const bool held = host.count("nightly") == 1 || another_host_runs_it;
      return Simulation::Course{.takes = 1s, .exit_code = held ? 6 : 0};
    };
    host.run_until("2026-02-10T05:00:00Z");
    CHECK(host.starts("nightly") ==
          "2026-02-10T01:00:00Z 2026-02-10T01:30:00Z 2026-02-10T01:30:32Z");
    CHECK(host.state.at("nightly").exit_code == (another_host_runs_it ? 6 : 0));
  }
}

TEST_CASE("a time that passed while no daemon ran is made up for once, by catch_up alone") {
  for (const bool catch_up : {false, true}) {
    Simulation host("2026-02-10T00:00:00Z");
    add_jobs_of_every_kind(host, catch_up ? "catch_up = true" : "");
    host.run_until("2026-02-10T00:01:00Z");
    host.sleep(72h);
    host.run_until("2026-02-13T00:04:00Z");
    CHECK(counts(host) == (catch_up ? "1 1 1 1" : "0 0 0 0"));
  }
}

TEST_CASE("overlap: the next time is passed over, or waits, or does not care") {
  for (const auto& [overlap, starts] :
       std::vector<std::pair<std::string, std::string>>{{"skip", "00:10 00:40"},
                                                        {"queue", "00:10 00:35 01:00"},
                                                        {"allow", "00:10 00:20 00:30"}}) {
    CAPTURE(overlap);
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("often", "every = '10m'\noverlap = '" + overlap + "'\nlease = false");
    host.course = [](const auto&) { return Simulation::Course{.takes = 25min}; };
    host.run_until("2026-02-10T01:05:00Z");
    std::string begun = host.starts("often"), expected;
    for (std::size_t i = 0; i < starts.size(); i += 6)
      expected += (i == 0 ? "" : " ") + ("2026-02-10T" + starts.substr(i, 5)) + ":00Z";
    CHECK(begun.substr(0, expected.size()) == expected);
  }
}

TEST_CASE("no more jobs run at once than may, in the order in which they were due") {
  Simulation host("2026-02-10T00:00:00Z");
  for (const char* name : {"d", "c", "b", "a"}) host.add_job(name, "cron = '5 0 * * *'");
  host.max_parallel = 2;
  host.course = [](const auto&) { return Simulation::Course{.takes = 3min}; };
  host.run_until("2026-02-10T01:00:00Z");
  CHECK(host.most_at_once == 2);
  CHECK(host.starts("a") == "2026-02-10T00:05:00Z");
  CHECK(host.starts("d") == "2026-02-10T00:08:00Z");
}

TEST_CASE("a failed run is tried again, later each time; one that will never do is not") {
  struct Case {
    int exit_code;
    std::size_t runs;
  };
  for (const Case& c :
       {Case{1, 4}, Case{5, 4}, Case{128 + 9, 4}, Case{0, 1}, Case{2, 1}, Case{6, 1}}) {
    CAPTURE(c.exit_code);
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("nightly", "cron = '0 1 * * *'\nretries = 3\nretry_delay = '10m'");
    host.course = [&](const auto&) { return Simulation::Course{.exit_code = c.exit_code}; };
    host.run_until("2026-02-10T23:00:00Z");
    CHECK(host.count("nightly") == c.runs);
  }
}

TEST_CASE("the delay of retries doubles up to an hour, and comes later by a quarter at most") {
  job::Job job;
  job.name = "nightly";
  job.retry_delay = 10min;
  for (const auto& [attempt, least] : std::vector<std::pair<int, base::Duration>>{
           {1, 10min}, {2, 20min}, {3, 40min}, {4, 60min}, {60, 60min}}) {
    CAPTURE(attempt);
    const auto delay = service::retry_delay(job, "web1", attempt);
    CHECK(delay >= least);
    CHECK(delay <= least * 5 / 4);
    CHECK(delay == service::retry_delay(job, "web1", attempt));
  }
}

TEST_CASE("jitter moves a job by the same time every day, and each host and job by another") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("nightly", "cron = '0 1 * * *'\njitter = '1h'");
  host.run_until("2026-02-13T00:00:00Z");
  const auto delay = service::derived_delay("web1", "nightly", 1h);
  CHECK(delay > 0s);
  CHECK(delay <= 1h);
  std::string expected;
  for (int day = 10; day < 13; ++day) {
    const auto time = base::parse_time(fmt::format("2026-02-{}T01:00:00Z", day)) +
                      std::chrono::ceil<std::chrono::milliseconds>(delay);
    expected += (day == 10 ? "" : " ") + base::format_time(time).substr(0, 19) + "Z";
  }
  CHECK(host.starts("nightly") == expected);
  CHECK(delay != service::derived_delay("web2", "nightly", 1h));
  CHECK(delay != service::derived_delay("web1", "weekly", 1h));
}

TEST_CASE("while Redis is gone its jobs wait for it together, as long as each may") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("a", "cron = '0 1 * * *'\nurl = 'redis://one'\ntimeout = '2h'");
  host.add_job("b", "cron = '10 1 * * *'\nurl = 'redis://one'\ntimeout = '2h'");
  host.add_job("short", "cron = '10 1 * * *'\nurl = 'redis://one'\ntimeout = '5m'");
  host.course = needs_redis(host);
  host.redis_is_there = false;
  host.at("2026-02-10T01:30:00Z", [&] { host.redis_is_there = true; });
  host.run_until("2026-02-10T03:00:00Z");
  // The first met it; the others did not even begin until it was back.
  CHECK(host.starts("a") == "2026-02-10T01:00:00Z 2026-02-10T01:30:00Z");
  CHECK(host.starts("b") == "2026-02-10T01:30:00Z");
  // One that waited in vain is begun all the same: it fails, and tells of it.
  CHECK(host.starts("short") == "2026-02-10T01:15:00Z");
  CHECK(host.state.at("short").exit_code == 3);
  CHECK(host.watched == std::vector<std::set<std::string>>{{"redis://one"}, {}});
}

TEST_CASE("a Redis that is back before anybody asks for it is no failure") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("a", "cron = '0 1 * * *'");
  host.redis_is_there = false;
  host.at("2026-02-10T01:00:00Z", [&] { host.redis_is_there = true; });
  host.course = [&](const service::Run&) {
    const bool first = host.count("a") == 0;
    return Simulation::Course{.takes = 1s, .exit_code = first ? service::kAwaitsRedis : 0};
  };
  host.run_until("2026-02-10T03:00:00Z");
  CHECK(host.count("a") == 2);
  CHECK(host.state.at("a").exit_code == 0);
}

TEST_CASE("a job goes on waiting for its Redis when the daemon is started again") {
  for (const bool met_it_itself : {true, false}) {
    Simulation host("2026-02-10T00:00:00Z");
    host.add_job("a", "cron = '0 1 * * *'\nurl = 'redis://one'");
    if (!met_it_itself) host.add_job("first", "cron = '50 0 * * *'\nurl = 'redis://one'");
    host.course = needs_redis(host);
    host.redis_is_there = false;
    host.run_until("2026-02-10T01:10:00Z");
    host.redis_is_there = true;
    host.run_until("2026-02-10T03:00:00Z");
    CHECK(host.starts("a").ends_with("2026-02-10T01:10:00Z"));
    CHECK(host.state.at("a").exit_code == 0);
    CHECK(host.state.at("a").scheduled == base::parse_time("2026-02-10T01:00:00Z"));
  }
}

TEST_CASE("a Redis that is there but cannot be used is the run's own failure") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("a", "cron = '0 1 * * *'\nretries = 1\nretry_delay = '10m'");
  host.course = [&](const auto&) { return Simulation::Course{.takes = 1s, .exit_code = 3}; };
  host.run_until("2026-02-10T03:00:00Z");
  CHECK(host.count("a") == 2);
}

TEST_CASE("it ends when the runs have ended, and starts nothing any more") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("a", "every = '1m'");
  host.course = [&](const auto&) { return Simulation::Course{.takes = 2h}; };
  host.run_until("2026-02-10T00:30:00Z");
  CHECK(host.count("a") == 1);
  CHECK(host.now().wall == base::parse_time("2026-02-10T00:30:01Z"));
  CHECK(host.state.at("a").exit_code == 4);
}

TEST_CASE("it tells the service manager what comes next") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("nightly", "cron = '0 3 * * *'");
  host.run_until("2026-02-10T00:30:00Z");
  REQUIRE(host.told.size() > 2);
  CHECK(host.told[0] == "READY=1");
  CHECK(host.told[1] == "STATUS=next: nightly in 3h");
  CHECK(host.told.back() == "STOPPING=1");
}

TEST_CASE("a job whose times are changed goes on from now") {
  Simulation host("2026-02-10T00:00:00Z");
  host.add_job("a", "cron = '0 3 * * *'\ncatch_up = true");
  host.run_until("2026-02-10T02:00:00Z");
  host.add_job("a", "cron = '0 1 * * *'");
  host.run_until("2026-02-10T23:00:00Z");
  CHECK(host.count("a") == 0);
}

TEST_CASE("a broken job file leaves the job as it was; one that is gone takes it along") {
  const test::ScriptDirectory directory;
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(directory.path() / name) << text << "\n[[step]]\nscript = 'bullmq/clean'\n";
  };
  service::JobDirectory jobs(directory.path(), directory.path() / "copies", job::read_job);
  const auto listed = [&] {
    std::string text;
    for (const job::Job& job : jobs.load()) text += job.name + " " + job.description + ";";
    return text;
  };
  write("a.toml", "description = 'old'");
  write("b.toml", "nonsense");
  CHECK(listed() == "a old;");
  write("a.toml", "description = 3");
  CHECK(listed() == "a old;");
  CHECK(job::read_job(jobs.load()[0].path).description == "old");
  write("a.toml", "description = 'new'");
  write("b.toml", "");
  CHECK(listed() == "a new;b ;");
  std::filesystem::remove(directory.path() / "a.toml");
  CHECK(listed() == "b ;");
}

TEST_CASE("what cannot be read, or written, leaves the jobs as they were") {
  const test::ScriptDirectory directory;
  const auto schedules = directory.path() / "schedules";
  std::filesystem::create_directories(schedules);
  const auto write = [&](const std::string& text) {
    std::ofstream(schedules / "a.toml") << text << "\n[[step]]\nscript = 'bullmq/clean'\n";
  };
  write("");
  const auto copies = directory.path() / "copies";
  service::JobDirectory jobs(schedules, copies, job::read_job);
  const auto path = [&] {
    const auto list = jobs.load();
    REQUIRE(list.size() == 1);
    return list[0].path;
  };
  CHECK(path() == copies / "a.toml");
  CHECK(std::filesystem::status(copies).permissions() == std::filesystem::perms::owner_all);
  std::filesystem::create_directories(schedules / "directory.toml");
  CHECK(path() == copies / "a.toml");
  // Where no copy can be made, runs read the file.
  std::filesystem::remove_all(copies);
  std::ofstream(copies) << "in the way";
  CHECK(path() == schedules / "a.toml");
  std::filesystem::remove_all(schedules);
  CHECK(path() == schedules / "a.toml");
}
