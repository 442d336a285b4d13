#include "eval/case_file.hpp"

#include <cctype>
#include <fstream>
#include <optional>
#include <stdexcept>

namespace moonshift::test {

namespace {

/// One character, or an escape such as \n or \x00.
char take_character(std::string_view& text) {
  const char first = text[0];
  text.remove_prefix(1);
  if (first != '\\' || text.empty()) return first;
  const char escape = text[0];
  text.remove_prefix(1);
  if (escape == 'x' && text.size() >= 2) {
    const auto byte = static_cast<char>(std::stoi(std::string(text.substr(0, 2)), nullptr, 16));
    text.remove_prefix(2);
    return byte;
  }
  return escape == 'n' ? '\n' : escape == 'r' ? '\r' : escape == 't' ? '\t' : escape;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    if (text[0] == ' ') {
      text.remove_prefix(1);
      continue;
    }
    const bool quoted = text[0] == '"';
    if (quoted) text.remove_prefix(1);
    std::string word;
    while (!text.empty() && text[0] != (quoted ? '"' : ' ')) word += take_character(text);
    if (quoted && !text.empty()) text.remove_prefix(1);
    words.push_back(std::move(word));
  }
  return words;
}

/// Whether the line was a directive, which the case now has.
bool take_directive(std::string_view line, Case& to) {
  const auto value_of = [&](std::string_view name) -> std::optional<std::string_view> {
    if (!line.starts_with(name)) return std::nullopt;
    return line.substr(name.size());
  };
  if (const auto value = value_of("--setup:")) {
    to.setup.push_back(words_of(*value));
  } else if (const auto keys = value_of("--keys:")) {
    to.keys = words_of(*keys);
  } else if (const auto arguments = value_of("--args:")) {
    to.arguments = words_of(*arguments);
  } else if (const auto reason = value_of("--differs:")) {
    to.differs = reason->substr(std::min(reason->size(), reason->find_first_not_of(' ')));
  } else if (line == "--unordered") {
    to.unordered = true;
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path.string() + ": cannot be read");
  std::vector<Case> cases;
  bool in_script = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("### ")) {
      cases.emplace_back().name = line.substr(4);
      in_script = false;
    } else if (!cases.empty() && (in_script || !take_directive(line, cases.back()))) {
      cases.back().script += (in_script ? "\n" : "") + line;
      in_script = true;
    }
  }
  // What separates a case from the next is not its script's.
  for (Case& one : cases) {
    while (one.script.ends_with('\n')) one.script.pop_back();
  }
  return cases;
}

}  // namespace moonshift::test
