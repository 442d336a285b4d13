#include <doctest/doctest.h>

#include "base/error.hpp"
#include "redis/error.hpp"
#include "support/server.hpp"
#include "task/evaluator.hpp"

using namespace moonshift;
using namespace moonshift::test;

namespace {

task::LocalEvaluator::Options tight() {
  task::LocalEvaluator::Options options;
  options.memory = base::Bytes{48 << 20};
  options.timeout = std::chrono::milliseconds(300);
  return options;
}

struct Attack {
  std::string name;
  const char* script;
};

/// Their ends: the time limit.
const Attack kEndless[] = {
    {"a loop", "while true do end"},
    {"a loop of pcalls", "while true do pcall(error) end"},
    {"a loop inside pcall, again and again",
     "while true do pcall(function() while true do end end) end"},
    {"a loop inside xpcall whose handler loops",
     "xpcall(function() while true do end end, function() while true do end end) while true do "
     "end"},
    {"a loop in a coroutine",
     "while true do coroutine.resume(coroutine.create(function() while true do end end)) end"},
    {"a loop in coroutine.wrap",
     "coroutine.wrap(function() while true do pcall(coroutine.yield) end end)()"},
    {"a loop of coroutines",
     "while true do coroutine.wrap(function() coroutine.yield() end)() end"},
    {"a for without a step", "for i = 1, 3, 0 do end while true do end"},
    {"an iterator without an end", "for _ in function() return 1 end do end"},
    {"a repeat", "repeat until false"},
    {"tail calls", "local function f() return f() end f()"},
    {"a metamethod that loops",
     "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x"},
    {"a comparison that loops", "table.sort({3, 2, 1}, function(a, b) while true do end end)"},
    {"a replacement that loops", "string.gsub('abc', '.', function() while true do end end)"},
    {"a pattern that backtracks",
     "return ('a'):rep(28):find(('a?'):rep(28) .. ('a'):rep(28) .. 'b')"},
    {"a pattern with nested choices", "return ('a'):rep(2000):match(('.-'):rep(12) .. 'b')"},
    {"a pattern that backtracks in gsub", "return ('a'):rep(3000):gsub(('a*'):rep(8) .. 'b', '')"},
    {"a pattern that backtracks in gmatch",
     "for x in ('a'):rep(3000):gmatch(('a*'):rep(8) .. 'b') do end"},
    {"%b again and again", "return ('('):rep(300000):find('%b()')"},
    {"a pattern inside pcall",
     "while true do pcall(string.find, ('a'):rep(28), ('a?'):rep(28) .. ('a'):rep(28) .. 'b') end"},
    {"a script that loads itself",
     "local s = 'local s = ... return loadstring(s)(s)' while true do pcall(loadstring(s), s) end"},
    {"a table.concat again and again",
     "local t = {} for i = 1, 1000 do t[i] = 'x' end while true do table.concat(t) end"},
    {"a loop of commands", "while true do redis.call('PING') end"},
    {"a loop of failing commands", "while true do redis.pcall('INCR') end"},
    {"a loop of errors from commands", "while true do pcall(redis.call, 'INCR') end"},
    {"collectgarbage('stop') and a loop", "collectgarbage('stop') while true do end"},
    {"a __tostring that loops",
     "return tostring(setmetatable({}, {__tostring = function() while true do end end}))"},
    {"walks through a large table that is empty",
     "local t = {} for i = 1, 2^19 do t[i] = 1 end for i = 1, 2^19 do t[i] = nil end while true do "
     "next(t) end"},
    {"comparisons of long strings",
     "local a, b = ('x'):rep(1e7) .. 'a', ('x'):rep(1e7) .. 'b' while true do local c = a < b end"},
    {"long strings, again and again",
     "local a = ('x'):rep(1e7) local b while true do b = a .. 'y' end"},
    {"patterns inside patterns",
     "local p = ('a-'):rep(199000) local function f(n) if n > 190 then return 'z' end return "
     "(string.gsub('a', p, function() return f(n + 1) end)) end error(f(1))"},
    {"rehashing by next",
     "local t = {} while true do for i = 1, 100 do t[i] = i end for k in next, t do t[k] = nil end "
     "end"},
};

/// Their ends: an error that says that memory is out, or that something is too large or too deep.
const Attack kGreedy[] = {
    {"a growing table", "local t = {} while true do t[#t + 1] = {} end"},
    {"a growing string", "local s = 'x' while true do s = s .. s end"},
    {"string.rep", "return ('x'):rep(1e9)"},
    {"string.rep of string.rep", "local s = ('x'):rep(1e7) return s:rep(1e7)"},
    {"string.format",
     "local s = ('x'):rep(1e7) local f = ('%s'):rep(50) return "
     "f:format(s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,s,"
     "s,s,s,s,s,s,s,s)"},
    {"gsub", "local s = ('x'):rep(1e5) return (s:gsub('x', s))"},
    {"table.concat",
     "local s = ('x'):rep(1e6) local t = {} for i = 1, 1000 do t[i] = s end return "
     "table.concat(t)"},
    {"table.concat with a separator",
     "local s = ('x'):rep(1e6) local t = {} for i = 1, 1000 do t[i] = '' end return "
     "table.concat(t, s)"},
    {"recursion", "local function f() return 1 + f() end return f()"},
    {"recursion through pcall",
     "local function f() local ok, e = pcall(f) if not ok then error(e, 0) end end f()"},
    {"recursion through gsub", "local function f() return (string.gsub('x', 'x', f)) end f()"},
    {"recursion through sort", "local function f() table.sort({1, 2}, f) return false end f()"},
    {"recursion through coroutines",
     "local function f() local ok, e = coroutine.resume(coroutine.create(f)) if not ok then "
     "error(e, 0) end end f()"},
    {"recursion through __index",
     "local t t = setmetatable({}, {__index = function(_, k) return t[k .. 'x'] end}) return t.x"},
    {"recursion through __tostring",
     "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) return "
     "tostring(t)"},
    {"recursion through load",
     "local function f() load(f) error('deep') end f() local t = {} while true do t[#t + 1] = {} "
     "end"},
    {"unpack", "local t = {} for i = 1, 1e6 do t[i] = i end return select('#', unpack(t))"},
    {"string.byte of much", "return select('#', ('x'):rep(1e6):byte(1, -1))"},
    {"a chunk with deep brackets",
     "return loadstring('return ' .. ('('):rep(1e5) .. '1' .. (')'):rep(1e5))()"},
    {"a chunk with deep tables",
     "return loadstring('return ' .. ('{'):rep(1e5) .. ('}'):rep(1e5))()"},
    {"a chunk with deep functions",
     "return loadstring(('return function() '):rep(1e4) .. ('end '):rep(1e4))()"},
    {"load with a reader without an end", "return load(function() return ' ' end)"},
    {"many coroutines",
     "local t = {} while true do local c = coroutine.create(function() coroutine.yield() end) "
     "coroutine.resume(c) t[#t + 1] = c end"},
    {"cjson.encode of a string with escapes", "return cjson.encode(('\\0'):rep(4e7))"},
    {"cjson.encode of a table that holds one string many times",
     "local s = ('x'):rep(1e6) local t = {} for i = 1, 1000 do t[i] = s end return "
     "cjson.encode(t)"},
    {"cjson.encode of a table that doubles",
     "local t = {1} for i = 1, 40 do t = {t, t} end return cjson.encode(t)"},
    {"cjson.encode of a table that holds itself", "local t = {} t[1] = t return cjson.encode(t)"},
    {"cjson.decode of deep nesting", "return cjson.decode(('['):rep(1e6))"},
    {"cmsgpack.pack of a table that holds one string many times",
     "local s = ('x'):rep(1e6) local t = {} for i = 1, 1000 do t[i] = s end return "
     "cmsgpack.pack(t)"},
    {"cmsgpack.unpack of a lie about length",
     "return cmsgpack.unpack('\\221\\255\\255\\255\\255')"},
    {"a reply that holds one string many times",
     "local s = ('x'):rep(1e6) local t = {} for i = 1, 1000 do t[i] = s end return t"},
    {"a reply that doubles", "local t = {1} for i = 1, 40 do t = {t, t} end return t"},
    {"a reply in a map that doubles",
     "local t = {map = {a = 1}} for i = 1, 40 do t = {map = {a = t, b = t}} end return t"},
    {"struct.pack of large sizes",
     "return struct.pack('c0', ('x'):rep(4e7)) .. struct.pack('c0', ('y'):rep(4e7))"},
    {"an error that fails in its metatable",
     "error(setmetatable({}, {__index = function() error('x') end, __newindex = function() "
     "error('y') end}))"},
    {"an error that is a library", "error(redis)"},
    {"one string many times in a command",
     "local s = ('x'):rep(1e6) local t = {} for i = 1, 200 do t[i] = s end return "
     "redis.call('DEL', unpack(t))"},
    {"the memory limit inside pcall",
     "local t = {} while true do local ok, e = pcall(function() while true do t[#t + 1] = {} end "
     "end) if not ok then error(e, 0) end end"},
};

/// None may lead out of the sandbox: each returns 'safe', or fails.
const Attack kEscapes[] = {
    {"debug", "return rawget(_G, 'debug') == nil and 'safe' or 'found'"},
    {"ffi by require",
     "return rawget(_G, 'require') == nil and 'safe' or tostring(require('ffi'))"},
    {"package.loaded", "return rawget(_G, 'package') == nil and 'safe' or 'found'"},
    {"io and os",
     "local os = rawget(_G, 'os') or {clock = 1} return rawget(_G, 'io') == nil and next(os) == "
     "'clock' and next(os, 'clock') == nil and 'safe' or 'found'"},
    {"the loader functions",
     "return rawget(_G, 'dofile') == nil and rawget(_G, 'loadfile') == nil and 'safe' or 'found'"},
    {"getfenv",
     "return rawget(_G, 'getfenv') == nil and rawget(_G, 'setfenv') == nil and 'safe' or 'found'"},
    {"getfenv through a loaded chunk",
     "return pcall(loadstring('return getfenv(0)')) and 'found' or 'safe'"},
    {"newproxy", "return rawget(_G, 'newproxy') == nil and 'safe' or 'found'"},
    {"jit", "return rawget(_G, 'jit') == nil and 'safe' or 'found'"},
    {"bytecode by loadstring",
     "return loadstring(string.dump(function() return 1 end)) == nil and 'safe' or 'found'"},
    {"bytecode of LuaJIT's by loadstring",
     "return loadstring('\\27LJ\\2') == nil and 'safe' or 'found'"},
    {"bytecode by load",
     "local done return load(function() if not done then done = true return '\\27LJ\\2' end end) "
     "== nil and 'safe' or 'found'"},
    {"a metatable for _G",
     "pcall(setmetatable, _G, {__newindex = function() end}) local ok = pcall(function() x = 1 "
     "end) return ok and 'found' or 'safe'"},
    {"the metatable of _G",
     "local m = getmetatable(_G) pcall(rawset, m, '__newindex', rawset) pcall(rawset, m, "
     "'__index', function() return 'found' end) local ok, e = pcall(function() return anything "
     "end) return ok and e or 'safe'"},
    {"the metatable of a library",
     "local m = getmetatable(string) return m == nil and 'safe' or 'found'"},
    {"the metatable of strings",
     "pcall(rawset, getmetatable(''), '__index', {upper = function() return 'found' end}) return "
     "('x'):upper() == 'X' and 'safe' or 'found'"},
    {"a library through pairs",
     "for k, v in pairs(_G) do if type(v) == 'table' and k ~= 'KEYS' and k ~= 'ARGV' then if "
     "pcall(rawset, v, 'x', 1) or pcall(function() v.x = 1 end) then return 'found in ' .. k end "
     "end end return 'safe'"},
    {"a library through next",
     "local k, v = next(_G) while k do if type(v) == 'table' and k ~= 'KEYS' and k ~= 'ARGV' and "
     "pcall(table.insert, v, 1) then return 'found in ' .. k end k, v = next(_G, k) end return "
     "'safe'"},
    {"a library through table.foreach",
     "local hit = 'safe' table.foreach(_G, function(k, v) if type(v) == 'table' and k ~= 'KEYS' "
     "and k ~= 'ARGV' and pcall(rawset, v, 'x', 1) then hit = k end end) return hit"},
    {"a library through its metamethods",
     "return getmetatable(_G).__newindex == nil and 'safe' or 'found'"},
    {"a library through a coroutine",
     "local ok = coroutine.resume(coroutine.create(function() string.upper = nil end)) return ok "
     "and 'found' or 'safe'"},
    {"a library through the error handler",
     "local ok, m = xpcall(function() string.upper = nil end, function(e) return e end) return ok "
     "and 'found' or 'safe'"},
    {"the registry through cjson", "return pcall(cjson.encode, _G) and 'safe' or 'safe'"},
    {"__gc",
     "setmetatable({}, {__gc = function() while true do end end}) collectgarbage() return 'safe'"},
    {"__metatable of a library",
     "local ok = pcall(setmetatable, setmetatable({}, {__metatable = getmetatable(_G)}), {}) "
     "return ok and 'found' or 'safe'"},
    {"string.dump of our functions", "return pcall(string.dump, redis.call) and 'found' or 'safe'"},
    {"a goto out", "return loadstring('goto out ::out::') == nil and 'safe' or 'found'"},
    {"cdata literals", "return loadstring('return 1LL') == nil and 'safe' or 'found'"},
    {"the error handler as an accessor",
     "local t = __redis__err__handler(setmetatable({}, {__newindex = function(t, k, v) end})) "
     "return 'safe'"},
};

std::string text_of(const redis::Reply& reply) { return reply.text; }

/// Takes what scripts log.
class Log : public lua::ScriptCommands {
 public:
  redis::Reply call(redis::Command, lua::Protocol) override { return {}; }
  std::optional<bool> may_run(redis::Command) override { return true; }
  void log(base::LogLevel, std::string_view logged) override { text = logged; }
  void on_partial_replication() override {}
  const redis::Product& product() const override { return product_; }

