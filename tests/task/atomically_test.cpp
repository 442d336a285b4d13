#include <atomic>
#include <thread>

#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;
using task::EngineChoice;

namespace {

task::RunResult run(test::Server& server, EngineChoice engine, const std::string& each) {
  task::RunOptions options;
  options.engine = engine;
  return test::run_text(
      "return task { find = function(p, emit) for key in scan.keys { match = 'item:*' } do "
      "emit(key) end end, "
      "each = function(p, key) " +
          each + " end }",
      server.endpoint(), options);
}

void add_items(test::Server& server, int count) {
  for (int i = 0; i < count; ++i) server.call({"SET", "item:" + std::to_string(i), "0"});
}

}  // namespace

TEST_CASE("what atomically writes happens for each item, in both engines") {
  for (const auto engine : {EngineChoice::kLocal, EngineChoice::kServer}) {
    test::Server server;
    add_items(server, 500);
    const auto result = run(server, engine,
                            "return atomically({ key }, function(write) "
                            "if redis.call('GET', key) ~= '0' then return 'kept', 'not zero' end "
                            "write('UNLINK', key) write('INCR', 'gone') return 'removed' end)");
    CHECK(result.tally.outcomes.at("removed") == 500);
    CHECK(result.verification.holds);
    CHECK(server.text({"GET", "gone"}) == "500");
    CHECK(server.integer({"DBSIZE"}) == 1);
  }
}

TEST_CASE("an item that is changed between the decision and the write is decided again") {
  // Others set every item to 1 all the time, and delete it themselves. What is 0 when it is read
  // must not be deleted as a 1: the counter tells how many ones were deleted by us.
  for (const auto engine : {EngineChoice::kLocal, EngineChoice::kServer}) {
    test::Server server;
    add_items(server, 200);
    std::atomic<bool> stop = false;
    std::atomic<int> turned = 0;
    std::thread others([&, connection = server.endpoint().connect()]() mutable {
      while (!stop) {
        const std::string key = "item:" + std::to_string(turned++ % 200);
        connection.call({"SET", key, "1", "XX"});
      }
    });
    const auto result =
        run(server, engine,
            "return atomically({ key }, function(write) local value = redis.call('GET', key) "
            "if not value then return 'gone' end "
            "write('LPUSH', 'deleted', value) write('GETDEL', key) return 'removed' end)");
    stop = true;
    others.join();
    CHECK(result.tally.failed == 0);
    // Had a decision been taken on a stale value, fewer were deleted as 1 than had been set to it.
    CHECK(server.integer({"LLEN", "deleted"}) == 200);
    CHECK(server.integer({"DBSIZE"}) == 1);
  }
}

TEST_CASE("inside atomically only reads go out at once, and it has its place") {
  struct Case {
    std::string each;
    std::string error;
  };
  for (const Case& c : {
           Case{"return atomically({ key }, function(write) redis.call('PUBLISH', 'x', 'y') end)",
                "PUBLISH must be given to `write`"},
           Case{"return atomically({ key }, function() return atomically({ key }, function() end) "
                "end)",
                "atomically cannot be used inside atomically"},
           Case{"return atomically({ key }, function(write) write('SUBSCRIBE', 'x') return "
                "'removed' end)",
                "SUBSCRIBE is not allowed in a script"},
           Case{"local late atomically({ key }, function(_, watch) late = watch end) late(key)",
                "are for the function that was given to atomically"},
           Case{"table.sort({ 1, 2 }, function() atomically({ key }, function() end) end)",
                "cannot be used in a callback"},
       }) {
    CAPTURE(c.each);
    test::Server server;
    add_items(server, 1);
    const auto result = run(server, EngineChoice::kLocal, c.each);
    REQUIRE(result.tally.failures.size() == 1);
    CAPTURE(result.tally.failures[0].error);
    CHECK(result.tally.failures[0].error.find(c.error) != std::string::npos);
    CHECK(server.integer({"EXISTS", "item:0"}) == 1);
  }
}

TEST_CASE("an error inside atomically may be caught, and atomically used again") {
  test::Server server;
  add_items(server, 300);
  const auto result = run(server, EngineChoice::kLocal,
                          "local ok = pcall(atomically, { key }, function() error('no') end) "
                          "return atomically({ key }, function(write) write('UNLINK', key) return "
                          "ok and 'wrong' or 'removed' end)");
  CHECK(result.tally.outcomes.at("removed") == 300);
  CHECK(server.integer({"DBSIZE"}) == 0);
}

