#include <algorithm>
#include <set>

#include "support/script_directory.hpp"
#include "support/server.hpp"

using namespace moonshift;

namespace {

/// Runs a find with these lines and an each that records the item in the list `seen` and does
/// `each`.
task::RunResult walk(test::Server& server, const std::string& find, const std::string& each = "") {
  return test::run_text(
      "return task { find = function(p, emit) " + find + " end, each = function(p, a, b) " +
          "redis.call('RPUSH', 'seen', b and a .. '=' .. b or a) " + each + " return 'kept' end }",
      server.endpoint());
}

std::vector<std::string> seen(test::Server& server) {
  std::vector<std::string> items;
  for (const redis::Reply& item : server.call({"LRANGE", "seen", "0", "-1"}).elements)
    items.push_back(item.text);
  return items;
}

void add_many(test::Server& server, const std::string& script) {
  server.call({"EVAL", script, "0"});
}

/// Every one of `count` items `prefix1..` was seen; a walk may see one twice.
void check_all_seen(test::Server& server, const std::string& prefix, int count) {
  const auto items = seen(server);
  const std::set<std::string> distinct(items.begin(), items.end());
  CHECK(distinct.size() == static_cast<std::size_t>(count));
  for (int i = 1; i <= count; ++i) REQUIRE(distinct.contains(prefix + std::to_string(i)));
}

}  // namespace

TEST_CASE("keys are found by glob, type and absence of a TTL") {
  test::Server server;
  add_many(server,
           "for i = 1, 3000 do redis.call('SET', 'a:' .. i, 1) redis.call('SET', 'b:' .. i, 1, "
           "'EX', 1000) end "
           "redis.call('SADD', 'a:set', 1)");
  walk(server,
       "for key in scan.keys { match = { 'a:*', '[ab]:*' }, type = 'string', persistent = true } "
       "do emit(key) end");
  check_all_seen(server, "a:", 3000);
}

TEST_CASE("a sorted set is walked whole though its members are removed behind the walk") {
  test::Server server;
  add_many(server, "for i = 1, 10000 do redis.call('ZADD', 'z', i % 7, 'm' .. i) end");
  walk(server, "for member in scan.zset('z', '-inf', '+inf') do emit(member) end",
       "redis.call('ZREM', 'z', a)");
  check_all_seen(server, "m", 10000);
  CHECK(server.integer({"EXISTS", "z"}) == 0);
}

TEST_CASE(
    "a sorted set whose members all have one score is walked whole, whether they stay or go") {
  for (const std::string each :
       {"", "redis.call('ZREM', 'z', a)", "if #a % 2 == 0 then redis.call('ZREM', 'z', a) end"}) {
    CAPTURE(each);
    test::Server server;
    add_many(server, "for i = 1, 5000 do redis.call('ZADD', 'z', 1793500200000, 'm' .. i) end");
    walk(server, "for member in scan.zset('z', '-inf', '+inf') do emit(member) end", each);
    check_all_seen(server, "m", 5000);
  }
}

TEST_CASE("a sorted set is walked between scores, exclusive ones too, and gives them") {
  test::Server server;
  server.call({"ZADD", "z", "1", "a", "2", "b", "3", "c", "3", "d", "4", "e"});
  walk(server, "for member, score in scan.zset('z', '(1', '3') do emit(member, score) end");
  auto items = seen(server);
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  CHECK(items == std::vector<std::string>{"b=2", "c=3", "d=3"});
}

TEST_CASE("sets and hashes are walked whole") {
  test::Server server;
  add_many(server,
           "for i = 1, 4000 do redis.call('SADD', 's', 'm' .. i) redis.call('HSET', 'h', 'm' .. i, "
           "i) end");
  walk(server, "for member in scan.set('s') do emit(member) end", "redis.call('SREM', 's', a)");
  check_all_seen(server, "m", 4000);
  server.call({"DEL", "seen"});
  walk(server, "for field, value in scan.hash('h') do emit(field, value) end");
  const auto items = seen(server);
  CHECK(std::set<std::string>(items.begin(), items.end()).contains("m77=77"));
  CHECK(std::set<std::string>(items.begin(), items.end()).size() == 4000);
}

TEST_CASE("a list is walked whole though its elements are removed and others are pushed") {
  for (const std::string each : {"", "redis.call('LREM', 'l', 1, a)",
                                 "redis.call('LREM', 'l', 1, a) redis.call('LPUSH', 'l', 'new')"}) {
    CAPTURE(each);
    test::Server server;
    add_many(server, "for i = 1, 4000 do redis.call('RPUSH', 'l', 'e' .. i) end");
    walk(server, "for element in scan.list('l') do if element ~= 'new' then emit(element) end end",
         each);
    check_all_seen(server, "e", 4000);
  }
}

TEST_CASE("what is held back comes whole and in order, and not before its time") {
  test::Server server;
  add_many(server, "for i = 1, 3000 do redis.call('ZADD', 'z', i, 'm' .. i) end");
  const auto begin = std::chrono::steady_clock::now();
  walk(server, "for m, s in scan.after(50, scan.zset('z', 0, 9999)) do emit(m, s) end");
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(50));
  const auto items = seen(server);
  REQUIRE(items.size() >= 3000);
  CHECK(items[0] == "m1=1");
  CHECK(items[2999] == "m3000=3000");
}

TEST_CASE("a key of the wrong type is one failed item with the key named, and the walk goes on") {
  test::Server server;
  server.call({"SET", "z", "not a zset"});
  server.call({"SADD", "s", "m1"});
  const auto result = walk(
      server, "for m in scan.zset('z', 0, 1) do emit(m) end for m in scan.set('s') do emit(m) end");
  check_all_seen(server, "m", 1);
  REQUIRE(result.tally.failures.size() == 1);
  CHECK(result.tally.failures[0].item == task::Item{"z"});
  CHECK(result.tally.failures[0].error.find("WRONGTYPE") != std::string::npos);
}

TEST_CASE("a walk that is at its end stays there, whoever asks again") {
  test::Server server;
  server.call({"SADD", "s", "m1"});
  server.call({"ZADD", "z", "1", "m2"});
  const auto result = walk(server,
                           "for _, w in ipairs { scan.keys { match = '*' }, scan.set('s'), "
                           "scan.zset('z', 0, 9), scan.list('l'), scan.after(0, scan.set('s')) } "
                           "do while w() do end assert(w() == nil and w() == nil) end emit('end')");
  CHECK_FALSE(result.script_error);
  CHECK(seen(server).front() == "end");
}

TEST_CASE("nothing there is nothing found") {
  test::Server server;
  const auto result =
      walk(server,
           "for k in scan.keys {} do emit(k) end for m in scan.zset('z', 0, 1) do emit(m) end "
           "for m in scan.set('s') do emit(m) end for m in scan.list('l') do emit(m) end");
  CHECK(result.tally.found == 0);
  CHECK(result.verification.holds);
}