  std::string text;

 private:
  redis::Product product_{{7, 0, 0}, {}};
};

/// What ScriptedConnection needs.
struct Plain {
  explicit Plain(const redis::Url& url, const redis::ConnectionOptions& options = {})
      : connection(url, options),
        table(redis::CommandTable::read(connection)),
        commands(connection, table, redis::Product::read(connection), 0, {}) {}

  redis::Reply keys() {
    const std::string_view all[] = {"KEYS", "*"};
    return commands.call(all, lua::Protocol::kResp2);
  }

  redis::Connection connection;
  redis::CommandTable table;
  task::ScriptedConnection commands;
};

void fill(Server& server, int count) {
  server.call({"EVAL", "for i = 1, ARGV[1] do redis.call('SET', ('k'):rep(50) .. i, 1) end", "0",
               std::to_string(count)});
}

}  // namespace

TEST_CASE("the time limit ends every script that does not end by itself") {
  Server server;
  task::LocalEvaluator evaluator(server.endpoint(), tight());
  for (const Attack& attack : kEndless) {
    CAPTURE(attack.name);
    const auto result = evaluator.evaluate({attack.script, {}, {}});
    CHECK(result.stopped);
    CHECK(text_of(result.reply).find("its time is up") != std::string::npos);
    CHECK(evaluator.evaluate({"return 1", {}, {}}).reply.integer == 1);
  }
}

