#include <doctest/doctest.h>

#include <stdlib.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

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

/// With whichever server is the first in PATH.
void compare_all() {
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

std::filesystem::path find_program(const std::string& name) {
  std::istringstream directories(std::getenv("PATH"));
  for (std::string directory; std::getline(directories, directory, ':');) {
    const auto program = std::filesystem::path(directory) / name;
    if (std::filesystem::exists(program)) return program;
  }
  return {};
}

/// Puts another program in PATH under the name redis-server.
class PreferredServer {
 public:
  explicit PreferredServer(const std::filesystem::path& program) : path_(std::getenv("PATH")) {
    std::string name = std::filesystem::temp_directory_path() / "moonshift-server-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    std::filesystem::create_symlink(program, directory_ / "redis-server");
    ::setenv("PATH", (directory_.string() + ":" + path_).c_str(), 1);
  }
  ~PreferredServer() {
    ::setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(directory_);
  }
  PreferredServer(const PreferredServer&) = delete;
  PreferredServer& operator=(const PreferredServer&) = delete;

 private:
  std::string path_;
  std::filesystem::path directory_;
};

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

TEST_CASE("every case answers and leaves behind what EVAL does") { compare_all(); }

TEST_CASE("so it does with Valkey, where that is installed too") {
  const auto valkey = find_program("valkey-server");
  if (valkey.empty()) {
    MESSAGE("there is no valkey-server here");
    return;
  }
  const PreferredServer preferred(valkey);
  compare_all();
}
