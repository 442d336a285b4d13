#include "job/job_file.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "base/error.hpp"
#include "support/script_directory.hpp"

using namespace moonshift;

namespace {

struct JobFile {
  explicit JobFile(const std::string& text) : path(directory.path() / "try.toml") {
    std::ofstream(path) << text;
  }

  job::Job read() const { return job::read_job(path); }

  std::string refusal() const {
    try {
      job::check_job(read(), task::Catalog());
    } catch (const base::ConfigError& error) {
      std::string text = error.what();
      if (text.starts_with(path.string())) text = text.substr(path.string().size());
      return text;
    }
    return "accepted";
  }

  test::ScriptDirectory directory;
  std::filesystem::path path;
};

}  // namespace

TEST_CASE("a job file is read whole") {
  const job::Job job = JobFile(R"(
description = "Nightly"
cron = "30 2 * * *"
timezone = "Europe/Berlin"
url = "redis://host"
timeout = "2h"
max_failures = 5
catch_up = true
jitter = "10m"
overlap = "queue"
retries = 3
retry_delay = "5m"
lease = "1m"
[budget]
batch_time = "1ms"
[[step]]
script = "bullmq/clean"
engine = "server"
limit = 500
rate = 2.5
params = { keep = 3, older_than = "1d" }
[verify]
checks = ["memory", { check = "clients", params = { warn = 0.5 } }]
)")
                           .read();
  CHECK(job.name == "try");
  REQUIRE(job.schedule.has_value());
  CHECK(job.schedule->describe() == "at 02:30 every day, Europe/Berlin");
  CHECK(job.timeout == std::chrono::hours(2));
  CHECK(job.batch_time == std::chrono::milliseconds(1));
  CHECK(job.max_failures == 5);
  CHECK(job.catch_up);
  CHECK(job.jitter == std::chrono::minutes(10));
  CHECK(job.overlap == job::Overlap::kQueue);
  CHECK(job.retries == 3);
  CHECK(job.retry_delay == std::chrono::minutes(5));
  CHECK(job.lease == std::chrono::minutes(1));
  REQUIRE(job.steps.size() == 1);
  CHECK(job.steps[0].engine == task::EngineChoice::kServer);
  CHECK(job.steps[0].limit == 500);
  CHECK(job.steps[0].rate == 2.5);
  CHECK(job.steps[0].params.at("keep") == lua::Value(3.0));
  REQUIRE(job.checks.size() == 2);
  CHECK(job.checks[0].script == "checks/memory");
  CHECK(job.checks[1].params.at("warn") == lua::Value(0.5));
}

