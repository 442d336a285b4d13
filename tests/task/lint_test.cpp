#include "task/lint.hpp"

#include <algorithm>
#include <cctype>

#include "base/error.hpp"
#include "redis/command_table.hpp"
#include "support/script_directory.hpp"
#include "support/server.hpp"
#include "task/lint_commands.hpp"
#include "task/script.hpp"

using namespace moonshift;

namespace {

const std::string kComment =
    "--- Does something.\n---\n--- For Redis 7. Never touched: the rest.\n";

/// A task with these bodies of find and each; what stands before it begins on line 4.
std::string a_task(const std::string& find, const std::string& each, const std::string& before = "",
                   const std::string& params = "prefix = { type = 'string', help = 'which' }") {
  return kComment + before + "\nreturn task {\nparams = { " + params +
         " },\nfind = function(p, emit) " + find + " end,\neach = function(p, key)\n" + each +
         "\nend,\n}\n";
}

std::string told(const std::vector<task::Complaint>& complaints) {
  std::string text;
  for (const auto& complaint : complaints) text += complaint.text + "\n";
  return text;
}

std::string lint(const std::string& text, const std::string& library = "return {}") {
  const test::ScriptDirectory directory;
  directory.write("try", text);
  directory.write("lib/helper", library);
  return told(task::lint(directory.catalog(), "try"));
}

const std::string kFind = "emit(p.prefix)";
const std::string kEach = "return 'kept'";

}  // namespace

TEST_CASE("what ships has no fault") {
  for (const auto& [path, line, column, text] : task::lint_all(task::Catalog())) {
    CAPTURE(path);
    CAPTURE(line);
    CAPTURE(column);
    FAIL_CHECK(text);
  }
}

