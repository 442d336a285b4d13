#include "lua/source.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "lua/script_error.hpp"

using namespace moonshift;
using lua::as_lua51;
using lua::ChunkKind;

namespace {

std::string script(std::string_view source) {
  return as_lua51(source, "user_script", ChunkKind::kScript);
}

std::string part(std::string_view source) { return as_lua51(source, "part", ChunkKind::kPart); }

std::string error_of(std::string_view source) {
  try {
    return "no error: " + script(source);
  } catch (const lua::ScriptError& error) {
    return error.what();
  }
}

std::string repeated(int times, std::string_view text) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

/// `a0, a1, ...`
std::string names(int count) {
  std::string result = "a0";
  for (int i = 1; i < count; ++i) result += fmt::format(", a{}", i);
  return result;
}

}  // namespace

TEST_CASE("what means the same in both stays as it is") {
  for (const std::string_view source :
       {"", "\n\n", "return 1", "local a, b = 1.5, .5 return a .. b -- [[ \n--[==[\n]] ]==]",
        "return \"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\065\\\n\\\r\n\"",
        "return [==[ ]] \r\n ]==], [[ [[ ]]",
        "local goto = {goto = 1} goto.goto = goto goto:goto() return goto",
        "function a.b.c:d(x, ...) return ... end", "while true do break end return;",
        "local t = {1; [2] = 3, x = 4, f{}, f'', f[[]], f.x}", "x = -a^-b .. not #c"}) {
    CHECK(script(source) == source);
  }
}

TEST_CASE("an unknown escape is the character itself") {
  CHECK(script(R"(return "\x41 \u{48} \z \q" .. '\"\/')") == R"(return "x41 u{48} z q" .. '\"/')");
  CHECK(script("return \"\\\\x41\"") == "return \"\\\\x41\"");
}

TEST_CASE("a number is spelt as LuaJIT takes it, and ends where it ends in Lua 5.1") {
  CHECK(script("return 0x1p4, 0XA, 1E+2") == "return 16, 10, 100");
  CHECK(script("return 1e99999999999, 1e-99999999999") == "return 1e999, 0");
  CHECK(script("return 0x10..1") == "return 16 ..1");
  CHECK(script("return 123456789012345678901234567890") == "return 1.2345678901234568e+29");
  CHECK(error_of("return 0b1") == "user_script:1: malformed number near '0b1'");
  CHECK(error_of("return\n0xA.8") == "user_script:2: '<eof>' expected near '.8'");
}

TEST_CASE("the last call of a script keeps the script's line") {
  CHECK(script("return f()") == "return f(),nil ");
  CHECK(script("if x then return redis.call('PING')end") ==
        "if x then return redis.call('PING'),nil end");
  CHECK(script("return a, f()") == "return a, f()");
  CHECK(script("return (f())") == "return (f())");
  CHECK(script("return f() + 1") == "return f() + 1");

  // Unless it is certain that Lua 5.1 leaves the script, too.
  CHECK(script("local function f() end return f()") == "local function f() end return f()");
  CHECK(script("local f = function() end return f()") == "local f = function() end return f()");
  CHECK(script("local function f() end f = 1 return f()") ==
        "local function f() end f = 1 return f(),nil ");
}

TEST_CASE("a function that calls a library's function last keeps its line") {
  const auto body = [](const std::string& before, const std::string& text) {
    const std::string whole = script(before + "function f() " + text + " end");
    return whole.substr(before.size() + 13, whole.size() - before.size() - 17);
  };
  CHECK(body("", "return redis.call('PING')") == "return select(1,redis.call('PING'))");
  CHECK(body("", "return error'x';") == "return select(1,error'x');");
  CHECK(body("", "return ('x'):rep(3)") == "return select(1,('x'):rep(3))");
  CHECK(body("", "return ARGV[1]:rep(3)") == "return select(1,ARGV[1]:rep(3))");
  CHECK(body("local call = redis.call ", "return call('PING')") == "return select(1,call('PING'))");
  CHECK(body("local r = redis ", "return r.call('PING')") == "return select(1,r.call('PING'))");

  // What may be a function of the script's may call itself without limit.
  CHECK(body("", "return x.y.z(1), 2") == "return x.y.z(1), 2");
  for (const std::string_view before :
       {"local call ", "local call = redis.call call = 1 ", "local call = f() ",
        "local call = redis.call for call in x do end local call ", "local call = a or error ",
        "local function call() end ", "local redis = {} local call = redis.call "}) {
    CHECK(body(std::string(before), "return call('PING')") == "return call('PING')");
  }
  CHECK(body("", "local redis = {} return redis.call()") == "local redis = {} return redis.call()");
  CHECK(body("local select ", "return error()") == "return error()");
  CHECK(body("local o = {} ", "return o:m()") == "return o:m()");
  CHECK(body("local call = redis.call ", "return call(1) end call = 2 do") ==
        "return call(1) end call = 2 do");
}

TEST_CASE("a part of a script returns all its values") {
  CHECK(part("return f(1)") == "return select(1,f(1))");
  CHECK(part("local f = ... return f(1)") == "local f = ... return f(1)");
}

