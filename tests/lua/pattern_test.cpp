#include "lua/library/pattern.hpp"

#include "lua/script_error.hpp"

using moonshift::lua::PatternMatcher;
using moonshift::lua::ScriptError;
using Caret = PatternMatcher::Caret;
using namespace std::string_literals;

namespace {

std::string text_of(const PatternMatcher::Capture& capture) {
  if (const auto* position = std::get_if<std::size_t>(&capture)) return std::to_string(*position);
  return std::string(std::get<std::string_view>(capture));
}

/// The first match as "[begin,end)" with its captures behind it, or what is wrong.
std::string first_match(std::string_view subject, std::string_view pattern,
                        Caret caret = Caret::kAnchors) {
  try {
    PatternMatcher matcher(subject, pattern, caret, [] {});
    const auto found = matcher.search(0);
    if (!found) return "none";
    std::string text = "[" + std::to_string(found->begin) + "," + std::to_string(found->end) + ")";
    for (std::size_t i = 0; i < matcher.captures(); ++i) text += " " + text_of(matcher.capture(i));
    return text;
  } catch (const ScriptError& error) {
    return error.what();
  }
}

std::string repeated(std::size_t times, std::string_view text) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("a pattern finds what the manual says") {
  struct {
    std::string subject, pattern, expected;
  } const cases[] = {
      {"hello", "", "[0,0)"},
      {"hello", "l", "[2,3)"},
      {"hello", "l+", "[2,4)"},
      {"hello", "l-o", "[2,5)"},
      {"hello", "x?e", "[1,2)"},
      {"hello", "^e", "none"},
      {"hello", "o$", "[4,5)"},
      {"a$b", "$b", "[1,3)"},
      {"a^b", "a^", "[0,2)"},
      {"a-b", "[a-]+", "[0,2)"},
      {"a]b", "[]]", "[1,2)"},
      {"a]b", "[^]]*", "[0,1)"},
      {"a%b", "%%", "[1,2)"},
      {"key=value", "(%w+)=(%w+)", "[0,9) key value"},
      {"key=value", "()=()", "[3,4) 4 5"},
      {"key=value", "((k)(e)y)", "[0,3) key k e"},
      {"f(a(b)c)d", "%b()", "[1,8)"},
      {"((a)", "%b()", "[1,4)"},
      {"THE (quick) fox", "%f[%a]%a+%f[%A]", "[0,3)"},
      {"the end", "%f[%z]", "[7,7)"},
      {"abab", "(ab)%1", "[0,4) ab"},
      {"aXbX", "()%1", "none"},
      {"2024-05-01", "^(%d%d%d%d)-(%d%d)", "[0,7) 2024 05"},
      {"a\0b"s, "%z", "[1,2)"},
      {"a\0b"s, "[^%z]+", "[0,1)"},
      {"axb", "a.\0b"s, "[0,2)"},
      {"aaa", "(a*)a(a-)$", "[0,3) aa "},
  };
  for (const auto& one : cases) {
    CAPTURE(one.subject);
    CAPTURE(one.pattern);
    CHECK(first_match(one.subject, one.pattern) == one.expected);
  }
}

TEST_CASE("a wrong pattern is told as by Lua 5.1") {
  struct {
    std::string pattern, expected;
  } const cases[] = {
      {"%", "malformed pattern (ends with '%')"},
      {"[a", "malformed pattern (missing ']')"},
      {"[a%", "malformed pattern (missing ']')"},
      {"[]", "malformed pattern (missing ']')"},
      {"[^", "malformed pattern (missing ']')"},
      {"%bx", "unbalanced pattern"},
      {"%fx", "missing '[' after '%f' in pattern"},
      {"(x", "unfinished capture"},
      {"x)", "invalid pattern capture"},
      {"%1", "invalid capture index"},
      {"(%1)", "invalid capture index"},
      {"%0", "invalid capture index"},
      {repeated(33, "()"), "too many captures"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.pattern);
    CHECK(first_match("xxx", one.pattern) == one.expected);
  }
}

TEST_CASE("a wrong piece of a pattern that the match does not get to is not noticed") {
  CHECK(first_match("abc", "x[") == "none");
}

TEST_CASE("every class has its complement") {
  struct {
    char name;
    std::string members;
  } const classes[] = {{'a', "aZ"},  {'c', "\n\x7f"}, {'d', "09"}, {'l', "az"},  {'p', "!~"},
                       {'s', " \v"}, {'u', "AZ"},     {'w', "a9"}, {'x', "0fF"}, {'z', "\0"s}};
  for (const auto& one : classes) {
    CAPTURE(one.name);
    const std::string complement = {'%', static_cast<char>(std::toupper(one.name))};
    CHECK(first_match(one.members, "^%"s + one.name + "+$") != "none");
    CHECK(first_match(one.members, complement) == "none");
    CHECK(first_match("\xe4", complement) == "[0,1)");
  }
}

TEST_CASE("a caret can be plain") {
  CHECK(first_match("a^b", "^b", Caret::kIsPlain) == "[1,3)");
  CHECK(first_match("b", "^b", Caret::kIsPlain) == "none");
}

TEST_CASE("a search goes on where it is told to") {
  PatternMatcher matcher("one two", "%a+", Caret::kAnchors, [] {});
  CHECK(matcher.search(0) == PatternMatcher::Span{0, 3});
  CHECK(matcher.search(3) == PatternMatcher::Span{4, 7});
  CHECK_FALSE(matcher.search(7).has_value());
  CHECK_FALSE(matcher.search(8).has_value());
}

TEST_CASE("the whole match is the first capture of a pattern without one") {
  PatternMatcher matcher("one two", "t%a", Caret::kAnchors, [] {});
  REQUIRE(matcher.search(0));
  CHECK(matcher.captures() == 0);
  CHECK(text_of(matcher.capture(0)) == "tw");
  CHECK_THROWS_AS(matcher.capture(1), ScriptError);
}

TEST_CASE("a pattern that would take for ever pauses, and can be stopped there") {
  struct Stop {};
  const std::string many(100'000, 'a');
  struct {
    std::string subject, pattern;
  } const cases[] = {
      {std::string(40, 'a'), repeated(40, "a?") + std::string(40, 'a')},
      {many, ".-b"},
      {many, "(a*)(a*)(a*)%1%2%3b"},
      {many, "[" + std::string(100'000, 'b') + "]"},
      {std::string(100'000, '('), "%b()"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.pattern.substr(0, 80));
    int pauses = 0;
    PatternMatcher matcher(one.subject, one.pattern, Caret::kAnchors, [&] {
      if (++pauses == 1000) throw Stop();
    });
    CHECK_THROWS_AS(matcher.search(0), Stop);
  }
}

TEST_CASE("a pattern may be as long as the server's stack allows, and no longer") {
  const auto optional = [](std::size_t times) {
    return first_match(std::string(times, 'a'), repeated(times, "a?"));
  };
  CHECK(optional(150'000) == "[0,150000)");
  CHECK(optional(300'000) == "pattern too complex");
}
