#include "eval/generator.hpp"

#include <doctest/doctest.h>

using namespace moonshift::test;

TEST_CASE("a seed always makes the same scripts") {
  ScriptGenerator one(7), same(7), other(8);
  for (int i = 0; i < 20; ++i) {
    const Program program = one.next();
    CHECK(program.text() == same.next().text());
    CHECK(program.text() != other.next().text());
    CHECK(program.keys.size() == 19);
    CHECK(program.arguments.size() == 6);
  }
}

TEST_CASE("a program is cut down to what fails") {
  const auto mentions_both = [](const Program& program) {
    const std::string text = program.text();
    return text.find("'LRANGE'") != std::string::npos && text.find("for ") != std::string::npos;
  };
  ScriptGenerator generator(1);
  Program program = generator.next();
  while (!mentions_both(program)) program = generator.next();
  const Program small = shrunk(program, mentions_both);
  CHECK(mentions_both(small));
  CHECK(small.text().size() < 500);
  CHECK(small.text().size() < program.text().size() / 4);
  CHECK(shrunk(program, [](const Program&) { return true; }).text().empty());
  CHECK(shrunk(program, [](const Program&) { return false; }).text() == program.text());
}
