#include "task/shebang.hpp"

#include <sstream>

namespace moonshift::task {

namespace {

/// The flags of one word such as `flags=no-writes,allow-oom`.
bool names_flag(std::string word, std::string_view flag) {
  std::erase_if(word, [](char c) { return c == '"' || c == '\''; });
  constexpr std::string_view kOption = "flags=";
  if (!word.starts_with(kOption)) return false;
  std::istringstream flags(word.substr(kOption.size()));
  for (std::string name; std::getline(flags, name, ',');) {
    if (name == flag) return true;
  }
  return false;
}

}  // namespace

std::optional<Shebang> Shebang::of(std::string_view script) {
  if (!script.starts_with("#!")) return std::nullopt;
  Shebang shebang;
  shebang.line = script.substr(0, script.find('\n'));
  shebang.size = shebang.line.size();
  if (shebang.line.ends_with('\r')) shebang.line.pop_back();
  std::istringstream words(shebang.line);
  for (std::string word; words >> word;)
    shebang.no_writes = shebang.no_writes || names_flag(word, "no-writes");
  return shebang;
}

}  // namespace moonshift::task
