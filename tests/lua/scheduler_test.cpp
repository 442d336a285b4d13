#include "lua/scheduler.hpp"

#include "lua/script_error.hpp"
#include "redis/error.hpp"
#include "support/server.hpp"

using namespace moonshift;
using lua::Access;
using lua::FiberEnd;
using lua::State;
using lua::Value;

namespace {

/// Fibers in a state of their own on a server of their own. `module` returns a table of functions.
struct World : lua::FiberOwner {
  explicit World(const std::string& module)
      : connection(server.endpoint().connect()),
        commands(redis::CommandTable::read(connection)),
        scheduler(state, connection, commands, {}) {
    state.run_module("local host = ...\n" + module, "=test");
  }

  void start(const std::string& function, std::vector<std::string> arguments = {},
             Access access = Access::kWrite) {
    scheduler.start(state.function(function), access, std::move(arguments), *this);
  }

  void run() {
    while (scheduler.alive() > 0) scheduler.step(base::kNever);
  }

  FiberEnd run_one(const std::string& function, Access access = Access::kWrite) {
    start(function, {}, access);
    run();
    return ends.back();
  }

  void on_end(const std::vector<std::string>& arguments, FiberEnd end) override {
    ended.push_back(arguments.empty() ? "" : arguments.front());
    ends.push_back(std::move(end));
  }

  test::Server server;
  State state{{}};
  redis::Connection connection;
  redis::CommandTable commands;
  lua::Scheduler scheduler;
  std::vector<FiberEnd> ends;
  std::vector<std::string> ended;
};

}  // namespace

TEST_CASE("commands of many fibers share their writes, and each gets its own replies") {
  World world(
      "return { run = function(n) for i = 1, 3 do assert(host.send('ECHO', n .. ':' .. i) == n .. "
      "':' .. i) end return n end }");
  const auto before = world.connection.totals().writes;
  for (int i = 0; i < 500; ++i) world.start("run", {std::to_string(i)});
  world.run();
  REQUIRE(world.ends.size() == 500);
  for (std::size_t i = 0; i < 500; ++i) {
    REQUIRE(world.ends[i].how == FiberEnd::How::kReturned);
    REQUIRE(world.ends[i].first.text() == world.ended[i]);
  }
  CHECK(world.connection.totals().writes - before < 30);
}

TEST_CASE("a call is suspended through pcall and iterators") {
  World world(R"(return { run = function()
    local ok, reply = pcall(function() return host.send('ECHO', 'through pcall') end)
    local function each() return host.send('GET', 'absent') or nil end
    for _ in each do end
    return reply
  end })");
  CHECK(world.run_one("run").first.text() == "through pcall");
}

TEST_CASE(
    "in a callback of sort and gsub, and in a coroutine of its own, a call waits for its own "
    "reply") {
  World world(R"(return { other = function() return host.send('ECHO', 'other') end, run = function()
    local t = { 3, 1, 2 }
    table.sort(t, function(a, b) return tonumber(host.send('ECHO', a)) < tonumber(host.send('ECHO', b)) end)
    local text = ('x-y'):gsub('%a', function(c) return host.send('ECHO', c .. c) end)
    local inner = coroutine.wrap(function() coroutine.yield(host.send('ECHO', 'inner')) end)
    return table.concat(t, ',') .. ' ' .. text .. ' ' .. inner()
  end })");
  world.start("other");  // its reply comes first, and must not be taken for ours
  world.start("run");
  world.run();
  REQUIRE(world.ends.size() == 2);
  CHECK(world.ends[0].first.text() == "1,2,3 xx-yy inner");
  CHECK(world.ends[1].first.text() == "other");
}

