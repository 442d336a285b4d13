#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonshift::task {

/// The first line of a script that says how it may be run:
/// https://redis.io/docs/latest/develop/interact/programmability/eval-intro, "Eval flags".
struct Shebang {
  std::string line;  ///< `#!lua flags=no-writes`
  bool no_writes = false;

  /// Nothing if the script has none.
  static std::optional<Shebang> of(std::string_view script);
};

}  // namespace moonshift::task
