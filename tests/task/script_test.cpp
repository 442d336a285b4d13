#include "task/script.hpp"

#include "lua/script_error.hpp"
#include "support/script_directory.hpp"

using namespace moonshift;
using Kind = task::Script::Kind;

TEST_CASE(
    "what goes wrong while a script is opened is a plain script's own affair, and a task's end") {
  struct Case {
    const char* name;
    std::string text;
    bool declares;
  };
  const std::string blanks(300'000, ' ');
  const Case cases[] = {
      {"a task", "local x = nothing.x return task {}", true},
      {"a task in brackets", "local x = nothing.x return task({})", true},
      {"a check", "local x = nothing.x return check -- that looks\n{}", true},
      {"a plain script", "return nothing.x", false},
      {"many blanks", "local task" + blanks + " = nothing.x return task" + blanks, false},
      {"a comment", "-- return task {}\nreturn nothing.x --[[ return check {} ]]", false},
      {"a string", "return nothing['return task {}']", false},
      {"a local of that name", "local task = {} local function check() end return nothing.x",
       false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const test::ScriptDirectory directory;
    directory.write("try", "local nothing = nil " + c.text);
    const task::Catalog catalog = directory.catalog();
    if (c.declares) {
      CHECK_THROWS_AS(task::Script(catalog, "try"), lua::ScriptError);
    } else {
      CHECK(task::Script(catalog, "try").kind() == Kind::kPlain);
    }
  }
}
