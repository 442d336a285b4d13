#include "record/last_verdict.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>

#include "base/error.hpp"

namespace moonshift::record {

namespace {

namespace fs = std::filesystem;
using health::Level;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path file_of(const fs::path& state, const std::string& job) { return state / "verdicts" / job; }

}  // namespace

fs::path state_directory() {
  // systemd separates several by colons.
  if (const std::string given = environment("STATE_DIRECTORY"); !given.empty())
    return given.substr(0, given.find(':'));
  // The specification of XDG_STATE_HOME has relative paths ignored.
  if (const std::string home = environment("XDG_STATE_HOME"); home.starts_with('/'))
    return fs::path(home) / "moonshift";
  if (const std::string home = environment("HOME"); !home.empty())
    return fs::path(home) / ".local/state/moonshift";
  throw base::ConfigError("there is no state directory: set STATE_DIRECTORY, or HOME");
}

std::optional<Level> read_last_verdict(const fs::path& state, const std::string& job) {
  std::ifstream file(file_of(state, job));
  std::string word;
  file >> word;
  return health::level_named(word);
}

void write_last_verdict(const fs::path& state, const std::string& job, Level verdict) {
  const fs::path file = file_of(state, job);
  fs::create_directories(file.parent_path());
  const fs::path next = fmt::format("{}.{}", file.string(), ::getpid());
  std::ofstream stream(next);
  stream << health::name_of(verdict) << "\n";
  stream.close();
  if (!stream) throw std::system_error(errno, std::generic_category(), next.string());
  fs::rename(next, file);
}

}  // namespace moonshift::record