TEST_CASE("each fault is found") {
  struct Case {
    const char* name;
    std::string text, complaint;
    std::string library = "return {}";
  };
  const std::string module = "local helper = {}\n", end = "\nreturn helper";
  const std::string requires_helper = "local helper = require 'lib.helper'";
  const Case cases[] = {
      {"no comment", "return check { run = function(p) return {} end }",
       "must begin with a comment"},
      {"a comment without a summary", "---\nreturn check { run = function(p) return {} end }",
       "must begin with a comment"},
      {"no versions",
       "--- Does it.\n--- Never touched: much.\n" + a_task(kFind, kEach).substr(kComment.size()),
       "which versions it is for"},
      {"nothing that is left alone",
       "--- Does it.\n--- For all.\n" + a_task(kFind, kEach).substr(kComment.size()),
       "what it leaves alone"},
      {"a script that does not compile", kComment + "return task {",
       "unexpected symbol near '<eof>'"},
      {"a plain script that does not compile", kComment + "x =", "unexpected symbol"},
      {"what LuaJIT takes and Redis does not", a_task(kFind, "goto out ::out:: return 'kept'"),
       "'=' expected near 'out'"},
      {"a declaration that is wrong", kComment + "return task {}", "needs a function 'find'"},
      {"a parameter without help", a_task(kFind, kEach, "", "prefix = { type = 'string' }"),
       "needs a help text"},
      {"a task that is made elsewhere",
       kComment + "local made = task { find = function() end, each = function() end }\nreturn made",
       "it cannot be checked"},

      {"KEYS in find", a_task("emit(redis.call('KEYS', p.prefix)[1])", kEach), "KEYS takes all"},
      {"SMEMBERS in each", a_task(kFind, "redis.call('smembers', key)"), "smembers takes all"},
      {"LRANGE of all", a_task(kFind, "redis.call('LRANGE', key, 0, -1)"), "LRANGE takes all"},
      {"ZRANGE of all in words", a_task(kFind, "redis.call('ZRANGE', key, '0', '-1')"),
       "ZRANGE takes all"},
      {"ZRANGEBYSCORE of all", a_task(kFind, "redis.call('ZRANGEBYSCORE', key, '-inf', '+inf')"),
       "without LIMIT"},
      {"XRANGE of all", a_task(kFind, "redis.call('XRANGE', key, '-', '+')"), "without COUNT"},
      {"HGETALL in pipelined", a_task(kFind, "pipelined { { 'HGETALL', key } }"),
       "HGETALL takes all"},
      {"HGETALL in a table of commands",
       a_task(kFind, "local all = {} all[1] = { 'HGETALL', key } pipelined(all)"),
       "HGETALL takes all"},
      {"HGETALL by redis.pcall", a_task(kFind, "redis.pcall('HGETALL', key)"), "HGETALL takes all"},
      {"HGETALL by pcall", a_task(kFind, "pcall(redis.call, 'HGETALL', key)"), "HGETALL takes all"},
      {"one of two commands", a_task(kFind, "redis.call(key and 'HLEN' or 'HGETALL', key)"),
       "HGETALL takes all"},
      {"HGETALL in a function of the file",
       a_task(kFind, "all(key)", "local function all(key) return redis.call('HGETALL', key) end"),
       "HGETALL takes all"},
      {"HGETALL in a library", a_task(kFind, "helper.all(key)", requires_helper),
       "HGETALL takes all",
       module +
           "local function get(key) return redis.call('HGETALL', key) end\n"
           "function helper.all(key) return get(key) end" +
           end},
      {"HGETALL in a library's table", a_task(kFind, "helper.all(key)", requires_helper),
       "HGETALL takes all",
       "local function get(key) return redis.call('HGETALL', key) end return { all = get }"},
      {"an excuse that says nothing", a_task(kFind, "redis.call('HGETALL', key) -- bounded: "),
       "HGETALL takes all"},
      {"an excuse on another line", a_task(kFind, "redis.call('HGETALL', key)\n-- bounded: small"),
       "HGETALL takes all"},

      {"a write in find", a_task("redis.call('DEL', p.prefix)", kEach),
       "find only reads, and this is DEL"},
      {"a transaction in find",
       a_task("atomically({}, function(write) write('SET', p.prefix, 1) end)", kEach),
       "find only reads, and this is SET"},
      {"a write in verify",
       a_task(kFind, kEach + " end, verify = function(p) redis.call('INCR', p.prefix)"),
       "verify only reads, and this is INCR"},
      {"a write in a check",
       "--- Looks.\nreturn check { run = function() pipelined { { 'CONFIG', 'SET', 'x', 1 } } end "
       "}",
       "run only reads, and this is CONFIG SET"},
      {"a write in a library that find uses", a_task("helper.add(p)", kEach, requires_helper),
       "find only reads, and this is SADD",
       module + "function helper.add(p) redis.call('SADD', p.prefix, 1) end" + end},

      {"a write in a table of functions",
       a_task("for _, kind in ipairs { 'a' } do kinds[kind].add(p) end", kEach,
              "local kinds = { a = { add = function(p) redis.call('SADD', p.prefix, 1) end } }"),
       "find only reads, and this is SADD"},

      {"a command that is no literal", a_task(kFind, "local verb = 'DEL' redis.call(verb, key)"),
       "name it by a literal"},
      {"a command in a list", a_task(kFind, "redis.call(unpack({ 'DEL', key }))"),
       "name it by a literal"},
      {"a write that is no literal",
       a_task(kFind, "atomically({ key }, function(write) write(key) end)"),
       "name it by a literal"},
      {"a command of pipelined that is no literal", a_task(kFind, "pipelined { { key } }"),
       "name it by a literal"},
      {"redis.call as a value", a_task(kFind, "local call = redis.call"), "name it by a literal"},

      {"a parameter that nobody reads", a_task("emit('x')", kEach),
       "'prefix' is declared and not used"},
      {"a parameter that is not declared", a_task(kFind, "return p.grace"),
       "'grace' is not declared"},
      {"a global", a_task(kFind, "return prnt(key)"), "there is no global 'prnt'"},
      {"a global of Lua that tasks have not", a_task(kFind, "print(key)"),
       "there is no global 'print'"},
      {"a local that has ended", a_task(kFind, "do local a = 1 end return a"),
       "there is no global 'a'"},
      {"a local in its own value", a_task(kFind, "local a = a"), "there is no global 'a'"},
      {"an assignment to a global", a_task(kFind, "found = key"), "'found' is a global"},
      {"a global function", a_task(kFind, "function found() end"), "'found' is a global"},

      {"a key outside the prefix", a_task(kFind, "redis.call('DEL', 'foo')"),
       "does not begin with the task's own prefix"},
      {"such a key with something behind", a_task(kFind, "redis.call('DEL', 'foo:' .. key)"),
       "prefix"},
      {"such a key after a subcommand", a_task(kFind, "redis.call('XINFO', 'STREAM', 'foo')"),
       "prefix"},
      {"a library that is not there", a_task(kFind, "require('lib.nothing')"),
       "there is no such library"},
      {"a library that is no literal", a_task(kFind, "require(key)"), "which library it is"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const std::string complaints = lint(c.text, c.library);
    CAPTURE(complaints);
    CHECK(complaints.find(c.complaint) != std::string::npos);
    CHECK(std::count(complaints.begin(), complaints.end(), '\n') == 1);
  }
}

TEST_CASE("what is right is no fault") {
  struct Case {
    const char* name;
    std::string text;
    std::string library = "return {}";
  };
  const std::string requires_helper = "local helper = require 'lib.helper'";
  const Case cases[] = {
      {"a task", a_task(kFind, kEach)},
      {"a plain script", "--- Says so.\nreturn redis.call('KEYS', ARGV[1])"},
      {"a check that reads",
       "--- Looks.\nreturn check { run = function() redis.call('INFO', 'memory') "
       "redis.call('CONFIG', 'GET', 'x') return {} end }"},
      {"an excuse", a_task(kFind, "redis.call('HGETALL', key) -- bounded: ten fields at most")},
      {"another excuse", a_task(kFind, "redis.call(key, key) -- commands: GET, HGET")},
      {"pages",
       a_task(kFind,
              "redis.call('LRANGE', key, 0, 99) redis.call('ZRANGEBYSCORE', key, '-inf', '+inf', "
              "'LIMIT', 0, 10) redis.call('XRANGE', key, '-', '+', 'COUNT', 10)")},
      {"locals of every kind",
       a_task(kFind,
              "local a, b = 1, 2 for i = 1, a do b = i end for k, v in pairs({ b }) do k = v end "
              "repeat local c = a until c local function d(...) return d, ... end "
              "if a then local e = d() e.f = e[a]:g 'h' { i = j } elseif b then return end while b "
              "do break end",
              "local j")},
      {"a parameter that a library reads", a_task("helper.keys(p)", kEach, requires_helper),
       "local helper = {} function helper.keys(p) return p.prefix end return helper"},
      {"a parameter that is read by its name", a_task("emit(p[p.now])", kEach)},
      {"a library's writes that find does not use",
       a_task("helper.look(p)", "helper.add(p)", requires_helper),
       "local helper = {} function helper.look(p) return p.prefix end "
       "function helper.add(p) redis.call('SADD', p.prefix, 1) end return helper"},
      {"a comment that breaks its line anywhere",
       "--- Does it.\n--- For all. Never\n--- touched: much.\n" +
           a_task(kFind, kEach).substr(kComment.size())},
      {"a parameter that is read by a function in a table",
       a_task("for _, look in pairs(kinds) do look(p) end", kEach,
              "local kinds = {} function kinds.one(p) return p.prefix end")},
      {"writes of each in the same table as what find calls",
       a_task("for _, kind in ipairs { 'a' } do kinds[kind].look(p) end", "kinds.a.add(p)",
              "local kinds = {} kinds.a = { look = function(p) return p.prefix end, "
              "add = function(p) redis.call('SADD', p.prefix, 1) end }")},
      {"a table of words",
       a_task("local states = { 'SUCCESS', 'FAILURE' } emit(p.prefix, unpack(states))", kEach)},
      {"a literal key where there is no prefix",
       a_task("emit(p.on)", "redis.call('DEL', 'foo')", "",
              "on = { type = 'string', help = 'what' }")},
      {"no key at all", a_task(kFind, "redis.call('PUBLISH', 'foo', key)")},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(lint(c.text, c.library) == "");
  }
}

TEST_CASE("a fault is told with its place, once") {
  const test::ScriptDirectory directory;
  directory.write("lib/helper",
                  "--- Helps.\nlocal helper = {}\nfunction helper.all(key)\n  return "
                  "redis.call('HGETALL', key)\nend\n"
                  "return helper");
  const std::string text = a_task(kFind, "helper.all(key)", "local helper = require 'lib.helper'");
  directory.write("first", text);
  directory.write("second", text);
  const auto all = task::lint_all(directory.catalog());
  REQUIRE(std::count_if(all.begin(), all.end(), [&](const task::Complaint& complaint) {
            return complaint.path == directory.path() / "lib/helper.lua" && complaint.line == 4 &&
                   complaint.column == 10;
          }) == 1);

  directory.write("broken", kComment + "local x = = 1\nreturn task {}");
  const auto broken = task::lint(directory.catalog(), "broken");
  REQUIRE(broken.size() == 1);
  CHECK(broken[0].line == 4);
  CHECK_THROWS_AS(task::lint(directory.catalog(), "nothing"), base::ConfigError);
}

TEST_CASE("a library is looked at by itself") {
  const test::ScriptDirectory directory;
  directory.write("lib/helper", "return { f = function() x = 1 end }");
  const std::string complaints = told(task::lint(directory.catalog(), "lib.helper"));
  CHECK(complaints.find("must begin with a comment") != std::string::npos);
  CHECK(complaints.find("'x' is a global") != std::string::npos);
  CHECK(told(task::lint(directory.catalog(), directory.path() / "lib/helper.lua")) == complaints);
}

TEST_CASE("the globals that are known are there") {
  std::string text = kComment;
  for (const std::string& name : task::known_globals()) text += "do local _ = " + name + " end\n";
  const test::ScriptDirectory directory;
  directory.write("try", text + "return check { run = function() return {} end }");
  CHECK_NOTHROW(task::Script(directory.catalog(), "try"));
}

TEST_CASE("which commands read and which write is what Redis says") {
  test::Server server;
  const auto names = [](std::span<const std::string_view> list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  const auto has_flag = [](const redis::Reply& entry, const char* flag) {
    const auto& flags = entry.elements.at(2).elements;
    return std::any_of(flags.begin(), flags.end(),
                       [&](const redis::Reply& f) { return f.text == flag; });
  };
  const auto compare = [&](const redis::Reply& entry) {
    // Those of Redis's own modules are upper case.
    std::string name = entry.elements.at(0).text;
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    CAPTURE(name);
    const bool is_part = name.find('|') != std::string::npos;
    CHECK(names(task::reading_commands(), name) == has_flag(entry, "readonly"));
    if (!is_part && has_flag(entry, "write")) CHECK(names(task::writing_commands(), name));
    if (has_flag(entry, "readonly")) CHECK_FALSE(names(task::writing_commands(), name));
  };
  for (const redis::Reply& entry : server.call({"COMMAND"}).elements) {
    compare(entry);
    if (entry.elements.size() <= 9) continue;
    for (const redis::Reply& part : entry.elements[9].elements) compare(part);
  }
}
