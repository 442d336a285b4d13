#include "base/error.hpp"
#include "lua/script_error.hpp"
#include "lua/state.hpp"

using namespace moonshift;
using namespace std::chrono_literals;
using lua::ScriptError;
using lua::State;
using lua::Value;

namespace {

/// Runs `text` as a function in the sandbox; what it returns.
Value run(const std::string& text, const lua::StateLimits& limits = {}) {
  State state(limits);
  state.run_module(
      "local host = ...  return { run = function(text) return assert(host.compile(text, "
      "'@try.lua'))() end }",
      "=test");
  return state.call(state.function("run"), {text});
}

std::string error_of(const std::string& text, const lua::StateLimits& limits = {}) {
  try {
    run(text, limits);
  } catch (const ScriptError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("what leads out of the sandbox is not there") {
  for (const std::string name : {"io", "os", "package", "debug", "ffi", "jit", "print", "dofile",
                                 "loadfile", "load", "getfenv", "setfenv", "newproxy", "module"}) {
    CAPTURE(name);
    CHECK(error_of("return " + name).find("nonexistent global variable '" + std::string(name)) !=
          std::string::npos);
  }
  CHECK(run("return string.dump == nil") == Value(true));
}

TEST_CASE("bytecode is not loaded") {
  CHECK(error_of("\x1bLJ\x02").find("wrong mode") != std::string::npos);
  CHECK(run("return loadstring('\\27LJ') == nil") == Value(true));
}

TEST_CASE(
    "a script makes no globals and reads none that are not there; both errors name it and the "
    "line") {
  CHECK(error_of("x = 1") ==
        "try.lua:1: Script attempted to create global variable 'x': make it local");
  CHECK(error_of("\nreturn y") ==
        "try.lua:2: Script attempted to access nonexistent global variable 'y'");
  CHECK(error_of("setmetatable(_G, {})").find("protected") != std::string::npos);
}

TEST_CASE("the deadline ends a script, also inside pcall") {
  for (const std::string text :
       {"while true do end", "while true do pcall(function() while true do end end) end",
        "local function f() return pcall(f) end while true do f() end",
        "coroutine.wrap(function() while true do end end)()"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(
        run(text, {.memory = {1 << 28}, .deadline = std::chrono::steady_clock::now() + 50ms}),
        base::Aborted);
  }
}

TEST_CASE("memory is limited, and the error says so") {
  CHECK(error_of("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
                 {.memory = {32 << 20}})
            .find("not enough memory") != std::string::npos);
}

TEST_CASE("plain data crosses both ways, bytes included") {
  const std::string bytes("a\0\xff\n", 4);
  const Value::Record record{{"list", Value::List{1.0, true, bytes}}, {"n", 2.5}};
  State state({});
  state.run_module("return { same = function(x) return x end }", "=test");
  CHECK(state.call(state.function("same"), {record}) == Value(record));
}

TEST_CASE("an exception of ours comes out as itself, even if the script catches errors") {
  State state({});
  state.define("stop", [](const lua::Values&) -> Value { throw base::ConfigError("ours"); });
  state.run_module(
      "local host = ... return { run = function() pcall(host.stop) error('too late') end }",
      "=test");
  CHECK_THROWS_AS(state.call(state.function("run")), base::ConfigError);
}
