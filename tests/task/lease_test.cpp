#include "task/lease.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/error.hpp"
#include "redis/error.hpp"
#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using task::Lease;

namespace {

const std::string kKey = "moonshift:lease:nightly";

/// Nothing if somebody else has it.
std::unique_ptr<Lease> take(const test::Server& server, base::Duration lasts = 30s) {
  auto taken = Lease::take(server.endpoint(), "nightly", lasts);
  auto* lease = std::get_if<std::unique_ptr<Lease>>(&taken);
  return lease == nullptr ? nullptr : std::move(*lease);
}

}  // namespace

TEST_CASE("one at a time has the lease, and it is free when that one ends") {
  test::Server server;
  auto first = take(server);
  REQUIRE(first != nullptr);
  CHECK(first->held());
  CHECK(server.integer({"PTTL", kKey}) > 29'000);
  const auto second = Lease::take(server.endpoint(), "nightly", 30s);
  const auto* holder = std::get_if<Lease::Holder>(&second);
  REQUIRE(holder != nullptr);
  CHECK(holder->name.ends_with(" pid " + std::to_string(::getpid())));
  CHECK(holder->left > 29s);
  first.reset();
  CHECK(server.integer({"EXISTS", kKey}) == 0);
  CHECK(take(server) != nullptr);
}

TEST_CASE("it is renewed while it lives") {
  test::Server server;
  const auto lease = take(server, 1s);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(test::eventually([&] { return std::chrono::steady_clock::now() > begun + 2500ms; }));
  CHECK(lease->held());
  CHECK(server.integer({"EXISTS", kKey}) == 1);
}

TEST_CASE("whoever lost it does not release what another one has") {
  test::Server server;
  auto lease = take(server, 1s);
  server.call({"SET", kKey, "another one"});
  CHECK(test::eventually([&] { return !lease->held(); }));
  CHECK_THROWS_AS(lease->check(), base::Aborted);
  lease.reset();
  CHECK(server.text({"GET", kKey}) == "another one");
}

TEST_CASE("one that Redis forgot is lost, even if nobody else took it") {
  test::Server server;
  const auto lease = take(server, 1s);
  server.call({"FLUSHALL"});
  CHECK(test::eventually([&] { return !lease->held(); }));
  CHECK(server.integer({"EXISTS", kKey}) == 0);
}

TEST_CASE("it is taken above maxmemory, where SET is refused") {
  test::Server server;
  server.call({"CONFIG", "SET", "maxmemory", "1"});
  CHECK(server.call({"SET", "a", "b"}).is_error());
  CHECK(take(server) != nullptr);
}

TEST_CASE("a run that lost its lease stops at the next batch, in both engines") {
  for (const auto engine : {task::EngineChoice::kLocal, task::EngineChoice::kServer}) {
    test::Server server;
    server.call({"EVAL", "for i = 1, 2000 do redis.call('SET', 'item:' .. i, i) end", "0"});
    const auto lease = take(server, 1s);
    task::RunOptions options;
    options.engine = engine;
    options.lease = lease.get();
    options.rate = 500;
    // Another host takes it in the middle of the run.
    options.on_progress = [&](const task::Tally& tally) {
      if (tally.done > 10 && server.text({"GET", kKey}) != "another one")
        server.call({"SET", kKey, "another one"});
    };
    const auto result = test::run_text(
        "return task { find = function(p, emit) for key in scan.keys { match = 'item:*' } do "
        "emit(key) end end, each = function(p, key) redis.call('UNLINK', key) return 'removed' "
        "end }",
        server.endpoint(), options);
    CHECK(result.stopped == base::Aborted::Reason::kLeaseLost);
    CHECK_FALSE(result.redis_error);
    CHECK(server.integer({"DBSIZE"}) > 1000);
  }
}

TEST_CASE("a process that is stopped for longer than its lease does nothing more after it") {
  test::Server server;
  server.call({"EVAL", "for i = 1, 2000 do redis.call('SET', 'item:' .. i, i) end", "0"});
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lease = take(server, 1s);
    task::RunOptions options;
    options.lease = lease.get();
    options.rate = 500;
    const auto result = test::run_text(
        "return task { find = function(p, emit) for key in scan.keys { match = 'item:*' } do "
        "emit(key) end end, each = function(p, key) redis.call('UNLINK', key) "
        "redis.call('INCR', 'done by the first') return 'removed' end }",
        server.endpoint(), options);
    ::_exit(result.stopped == base::Aborted::Reason::kLeaseLost ? 4 : 0);
  }
  CHECK(test::eventually([&] { return server.integer({"EXISTS", "done by the first"}) == 1; }));
  ::kill(child, SIGSTOP);
  std::unique_ptr<Lease> second;
  CHECK(test::eventually([&] { return (second = take(server)) != nullptr; }));
  const std::string done = server.text({"GET", "done by the first"});
  ::kill(child, SIGCONT);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 4);
  CHECK(server.text({"GET", "done by the first"}) == done);
  CHECK(second->held());
}