TEST_CASE("a vararg function has a table arg, unless it uses the varargs themselves") {
  CHECK(script("function f(...) return arg end") ==
        "function f(...) local arg={n=select('#',...),...}; return arg end");
  CHECK(script("function f(a, ...) return {...}, arg end") ==
        "function f(a, ...) local arg; return {...}, arg end");
  CHECK(script("function f(...) return function() arg.n = 1 end end") ==
        "function f(...) local arg={n=select('#',...),...}; return function() arg.n = 1 end end");
  CHECK(script("local select function f(...) return arg end") ==
        "local select function f(...) local arg={n=#{...},...}; return arg end");
  for (const std::string_view source :
       {"return arg", "function f() return arg end", "function f(arg) return arg end",
        "function f(...) local arg = 1 return arg end", "function f(...) return x.arg end"}) {
    CHECK(script(source) == source);
  }
}

TEST_CASE("what Lua 5.1 refuses is refused in its words") {
  struct Refused {
    std::string_view source, error;
  };
  for (const auto& [source, error] : std::vector<Refused>{
           {"::a::", "1: unexpected symbol near ':'"},
           {"goto x", "1: '=' expected near 'x'"},
           {"local 1", "1: '<name>' expected near '1'"},
           {"local \xc3\xa9", "1: '<name>' expected near '\xc3'"},
           {"\xef\xbb\xbfreturn 1", "1: unexpected symbol near '\xef'"},
           {"# x", "1: unexpected symbol near '#'"},
           {"\x1bLuaQ", "1: unexpected symbol near 'char(27)'"},
           {std::string_view("x\0", 2), "1: '=' expected"},
           {"return \"a\\300\"", "1: escape sequence too large near '\"a'"},
           {"return 'a\nb'", "1: unfinished string near ''a'"},
           {"return 'a\\\nb\\65' 'c", "2: unfinished string near '<eof>'"},
           {"x = 1 'a\\\nb\\65'", "2: unexpected symbol near ''a\nbA''"},
           {"return [[a\n", "2: unfinished long string near '<eof>'"},
           {"--[[a\n", "2: unfinished long comment near '<eof>'"},
           {"return [==x", "1: invalid long string delimiter near '[=='"},
           {"f\n(g)", "2: ambiguous syntax (function call x new statement) near '('"},
           {"if x then\n\n", "3: 'end' expected (to close 'if' at line 1) near '<eof>'"},
           {"break", "1: no loop to break near '<eof>'"},
           {"while x do break y() end", "1: 'end' expected near 'y'"},
           {"a, f() = 1", "1: syntax error near '='"},
           {"(a) = 1", "1: syntax error near '='"},
           {"function f() return ... end",
            "1: cannot use '...' outside a vararg function near '...'"}}) {
    CHECK(error_of(source) == fmt::format("user_script:{}", error));
  }
}

TEST_CASE("the limits of Lua 5.1") {
  CHECK(error_of("local " + names(200)).starts_with("no error"));
  CHECK(error_of("local " + names(201)) ==
        "user_script:1: main function has more than 200 local variables");
  CHECK(error_of("\nfunction f(" + names(201) + ") end") ==
        "user_script:2: function at line 2 has more than 200 local variables");
  CHECK(error_of("local " + names(60) + " function f() return " + names(60) + " end")
            .starts_with("no error"));
  CHECK(error_of("local " + names(61) + "\nfunction f()\nreturn " + names(61) + " end") ==
        "user_script:3: function at line 2 has more than 60 upvalues");
  const std::string too_deep = "user_script:1: chunk has too many syntax levels";
  for (const int levels : {300, 1'000'000}) {
    for (const std::string_view opening :
         {"return (", "x = {", "x = - ", "f(", "x = not ", "x = 1 .. ", "x = 1 ^ ", "x[", "do ",
          "if x then ", "while x do ", "function f() ", "x = function() return ", "repeat "}) {
      const auto repeating = opening.substr(opening.starts_with("x = ")       ? 4
                                            : opening.starts_with("return (") ? 7
                                                                              : 0);
      CHECK(error_of(std::string(opening) + repeated(levels, repeating)) == too_deep);
    }
  }
  CHECK(error_of("f(" + repeated(300, "1,") + "1)") ==
        "user_script:1: function or expression too complex near '1'");
}

TEST_CASE("lines are counted as by Lua, whatever ends them") {
  CHECK(error_of("\r\n\n\r\r\n\n--\r\n@") == "user_script:6: unexpected symbol near '@'");
  CHECK(error_of("x = [[\r\n\r\n]] 'a\\\r\nb' @") ==
        "user_script:4: unexpected symbol near ''a\nb''");
}

TEST_CASE("a chunk is shown as Lua 5.1 shows it") {
  using lua::chunk_id;
  CHECK(chunk_id("@user_script") == "user_script");
  CHECK(chunk_id("=x") == "x");
  CHECK(chunk_id("") == "[string \"\"]");
  CHECK(chunk_id("return 1") == "[string \"return 1\"]");
  CHECK(chunk_id("return 1\nreturn 2") == "[string \"return 1...\"]");
  for (const std::size_t size : {lua::kChunkIdSize, lua::kCompilerChunkIdSize}) {
    const std::string text(size - 17, 'x'), path(size - 8, 'x');
    CHECK(chunk_id(text, size) == "[string \"" + text + "\"]");
    CHECK(chunk_id(text + "y", size) == "[string \"" + text + "...\"]");
    CHECK(chunk_id("@" + path, size) == path);
    CHECK(chunk_id("@y" + path, size) == "..." + path);
  }
}