TEST_CASE("what is wrong in a job file is told at its line and column") {
  struct Case {
    std::string text;
    std::string refusal;
  };
  for (const Case& c : {
           Case{"descripton = 'x'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:1: unknown key 'descripton' in a job (did you mean description?)"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nparms = {}",
                ":3:1: unknown key 'parms' in [[step]] (did you mean params?)"},
           Case{"timeout = 7\n[[step]]\nscript = 'bullmq/clean'",
                ":1:11: timeout must be text in quotes"},
           Case{"timeout = '7'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:11: timeout: '7' is not a duration"},
           Case{"cron = 'at night'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:8: cron 'at night', column 9: this has 2 fields: write five"},
           Case{"cron = '0 0 31 2 *'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:8: cron '0 0 31 2 *', column 5: February has no day 31"},
           Case{"calendar = '25:00'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:12: calendar '25:00', column 1: 25 is no hour: write 0 to 23"},
           Case{"every = 'often'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:9: 'often' is not a duration"},
           Case{"every = '6h'\ncalendar = 'daily'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:9: give calendar or every, not both"},
           Case{"timezone = 'Europe/Berln'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:12: there is no time zone 'Europe/Berln' (did you mean Europe/Berlin"},
           Case{"cron = '1 2 3 4 5'\ncalendar = 'daily'\n[[step]]\nscript = 'bullmq/clean'",
                ":2:12: give cron or calendar, not both"},
           Case{"[[step]]\n", ":1:1: [[step]] needs 'script'"},
           Case{"[[step]]\nscript = 'bullmq/claen'",
                ":2:10: there is no script 'bullmq/claen' (did you mean bullmq/clean"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nparams = { older = '7d' }",
                ":3:10: bullmq/clean: there is no parameter 'older'"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nparams = { older_than = 7 }",
                ":3:10: bullmq/clean: parameter 'older_than' (duration)"},
           Case{"[[step]]\nscript = 'checks/memory'",
                ":2:10: scripts/checks/memory.lua is no task but a check"},
           Case{"[verify]\nchecks = ['bullmq/clean']",
                ":2:11: scripts/bullmq/clean.lua is no check but a task"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nengine = 'remote'",
                ":3:10: engine must be auto, local or server"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nlimit = 0",
                ":3:9: limit must be a whole number above 0"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nrate = 'slow'",
                ":3:8: rate must be a number above 0"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nrate = nan",
                ":3:8: rate must be a number above 0"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nrate = inf",
                ":3:8: rate must be a number above 0"},
           Case{"[[step]]\nscript = 'bullmq/clean'\nrate = -0.5",
                ":3:8: rate must be a number above 0"},
           Case{"timeout = '0s'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:11: timeout must be above 0"},
           Case{"url = 'redis:/secret@host'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:7: url: bad Redis URL: it must start with redis://"},
           Case{"url = 'redis://:secret@host:99999'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:7: url: bad Redis URL: the port must be a number"},
           Case{"url = 'redis://:secret@${HOST'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:7: url: a '${' has no '}'"},
           Case{"url = 'redis://:secret@${}'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:7: url: a '${...}' must hold the name of an environment variable"},
           Case{"url = '${HOST/secret:${PORT}'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:7: url: a '${...}' must hold the name of an environment variable"},
           Case{"url = '${SCHEME}://${Host_2}'\n[[step]]\nscript = 'bullmq/clean'", "accepted"},
           Case{"max_failures = 0\n[[step]]\nscript = 'bullmq/clean'",
                ":1:16: max_failures must be a whole number above 0"},
           Case{"[budget]\nbatch_time = '0s'\n[[step]]\nscript = 'bullmq/clean'",
                ":2:14: batch_time must be above 0"},
           Case{"catch_up = 'yes'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:12: catch_up must be true or false"},
           Case{"overlap = 'wait'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:11: overlap must be skip, queue or allow, not 'wait'"},
           Case{"overlap = 'allow'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:11: with overlap = \"allow\" write lease = false"},
           Case{"lease = 30\n[[step]]\nscript = 'bullmq/clean'",
                ":1:9: lease must be true, false, or how long it lasts"},
           Case{"lease = '10ms'\n[[step]]\nscript = 'bullmq/clean'",
                ":1:9: lease must be 1s at least"},
           Case{"retries = -1\n[[step]]\nscript = 'bullmq/clean'",
                ":1:11: retries must be a whole number above 0"},
           Case{"step = 3", ":1:8: steps are written [[step]]"},
           Case{"description = 'nothing to do'", ":1:1: the job has neither"},
           Case{"description = 'open", ":1:20: "},
       }) {
    CAPTURE(c.text);
    const std::string refusal = JobFile(c.text).refusal();
    CAPTURE(refusal);
    CHECK(refusal.starts_with(c.refusal));
    CHECK(refusal.find("secret") == std::string::npos);
  }
}

TEST_CASE("a run takes a lease unless the job says no") {
  const std::string step = "[[step]]\nscript = 'bullmq/clean'";
  CHECK(JobFile(step).read().lease == std::chrono::seconds(30));
  CHECK(JobFile("lease = true\n" + step).read().lease == std::chrono::seconds(30));
  CHECK_FALSE(JobFile("lease = false\n" + step).read().lease);
  CHECK(JobFile("lease = false\noverlap = 'allow'\n" + step).read().overlap ==
        job::Overlap::kAllow);
}

TEST_CASE("a job is found by name, an unknown one is refused with those there are") {
  const JobFile file("[[step]]\nscript = 'bullmq/clean'");
  CHECK(job::find_job("try", file.directory.path()) == file.path);
  CHECK(job::find_job(file.path.string(), "/nowhere") == file.path);
  CHECK_THROWS_AS(job::find_job("tyr", file.directory.path()), base::ConfigError);
  CHECK_THROWS_AS(job::find_job("try", "/nowhere"), base::ConfigError);
}

TEST_CASE("jobs are regular files, or links to them, whose names begin with no dot") {
  const JobFile file("[[step]]\nscript = 'bullmq/clean'");
  const std::filesystem::path directory = file.directory.path();
  std::filesystem::create_symlink(file.path, directory / "link.toml");
  std::filesystem::create_symlink("me@host.1234:5", directory / ".#try.toml");
  std::filesystem::create_symlink("loop.toml", directory / "loop.toml");
  std::filesystem::create_directory(directory / "directory.toml");
  REQUIRE(::mkfifo((directory / "fifo.toml").c_str(), 0600) == 0);
  std::ofstream(directory / "...toml") << "";
  std::ofstream(directory / ".hidden.toml") << "";
  CHECK(job::job_files(directory) ==
        std::vector<std::filesystem::path>{directory / "link.toml", file.path});
}

TEST_CASE("a URL takes its parts from the environment, and says which part is missing") {
  ::setenv("MOONSHIFT_TEST_HOST", "redis.example", 1);
  CHECK(job::expand_environment("redis://${MOONSHIFT_TEST_HOST}:1/${MOONSHIFT_TEST_HOST}") ==
        "redis://redis.example:1/redis.example");
  ::unsetenv("MOONSHIFT_TEST_HOST");
  CHECK_THROWS_AS(job::expand_environment("${MOONSHIFT_TEST_HOST}"), base::ConfigError);
}
