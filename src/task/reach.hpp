#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "task/catalog.hpp"
#include "task/outline.hpp"

namespace moonshift::task {

/// A source, taken apart.
struct ScriptFile {
  explicit ScriptFile(const Source& read) : source(read), outline(read.path, read.text) {}

  Source source;
  Outline outline;
  std::map<std::size_t, std::string> libraries;  ///< variable of the file to `lib.x`
};

/// A piece of a file that is run.
struct Part {
  const ScriptFile* file;
  Outline::Range range;
  auto operator<=>(const Part&) const = default;
};

/// Follows names to what they mean, also into libraries.
class Reach {
 public:
  /// The catalog must outlive it.
  explicit Reach(const Catalog& catalog) : catalog_(catalog) {}

  /// The same for the same path; lives as long as this. Throws ScriptError if it is no Lua
  /// 5.1.
  const ScriptFile& open(const Source& source);

  /// All that may run when the part does: what its names mean, and so on. Rather too much than too
  /// little.
  std::set<Part> from(const Part& part);

 private:
  using Fields = std::span<const std::string_view>;

  std::vector<Part> meant_by(const ScriptFile& file, std::size_t token);
  std::vector<Part> exported(const std::string& name, Fields fields);

  const Catalog& catalog_;
  std::map<std::string, std::unique_ptr<ScriptFile>> files_;  ///< by path
};

}  // namespace moonshift::task
