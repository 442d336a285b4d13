#include "task/bundle.hpp"

#include "support/script_directory.hpp"

using namespace moonshift;

namespace {

/// The line of the bundle that holds `text`, as the server would name it.
std::string server_position(const task::Bundle& bundle, const std::string& text) {
  const std::string before = bundle.text().substr(0, bundle.text().find(text));
  return "user_script:" + std::to_string(std::count(before.begin(), before.end(), '\n') + 1);
}

}  // namespace

TEST_CASE("a bundle holds the task and every library once, and maps lines back to their files") {
  const test::ScriptDirectory directory;
  directory.write("lib/a", "local b = require 'lib.b'\nreturn { line = 'second line of a' }");
  directory.write("lib/b", "return 'the whole of b'");
  directory.write(
      "try",
      "local a = require \"lib.a\"\nlocal b = require(\"lib.b\")\n\nreturn task { 'line four' }");
  const task::Catalog catalog = directory.catalog();
  const task::Bundle bundle(catalog.script("try"), catalog);
  CHECK(bundle.text().find("the whole of b") == bundle.text().rfind("the whole of b"));
  CHECK(bundle.text().substr(0, 2) != "#!");
  const auto mapped = [&](const std::string& text) {
    return bundle.map_error(server_position(bundle, text) + ": oh");
  };
  CHECK(mapped("second line of a").ends_with("lib/a.lua:2: oh"));
  CHECK(mapped("the whole of b").ends_with("lib/b.lua:1: oh"));
  CHECK(mapped("line four").ends_with("try.lua:4: oh"));
  CHECK(bundle.map_error("no position here") == "no position here");
}
