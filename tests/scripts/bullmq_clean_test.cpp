#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;
using task::EngineChoice;

// What only a made-up keyspace can show; the real library's data are in tests/real.

namespace {

constexpr std::int64_t kNow = 1'793'500'200'000;
constexpr std::int64_t kDay = 86'400'000;

struct Queue {
  test::Server& server;
  std::string base = "bull:mail:";

  Queue(test::Server& on, std::string key = "bull:mail:") : server(on), base(std::move(key)) {
    server.call({"HSET", base + "meta", "opts.maxLenEvents", "10000"});
  }

  void add(const std::string& id, std::int64_t finished, const std::string& state = "completed",
           const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command{
        "HSET", base + id,   "name", "send",       "data",
        "{}",   "timestamp", "1",    "finishedOn", std::to_string(finished)};
    command.insert(command.end(), more.begin(), more.end());
    server.call(command);
    server.call({"ZADD", base + state, std::to_string(finished), id});
  }

  bool has(const std::string& id) const { return server.integer({"EXISTS", base + id}) == 1; }
};

task::RunResult clean(test::Server& server, EngineChoice engine, task::GivenParameters given = {}) {
  const task::Catalog catalog;
  task::Script script(catalog, "bullmq/clean");
  task::RunOptions options;
  options.engine = engine;
  options.now = base::UnixTime{std::chrono::milliseconds{kNow}};
  return task::run_task(script, given, server.endpoint(), options);
}

constexpr EngineChoice kBoth[] = {EngineChoice::kLocal, EngineChoice::kServer};

}  // namespace

TEST_CASE("a job that finished exactly older_than ago stays, one a millisecond older goes") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    queue.add("exact", kNow - 7 * kDay);
    queue.add("older", kNow - 7 * kDay - 1);
    queue.add("younger", kNow - 7 * kDay + 1);
    CHECK(clean(server, engine).tally.outcomes.at("removed") == 1);
    CHECK(queue.has("exact"));
    CHECK_FALSE(queue.has("older"));
    CHECK(queue.has("younger"));
    CHECK(server.integer({"ZCARD", "bull:mail:completed"}) == 2);
  }
}

TEST_CASE("all that belongs to a job goes with it") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    const std::string before = server.dataset();
    queue.add("1", 1, "completed", {"deid", "d"});
    server.call({"RPUSH", "bull:mail:1:logs", "line"});
    server.call({"HSET", "bull:mail:1:processed", "bull:mail:2", "{}"});
    server.call({"SADD", "bull:mail:1:dependencies", "bull:mail:3"});
    server.call({"HSET", "bull:mail:1:failed", "bull:mail:4", "why"});
    server.call({"ZADD", "bull:mail:1:unsuccessful", "1", "bull:mail:5"});
    server.call({"SET", "bull:mail:de:d", "1"});
    server.call({"HSET", "bull:mail:dn:d", "name", "x"});
    CHECK(clean(server, engine).tally.outcomes.at("removed") == 1);
    CHECK(server.dataset() == before);
  }
}

TEST_CASE("a deduplication key that names another job stays") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    queue.add("1", 1, "completed", {"deid", "d"});
    server.call({"SET", "bull:mail:de:d", "2"});
    clean(server, engine);
    CHECK(server.text({"GET", "bull:mail:de:d"}) == "2");
    CHECK_FALSE(queue.has("1"));
  }
}

TEST_CASE("a job whose id looks like a sub-key of another one is no sub-key") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    queue.add("17", 1);
    queue.add("17:processed", kNow);
    queue.add("17:logs", kNow);
    server.call({"SADD", "bull:mail:17:dependencies", "x"});
    clean(server, engine);
    CHECK_FALSE(queue.has("17"));
    CHECK(queue.has("17:processed"));
    CHECK(queue.has("17:logs"));
    CHECK(server.integer({"EXISTS", "bull:mail:17:dependencies"}) == 0);
  }
}

TEST_CASE(
    "an index entry without a hash goes; a hash that finished later than its entry says stays") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    server.call({"ZADD", "bull:mail:completed", "1", "bare"});
    queue.add("again", 1);
    server.call({"HSET", "bull:mail:again", "finishedOn", std::to_string(kNow)});
    const auto result = clean(server, engine);
    CHECK(result.tally.outcomes.at("removed") == 1);
    CHECK(result.tally.outcomes.at("kept") == 1);
    CHECK(queue.has("again"));
    CHECK(result.verification.holds);
  }
}

TEST_CASE("the newest stay, also among equals") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    for (int i = 0; i < 10; ++i) queue.add("job" + std::to_string(i), 5);
    clean(server, engine, {{"keep", 3.0}});
    CHECK(server.integer({"ZCARD", "bull:mail:completed"}) == 3);
    CHECK(queue.has("job9"));
    CHECK(queue.has("job7"));
    CHECK_FALSE(queue.has("job6"));
    clean(server, engine, {{"keep", 100.0}});
    CHECK(server.integer({"ZCARD", "bull:mail:completed"}) == 3);
  }
}

