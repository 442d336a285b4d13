#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonshift::task {

/// A Lua file and what it is called.
struct Source {
  std::string name;  ///< as users call it: bullmq/clean
  std::string path;  ///< for error messages: scripts/bullmq/clean.lua
  std::string text;

  /// The comment at the top, without its dashes; its first line is the summary.
  std::vector<std::string> documentation() const;
};

/// Where scripts come from: a directory of the user's if one is given, and the copies in the
/// binary. A file in the directory wins over the embedded one of the same name.
class Catalog {
 public:
  /// Throws ConfigError if the directory is none.
  explicit Catalog(std::optional<std::filesystem::path> directory = std::nullopt);

  /// The script called `name`, or the file if `name` is a path (it ends in .lua, or starts with .
  /// or /). Throws ConfigError that shows the nearest names.
  Source script(const std::string& name) const;

  /// The library that `require "lib.x"` means. Throws ConfigError that shows the nearest names.
  Source library(const std::string& name) const;

  /// All scripts by name, sorted; not the libraries.
  std::vector<std::string> names() const;

  /// All libraries as require takes them, sorted.
  std::vector<std::string> libraries() const;

 private:
  std::optional<Source> read(const std::string& name) const;
  std::vector<std::string> all_names() const;

  std::optional<std::filesystem::path> directory_;
};

}  // namespace moonshift::task
