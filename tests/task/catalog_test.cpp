#include "task/catalog.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "support/script_directory.hpp"

using namespace moonshift;

TEST_CASE("the scripts that ship are in the binary, with their documentation") {
  const task::Catalog catalog;
  const auto names = catalog.names();
  CHECK(std::find(names.begin(), names.end(), "bullmq/clean") != names.end());
  CHECK(std::find(names.begin(), names.end(), "lib/bullmq") == names.end());
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK_FALSE(catalog.script(name).documentation().empty());
    CHECK_NOTHROW(task::Script(catalog, name));
  }
}

TEST_CASE("a directory wins over the embedded copy, scripts and libraries alike") {
  const test::ScriptDirectory directory;
  directory.write("bullmq/clean", "--- Mine.\nreturn 1");
  directory.write("lib/mine", "return {}");
  const task::Catalog catalog = directory.catalog();
  CHECK(catalog.script("bullmq/clean").documentation().at(0) == "Mine.");
  CHECK(catalog.library("lib.mine").text == "return {}");
  CHECK_FALSE(catalog.library("lib.bullmq").text.empty());
}

TEST_CASE("an unknown name is refused with the nearest ones") {
  try {
    task::Catalog().script("ratelimit/pruge");
    FAIL("found");
  } catch (const base::ConfigError& error) {
    CHECK(std::string(error.what()).find("did you mean ratelimit/purge") != std::string::npos);
  }
  CHECK_THROWS_AS(task::Catalog().library("lib.bulmq"), base::ConfigError);
  CHECK_THROWS_AS(task::Catalog().script("lib/bullmq"), base::ConfigError);
  CHECK_THROWS_AS(task::Catalog("/no/such/directory"), base::ConfigError);
}