TEST_CASE("replies become values as EVAL makes them") {
  World world(R"(return { run = function()
    host.send('RPUSH', 'list', 'a', 'b')
    assert(host.send('GET', 'absent') == false)
    assert(host.send('SET', 'n', 0.5).ok == 'OK')
    assert(host.send('GET', 'n') == '0.5')
    assert(host.send('LRANGE', 'list', 0, -1)[2] == 'b')
    local nothing, text = host.send('INCR', 'list')
    assert(nothing == nil and text:find('^WRONGTYPE'))
    nothing, text = host.send('GET', {})
    assert(nothing == nil and text:find('must be strings or integers'))
    return 'fine'
  end })");
  CHECK(world.run_one("run").first.text() == "fine");
}

TEST_CASE("a fiber that fails is told with its line and traceback; the others go on") {
  World world(
      "return { good = function() return host.send('ECHO', 'good') end,\nbad = function() "
      "host.send('PING')\nerror('oh') end }");
  world.start("good");
  world.start("bad");
  world.run();
  REQUIRE(world.ends.size() == 2);
  CHECK(world.ends[0].first.text() == "good");
  CHECK(world.ends[1].how == FiberEnd::How::kFailed);
  CHECK(world.ends[1].error == "test:4: oh");
  CHECK(world.ends[1].traceback.find("test:4") != std::string::npos);
}

TEST_CASE("who may only read may not write, by whatever name") {
  World world("return { run = function() local _, text = host.send('dEL', 'k') return text end }");
  CHECK(world.run_one("run", Access::kFind).first.text() == "find may only read, and dEL writes");
  CHECK(world.run_one("run", Access::kCheck).first.text() ==
        "a check may only read, and dEL writes");
  CHECK(world.run_one("run").first.is_nil());
}

TEST_CASE("what would disturb the shared connection is refused") {
  World world("return { run = function(...) local _, text = host.send(...) return text end }");
  for (const std::vector<std::string>& command : {std::vector<std::string>{"SELECT", "1"},
                                                  {"multi"},
                                                  {"BLPOP", "k", "0"},
                                                  {"BLMPOP", "0", "1", "k", "LEFT"},
                                                  {"XREAD", "BLOCK", "0", "STREAMS", "s", "$"},
                                                  {"SUBSCRIBE", "c"},
                                                  {"WATCH", "k"},
                                                  {"EVAL", "return 1", "0"}}) {
    CAPTURE(command[0]);
    world.start("run", command);
    world.run();
    CHECK(world.ends.back().first.text().find("is not allowed in a script") != std::string::npos);
  }
}

TEST_CASE("an outlet that is full makes its caller wait, and nothing is lost") {
  struct Sink : lua::Outlet {
    std::size_t room = 1;
    std::vector<std::string> taken;
    void take(std::vector<std::string> strings) override {
      taken.push_back(strings.at(0));
      --room;
    }
    bool full() const override { return room == 0; }
  } sink;
  World world("return { run = function() for i = 1, 100 do host.out(i) end return 'end' end }");
  world.scheduler.define_outlet("out", sink);
  world.start("run");
  for (int i = 0; i < 200 && world.scheduler.alive() > 0; ++i) {
    sink.room = 1;
    world.scheduler.step(base::kNever);
  }
  REQUIRE(sink.taken.size() == 100);
  CHECK(sink.taken.back() == "100");
  CHECK(world.ends.at(0).first.text() == "end");
}

TEST_CASE("several commands in one go come back as one list") {
  World world(R"(return { run = function()
    local replies = host.send_all { { 'SET', 'a', 1 }, { 'INCR', 'a' }, { 'HGET', 'a', 'f' } }
    return replies[1].ok .. replies[2] .. replies[3].err:sub(1, 9)
  end })");
  CHECK(world.run_one("run").first.text() == "OK2WRONGTYPE");
}

TEST_CASE(
    "a lost connection comes out of the scheduler as a Redis error, whatever the script catches") {
  World world("return { run = function() while true do pcall(host.send, 'PING') end end }");
  const std::string id = std::to_string(world.connection.call({"CLIENT", "ID"}).integer);
  world.start("run");
  world.server.call({"CLIENT", "KILL", "ID", id});
  CHECK_THROWS_AS(world.run(), redis::RedisError);
}
