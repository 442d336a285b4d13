#include <doctest/doctest.h>

#include <fstream>
#include <set>

#include "eval/differential.hpp"

using namespace moonshift;
using namespace moonshift::test;

namespace {

std::vector<std::filesystem::path> case_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(EVAL_CASES)) {
    if (entry.path().extension() == ".cases") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The names of our differences, as the man page has them.
std::set<std::string> documented_differences() {
  std::ifstream page(MAN_PAGE);
  std::set<std::string> names;
  bool in_section = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with(".Ss")) in_section = line.find("LuaJIT") != std::string::npos;
    if (line.starts_with(".Sh")) in_section = false;
    if (in_section && line.starts_with(".It ")) names.insert(line.substr(4));
  }
  return names;
}

}  // namespace

TEST_CASE("the man page names the differences that there are, and no other") {
  std::set<std::string> met;
  for (const auto& file : case_files()) {
    for (const Case& one : read_cases(file)) {
      if (!one.differs.empty()) met.insert(one.differs);
    }
  }
  CHECK(met == documented_differences());
}

TEST_CASE("every case answers and leaves behind what EVAL does") {
  Differential differential;
  for (const auto& file : case_files()) {
    const auto cases = read_cases(file);
    CHECK_FALSE(cases.empty());
    for (const Case& one : cases) {
      CAPTURE(file.filename().string());
      CAPTURE(one.name);
      const task::Evaluation evaluation{one.script, one.keys, one.arguments};
      differential.reset(one.setup);
      const Outcome expected = differential.by_redis(evaluation, one.unordered);
      const Outcome actual = differential.by_us(evaluation, one.unordered);
      if (one.differs.empty()) {
        CHECK(actual.reply == expected.reply);
        CHECK(actual.dataset == expected.dataset);
      } else {
        CHECK_FALSE(actual == expected);
      }
    }
    MESSAGE(file.filename().string(), ": ", cases.size(), " scripts");
  }
}
