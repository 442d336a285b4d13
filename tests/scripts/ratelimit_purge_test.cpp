#include <atomic>
#include <thread>

#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;
using task::EngineChoice;

namespace {

task::RunResult purge(test::Server& server, EngineChoice engine, task::GivenParameters given) {
  const task::Catalog catalog;
  task::Script script(catalog, "ratelimit/purge");
  task::RunOptions options;
  options.engine = engine;
  given.try_emplace("pattern", std::string("rl:*"));
  return task::run_task(script, given, server.endpoint(), options);
}

constexpr EngineChoice kBoth[] = {EngineChoice::kLocal, EngineChoice::kServer};

}  // namespace

TEST_CASE("only leaked strings under the pattern go") {
  for (const auto engine : kBoth) {
    test::Server server;
    server.call({"SET", "rl:live", "3", "EX", "1000"});
    server.call({"SET", "other", "1"});
    server.call({"HSET", "rl:hash", "f", "1"});
    const std::string before = server.dataset();
    for (int i = 0; i < 3000; ++i) server.call({"SET", "rl:leaked:" + std::to_string(i), "-1"});
    CHECK(purge(server, engine, {}).tally.outcomes.at("removed") == 3000);
    CHECK(server.dataset() == before);
  }
}

TEST_CASE("with only=all the live ones go too, and with several patterns each key counts once") {
  for (const auto engine : kBoth) {
    test::Server server;
    server.call({"SET", "rl:live", "3", "EX", "1000"});
    server.call({"SET", "rlflx:leaked", "3"});
    const auto result =
        purge(server, engine,
              {{"only", std::string("all")},
               {"pattern", lua::Value::List{std::string("rl*"), std::string("rl:*")}}});
    CHECK(result.tally.outcomes == std::map<std::string, std::int64_t>{{"removed", 2}});
    CHECK(server.integer({"DBSIZE"}) == 0);
  }
}

TEST_CASE("a window that opens at the same moment stays") {
  for (const auto engine : kBoth) {
    test::Server server;
    constexpr int kKeys = 20'000;
    server.call({"EVAL", "for i = 1, 20000 do redis.call('SET', 'rl:' .. i, 1) end", "0"});
    std::atomic<int> opened = 0;
    std::atomic<bool> stop = false;
    std::thread limiter([&, connection = server.endpoint().connect()]() mutable {
      for (int i = kKeys; i > 0 && !stop; --i) {
        if (connection.call({"EXPIRE", "rl:" + std::to_string(i), "1000"}).integer == 1) ++opened;
      }
    });
    const auto result = purge(server, engine, {});
    stop = true;
    limiter.join();
    // Each key was either opened by the limiter and is there, or was removed by us.
    CHECK(result.tally.outcomes.at("removed") + server.integer({"DBSIZE"}) == kKeys);
    CHECK(server.integer({"DBSIZE"}) == opened);
    CHECK(result.tally.failed == 0);
  }
}

TEST_CASE("a purge that is killed anywhere and run again ends like one that was not") {
  for (const auto engine : kBoth) {
    test::Server server;
    constexpr int kLeaked = 80'000;  // so many that every run is still under way when it is killed
    server.call({"SET", "rl:live", "3", "EX", "1000"});
    server.call({"SET", "other", "1"});
    const std::string after = server.dataset();
    server.call({"EVAL", "for i = 1, ARGV[1] do redis.call('SET', 'rl:' .. i, 1) end", "0",
                 std::to_string(kLeaked)});
    for (const int left : {79'999, 64'000, 48'000, 34'000, 20'000}) {
      CHECK(test::run_and_kill([&] { purge(server, engine, {}); },
                               [&] { return server.integer({"DBSIZE"}) <= left + 2; }));
    }
    CHECK(purge(server, engine, {}).verification.holds);
    CHECK(server.dataset() == after);
  }
}
