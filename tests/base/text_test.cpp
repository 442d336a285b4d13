#include "base/text.hpp"

using namespace moonshift::base;
using namespace std::string_literals;

TEST_CASE("control characters and broken UTF-8 are shown as escapes") {
  CHECK(printable("bull:mail:17") == "bull:mail:17");
  CHECK(printable("a\nb\0c"s) == "a\\nb\\x00c");
  CHECK(printable("J\xC3\xBCrgen") == "J\xC3\xBCrgen");
  CHECK(printable("\xFF\xC3") == "\\xff\\xc3");
  CHECK(printable("\x1b[2J") == "\\x1b[2J");
  CHECK(printable(std::string(300, 'x'), 10) == "xxxxxxxxxx...");
}

TEST_CASE("UTF-8 is told from other bytes") {
  CHECK(is_utf8("plain"));
  CHECK(is_utf8("\xE2\x82\xAC\xF0\x9F\x8C\x99"));
  for (const std::string bytes :
       {"\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"})
    CHECK_FALSE(is_utf8(bytes));
}

TEST_CASE("an escaped glob matches its own text and nothing else") {
  for (const std::string text : {"plain", "a*b", "[x]", "back\\slash", "what?", "^-"}) {
    CAPTURE(text);
    CHECK(glob_match(glob_escape(text), text));
    CHECK_FALSE(glob_match(glob_escape(text), text + "x"));
  }
}

TEST_CASE("passwords of URLs in a text are hidden, and nothing else") {
  CHECK(hide_passwords("what is 'redis://u:p@ss@host:1/2'?") == "what is 'redis://***@host:1/2'?");
  CHECK(hide_passwords("redis://host and unix://:x@/s") == "redis://host and unix://***@/s");
  CHECK(hide_passwords("a@b://c d@e") == "a@b://c d@e");
}

TEST_CASE("what a terminal would obey is shown by its bytes, and other text as it is") {
  CHECK(printable("Jürgen \u20ac \\") == "Jürgen \u20ac \\");
  CHECK(printable("a\nb\t\x1b[2J\x7f") == "a\\nb\\x09\\x1b[2J\\x7f");
  CHECK(printable("\xff") == "\\xff");
  // U+009B begins a control sequence as \e[ does.
  CHECK(printable("\u009b2J \u0080\u009f\u00a0") == "\\xc2\\x9b2J \\xc2\\x80\\xc2\\x9f\u00a0");
}

TEST_CASE("many stars take no exponential time") {
  CHECK_FALSE(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

TEST_CASE("the nearest names are suggested, far ones are not") {
  const std::vector<std::string> names{"bullmq/clean", "ratelimit/purge", "checks/memory"};
  CHECK(nearest("bullmq/claen", names) == std::vector<std::string>{"bullmq/clean"});
  CHECK(nearest("memory", names) == std::vector<std::string>{"checks/memory"});
  CHECK(nearest("xyzzy", names).empty());
}