TEST_CASE("a write that fails inside the transaction fails its own item alone") {
  for (const auto engine : {EngineChoice::kLocal, EngineChoice::kServer}) {
    test::Server server;
    add_items(server, 50);
    server.call({"SET", "item:7", "text"});
    const auto result = run(server, engine,
                            "return atomically({ key }, function(write) "
                            "if redis.call('GET', key) == 'text' then write('LPUSH', key, 1) end "
                            "write('UNLINK', key) return 'removed' end)");
    CHECK(result.tally.outcomes.at("removed") == 49);
    CHECK(result.tally.failed == 1);
    CHECK(result.tally.failures.at(0).item == task::Item{"item:7"});
  }
}

TEST_CASE("a command that Redis refuses to queue fails its own item alone") {
  test::Server server;
  add_items(server, 50);
  const auto result =
      run(server, EngineChoice::kLocal,
          "return atomically({ key }, function(write) "
          "if key == 'item:7' then write('NONSENSE', key) else write('UNLINK', key) end "
          "return 'removed' end)");
  CHECK(result.tally.outcomes.at("removed") == 49);
  REQUIRE(result.tally.failed == 1);
  CHECK(result.tally.failures.at(0).error.find("NONSENSE") != std::string::npos);
}

TEST_CASE("an error while deciding leaves nothing written and nobody waiting") {
  test::Server server;
  add_items(server, 100);
  const auto result = run(server, EngineChoice::kLocal,
                          "return atomically({ key }, function(write) write('UNLINK', key) "
                          "if key == 'item:7' then error('no') end return 'removed' end)");
  CHECK(result.tally.outcomes.at("removed") == 99);
  CHECK(server.integer({"EXISTS", "item:7"}) == 1);
}

TEST_CASE("a user who may not use transactions is refused before anything is written") {
  for (const std::string denied : {"-multi", "-watch", "-exec"}) {
    CAPTURE(denied);
    test::Server server;
    add_items(server, 3);
    server.call({"ACL", "SETUSER", "poor", "on", ">pw", "~*", "+@all", denied});
    redis::Url url = server.url();
    url.user = "poor";
    url.password = redis::Secret("pw");
    const redis::Endpoint endpoint(url, {});
    task::RunOptions options;
    options.engine = EngineChoice::kLocal;
    const auto result = test::run_text(
        "return task { find = function(p, emit) for key in scan.keys { match = 'item:*' } do "
        "emit(key) end end, "
        "each = function(p, key) return atomically({ key }, function(write) write('UNLINK', key) "
        "return 'removed' end) end }",
        endpoint, options);
    CHECK((result.redis_error.has_value() || result.tally.failed == 3));
    CHECK(result.tally.outcomes.empty());
    CHECK(server.integer({"DBSIZE"}) == 3);
  }
}

TEST_CASE(
    "of several writes one that fails does not keep the others from happening, in both engines") {
  for (const auto engine : {EngineChoice::kLocal, EngineChoice::kServer}) {
    test::Server server;
    add_items(server, 1);
    const auto result = run(
        server, engine,
        "return atomically({ key }, function(write) redis.call('GET', key) write('LPUSH', key, 1) "
        "write('SET', 'second', 1) return 'removed' end)");
    CHECK(result.tally.failed == 1);
    CHECK(server.integer({"EXISTS", "second"}) == 1);
  }
}

TEST_CASE("inside Redis, what one item removes is gone for the next one of the same batch") {
  test::Server server;
  add_items(server, 100);
  server.call({"SADD", "pool", "one", "two"});
  const auto result = run(server, EngineChoice::kServer,
                          "return atomically({ key, 'pool' }, function(write) "
                          "if redis.call('SISMEMBER', 'pool', 'one') == 1 then "
                          "write('SREM', 'pool', 'one') write('UNLINK', key) return 'first' end "
                          "write('UNLINK', key) return 'later' end)");
  CHECK(result.tally.outcomes.at("first") == 1);
  CHECK(result.tally.outcomes.at("later") == 99);
}

TEST_CASE("a write that fails is the failure of those items that asked for it, and of no others") {
  for (const auto engine : {EngineChoice::kLocal, EngineChoice::kServer}) {
    test::Server server;
    add_items(server, 60);
    server.call({"SET", "text", "no zset"});
    server.call({"ZADD", "index", "1", "item:0"});
    const auto result = run(server, engine,
                            "return atomically({ key }, function(write) "
                            "local even = tonumber(key:match('%d+')) % 2 == 0 "
                            "write('ZREM', even and 'text' or 'index', key) return 'kept' end)");
    CHECK(result.tally.failed == 30);
    CHECK(result.tally.outcomes.at("kept") == 30);
    for (const auto& failure : result.tally.failures) {
      CHECK(failure.error.find("WRONGTYPE") != std::string::npos);
      CHECK(failure.error.find("(ZREM text)") != std::string::npos);
    }
  }
}
