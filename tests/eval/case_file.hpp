#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace moonshift::test {

/// One script that is run by EVAL and by us. In its file it begins with a line `### name`; these
/// lines may follow, then the script itself up to the next `###`:
///
///     --setup: SET a 1       a command that both servers get first; may be repeated
///     --keys: a "b c" \x00   words, in quotes where they have blanks
///     --args: 1 2
///     --unordered            the reply's elements come in another order; so do those in them
///     --differs: why         we differ here, and the man page says so
struct Case {
  std::string name, script;
  std::vector<std::vector<std::string>> setup;
  std::vector<std::string> keys, arguments;
  bool unordered = false;
  std::string differs;
};

std::vector<Case> read_cases(const std::filesystem::path& file);

}  // namespace moonshift::test