TEST_CASE("the memory limit ends every script that takes without end") {
  Server server;
  auto options = tight();
  options.timeout = std::chrono::seconds(20);
  task::LocalEvaluator evaluator(server.endpoint(), options);
  for (const Attack& attack : kGreedy) {
    CAPTURE(attack.name);
    const auto result = evaluator.evaluate({attack.script, {}, {}});
    CAPTURE(text_of(result.reply).substr(0, 200));
    CHECK(result.reply.is_error());
    CHECK_FALSE(result.stopped);
    CHECK(evaluator.evaluate({"return 1", {}, {}}).reply.integer == 1);
  }
}

TEST_CASE("nothing leads out of the sandbox") {
  Server server;
  task::LocalEvaluator evaluator(server.endpoint(), tight());
  for (const Attack& attack : kEscapes) {
    CAPTURE(attack.name);
    const auto result = evaluator.evaluate({attack.script, {}, {}});
    CHECK(text_of(result.reply) == "safe");
    CHECK(text_of(evaluator.evaluate({"return string.upper('still there')", {}, {}}).reply) ==
          "STILL THERE");
  }
}

TEST_CASE("what a script leaves in memory is not missing to the next") {
  Server server;
  auto options = tight();
  options.timeout = std::chrono::seconds(20);
  task::LocalEvaluator evaluator(server.endpoint(), options);
  const std::string needy = "return #('x'):rep(1e7)";
  const std::string hoarders[] = {
      "for i = 1, 63 do loadstring('--' .. i .. ('x'):rep(400000) .. '\\nreturn 1')() end",
      "collectgarbage('stop') local t = {} for i = 1, 3e5 do t[i] = {} end", "local t = {" + [] {
        std::string rows;
        for (int i = 0; i < 50'000; ++i) rows += "{1},";
        return rows;
      }() + "} return #t"};
  for (const std::string& hoarder : hoarders) {
    CAPTURE(hoarder.substr(0, 60));
    CHECK_FALSE(evaluator.evaluate({hoarder, {}, {}}).reply.is_error());
    CHECK(evaluator.evaluate({needy, {}, {}}).reply.integer == 10'000'000);
  }
}

TEST_CASE("what a script logs is cut, however often it names one large string") {
  Log log;
  lua::Interpreter interpreter(base::Bytes{48 << 20}, log);
  const auto result =
      interpreter.run({"local s = ('x'):rep(1e6) local t = {} for i = 1, 100 do t[i] = s end "
                       "redis.log(redis.LOG_WARNING, unpack(t)) return 1",
                       "sha",
                       {},
                       {}},
                      base::kNever);
  CHECK(result.reply.integer == 1);
  CHECK(log.text.size() == 64 * 1024);
}

TEST_CASE("a KEYS that is cut off is no short list, and no error that a script could catch") {
  Server server;
  fill(server, 20'000);
  Plain late(server.url());
  late.commands.begin_script(false, std::chrono::steady_clock::now());
  CHECK_THROWS_AS(late.keys(), base::Aborted);

  redis::ConnectionOptions small;
  small.reply_limit = base::Bytes{1 << 20};
  Plain narrow(server.url(), small);
  CHECK_THROWS_AS(narrow.keys(), redis::RedisError);

  CHECK(Plain(server.url()).keys().elements.size() == 20'000);
}

TEST_CASE("a first line cannot make replies of its own") {
  Server server;
  task::LocalEvaluator local(server.endpoint(), tight());
  task::ServerEvaluator in_server(server.endpoint(), std::chrono::seconds(5));
  server.call({"SET", "a", "real"});
  for (task::Evaluator* evaluator :
       {static_cast<task::Evaluator*>(&local), static_cast<task::Evaluator*>(&in_server)}) {
    for (const char* line : {"#!\"x\\r\\n*1\"", "#!\"x\\r\\n+PWNED\"", "#!lua x\r"}) {
      CHECK(evaluator->evaluate({std::string(line) + "\nreturn 1", {}, {}}).reply.is_error());
      CHECK(text_of(evaluator->evaluate({"return redis.call('GET', 'a')", {}, {}}).reply) ==
            "real");
    }
  }
}

TEST_CASE("a script ends when Redis is gone, even if it catches errors") {
  Server server;
  task::LocalEvaluator evaluator(server.endpoint(), {});
  CHECK(evaluator.evaluate({"return 1", {}, {}}).reply.integer == 1);
  CHECK_THROWS_AS(server.call({"SHUTDOWN", "NOSAVE"}), redis::RedisError);
  CHECK_THROWS_AS(evaluator.evaluate({"while true do pcall(redis.call, 'PING') end", {}, {}}),
                  redis::RedisError);
}

TEST_CASE("a script sees nothing of the one before") {
  Server server;
  task::LocalEvaluator evaluator(server.endpoint(), tight());
  const auto run = [&](const char* script) {
    return evaluator.evaluate({script, {"k"}, {"a"}}).reply;
  };
  run("KEYS.left = 1 ARGV.left = 1 cjson.encode_max_depth(1) math.randomseed(7) redis.setresp(3) "
      "collectgarbage('stop') getmetatable(_G)");
  run("redis.call('SELECT', 3) error('x')");
  CHECK(run("return (KEYS.left or ARGV.left) and 1 or 0").integer == 0);
  CHECK(run("return cjson.encode({{{}}})").text == "[[{}]]");
  CHECK(run("return math.random(1000000)").integer == run("return math.random(1000000)").integer);
  CHECK(run("return redis.call('GET', 'none')").is_nil());
  CHECK(run("redis.call('SET', 'home', '1') return #redis.call('KEYS', '*')").integer == 1);
  CHECK(server.text({"GET", "home"}) == "1");
}
