#include "support/script_directory.hpp"

#include <cstdlib>
#include <fstream>

namespace moonshift::test {

namespace fs = std::filesystem;

ScriptDirectory::ScriptDirectory() {
  std::string pattern = (fs::temp_directory_path() / "moonshift-test-XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

ScriptDirectory::~ScriptDirectory() { fs::remove_all(path_); }

void ScriptDirectory::write(const std::string& name, const std::string& text) const {
  const fs::path file = path_ / (name + ".lua");
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

task::RunResult run_text(const std::string& text, const redis::Endpoint& endpoint,
                         const task::RunOptions& options, const task::GivenParameters& given) {
  const ScriptDirectory directory;
  directory.write("try", text);
  const task::Catalog catalog = directory.catalog();
  task::Script script(catalog, "try", {.memory = {256 << 20}, .deadline = options.deadline});
  return task::run_task(script, given, endpoint, options);
}

}  // namespace moonshift::test
