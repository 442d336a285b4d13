#include "service/last_run.hpp"

#include <fstream>

#include "base/error.hpp"
#include "support/script_directory.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using service::FileLock;
using service::RunRecorder;

namespace {

const base::UnixTime kTime = base::parse_time("2026-02-10T01:00:00Z");

}  // namespace

TEST_CASE("a run leaves behind what became of it") {
  const test::ScriptDirectory directory;
  const auto look = [&] { return service::look_at_last_run(directory.path(), "nightly"); };
  CHECK(look() == service::JobRecord());
  {
    RunRecorder first(directory.path(), "nightly", "", {"run-1", kTime - 1h, kTime});
    CHECK(look().running);
    CHECK(look().scheduled == kTime - 1h);
    CHECK_FALSE(look().exit_code);
    first.ended(0, health::Level::kWarning, kTime + 1min);
  }
  CHECK_FALSE(look().running);
  CHECK(look().exit_code == 0);
  CHECK(look().verdict == health::Level::kWarning);
  RunRecorder second(directory.path(), "nightly", "", {"run-2", kTime, kTime + 2min});
  second.ended(1, {}, kTime + 3min);
  CHECK(look().run_id == "run-2");
  CHECK_FALSE(look().verdict);
  CHECK(look().succeeded == kTime + 1min);
}

TEST_CASE("a run that says no more was cut off when its process is gone") {
  const test::ScriptDirectory directory;
  const auto look = [&] { return service::look_at_last_run(directory.path(), "nightly"); };
  {
    const RunRecorder killed(directory.path(), "nightly", "", {"run-1", kTime, kTime});
    CHECK(look().running);
  }
  CHECK_FALSE(look().running);
  CHECK(look().exit_code == service::kCutOff);
  // Another run of the same job goes on.
  const RunRecorder other(directory.path(), "nightly", "", {"run-2", kTime, kTime});
  CHECK(look().running);
}

TEST_CASE("of one run the daemon knows the signal, and the run its verdict") {
  const test::ScriptDirectory directory;
  const service::StateFile state(directory.path() / service::kStateFile);
  service::JobRecord record;
  record.handled = record.scheduled = kTime;
  record.run_id = "run-1";
  record.started = kTime;
  record.exit_code = 128 + 9;
  state.save({{"nightly", record}});
  RunRecorder(directory.path(), "nightly", "", {"run-1", kTime, kTime + 1s})
      .ended(0, health::Level::kOk, kTime + 2s);
  const auto last = service::look_at_last_run(directory.path(), "nightly");
  CHECK(last.exit_code == 128 + 9);
  CHECK(last.verdict == health::Level::kOk);
  RunRecorder(directory.path(), "nightly", "", {"run-2", kTime, kTime + 1min})
      .ended(5, {}, kTime + 2min);
  CHECK(service::look_at_last_run(directory.path(), "nightly").exit_code == 5);
}

TEST_CASE("an attempt by hand while the daemon ran the job is not its last run") {
  const test::ScriptDirectory directory;
  const service::StateFile state(directory.path() / service::kStateFile);
  service::JobRecord record;
  record.handled = record.scheduled = kTime;
  record.run_id = "run-1";
  record.started = kTime;
  record.running = true;
  const FileLock lock = service::lock_for_daemon(directory.path());
  state.save({{"nightly", record}});
  RunRecorder(directory.path(), "nightly", "", {"run-2", kTime, kTime + 1min})
      .ended(6, {}, kTime + 1min);
  CHECK(service::look_at_last_run(directory.path(), "nightly").running);
  record.running = false;
  record.ended = kTime + 2min;
  record.exit_code = 0;
  state.save({{"nightly", record}});
  CHECK(service::look_at_last_run(directory.path(), "nightly").exit_code == 0);
}

TEST_CASE("a state directory has one daemon") {
  const test::ScriptDirectory directory;
  const auto state = directory.path() / "state";
  {
    const FileLock lock = service::lock_for_daemon(state);
    CHECK_THROWS_AS(service::lock_for_daemon(state), base::ConfigError);
  }
  CHECK_NOTHROW(service::lock_for_daemon(state));
}

TEST_CASE("a run whose state cannot be written runs all the same") {
  const test::ScriptDirectory directory;
  std::ofstream(directory.path() / "runs") << "not a directory";
  RunRecorder recorder(directory.path(), "nightly", "", {"run-1", kTime, kTime});
  CHECK_NOTHROW(recorder.ended(0, {}, kTime));
  CHECK(service::look_at_last_run(directory.path(), "nightly") == service::JobRecord());
}