TEST_CASE("a failed child that its parent waits for stays, with the parent") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    queue.add("child", 1, "failed", {"parentKey", "bull:mail:parent"});
    queue.add("orphan", 1, "failed", {"parentKey", "bull:mail:nobody"});
    server.call({"HSET", "bull:mail:parent", "name", "p"});
    server.call({"SADD", "bull:mail:parent:dependencies", "bull:mail:child"});
    server.call({"SADD", "bull:mail:nobody:dependencies", "bull:mail:orphan"});
    const auto result = clean(server, engine, {{"state", std::string("failed")}});
    CHECK(result.tally.reasons.at("kept: its parent waits for it") == 1);
    CHECK(queue.has("child"));
    CHECK_FALSE(queue.has("orphan"));
    CHECK(result.verification.holds);
  }
}

TEST_CASE(
    "queues are chosen by prefix and name, and both are taken literally where they should be") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue mail(server), braces(server, "{a*b}:mail:"), sms(server, "bull:sms:"),
        colon(server, "bull:a:b:");
    for (const Queue& queue : {mail, braces, sms, colon}) queue.add("1", 1);
    clean(server, engine, {{"prefix", std::string("{a*b}")}});
    CHECK_FALSE(braces.has("1"));
    CHECK(mail.has("1"));
    clean(server, engine, {{"queues", std::string("[m]a?l")}});
    CHECK_FALSE(mail.has("1"));
    CHECK(sms.has("1"));
    clean(server, engine, {{"queues", std::string("a:*")}});
    CHECK_FALSE(colon.has("1"));
    CHECK(sms.has("1"));
  }
}

TEST_CASE("what only looks like a queue is left alone") {
  for (const auto engine : kBoth) {
    test::Server server;
    server.call({"HSET", "bull:old:meta", "paused", "1"});  // Bull 4
    server.call({"ZADD", "bull:old:completed", "1", "1"});
    server.call({"SET", "bull:text:meta", "version"});
    const std::string before = server.dataset();
    CHECK(clean(server, engine).tally.found == 0);
    CHECK(server.dataset() == before);
  }
}

TEST_CASE(
    "an index of another type is one failure that names it, and the other queues are cleaned") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue broken(server, "bull:broken:"), mail(server);
    server.call({"RPUSH", "bull:broken:completed", "1"});
    mail.add("1", 1);
    for (const double keep : {0.0, 1.0}) {
      const auto result = clean(server, engine, {{"keep", keep}});
      REQUIRE(result.tally.failures.size() == 1);
      CHECK(result.tally.failures[0].item == task::Item{"bull:broken:completed"});
    }
    CHECK_FALSE(mail.has("1"));
  }
}

TEST_CASE("a job whose hash has another type fails with its key named; the others go") {
  for (const auto engine : kBoth) {
    test::Server server;
    const Queue queue(server);
    queue.add("1", 1);
    server.call({"SET", "bull:mail:2", "no hash"});
    server.call({"ZADD", "bull:mail:completed", "1", "2"});
    const auto result = clean(server, engine);
    REQUIRE(result.tally.failures.size() == 1);
    CHECK(result.tally.failures[0].error.find("bull:mail:2") != std::string::npos);
    CHECK(server.text({"GET", "bull:mail:2"}) == "no hash");
    CHECK_FALSE(queue.has("1"));
  }
}

TEST_CASE(
    "a clean that is killed anywhere leaves every job whole or gone, and run again ends like one "
    "that was not") {
  for (const auto engine : kBoth) {
    test::Server server("zset-max-listpack-entries=0");  // one encoding, whatever its size was
    const Queue queue(server);
    queue.add("young", kNow);
    server.call({"SET", "bull:mail:de:other", "young"});
    const std::string after = server.dataset();
    constexpr int kOld = 20'000;  // so many that every run is still under way when it is killed
    server.call(
        {"EVAL",
         "for i = 1, ARGV[1] do local job = 'bull:mail:' .. i "
         "redis.call('HSET', job, 'name', 'x', 'timestamp', 1, 'finishedOn', i, 'deid', i) "
         "redis.call('RPUSH', job .. ':logs', 'line') redis.call('SET', 'bull:mail:de:' .. i, i) "
         "redis.call('ZADD', 'bull:mail:completed', i, i) end",
         "0", std::to_string(kOld)});
    const auto left = [&] { return server.integer({"ZCARD", "bull:mail:completed"}) - 1; };
    for (const int limit : {19'999, 16'000, 12'000, 8'000, 4'000}) {
      CHECK(test::run_and_kill([&] { clean(server, engine); }, [&] { return left() <= limit; }));
      // What it had sent before is still done after it has died.
      CHECK(test::eventually([&] {
        const std::string clients = server.text({"CLIENT", "LIST"});
        return clients.find('\n') == clients.rfind('\n');
      }));
      // Three keys a job (hash, logs, dedup), besides the index, meta, the young job and its dedup
      // key.
      CHECK(server.integer({"DBSIZE"}) == 3 * left() + 4);
    }
    CHECK(clean(server, engine).verification.holds);
    CHECK(server.dataset() == after);
  }
}
