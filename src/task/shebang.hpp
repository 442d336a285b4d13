#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace moonshift::task {

/// The first line of a script that says how it may be run:
/// https://redis.io/docs/latest/develop/interact/programmability/eval-intro, "Eval flags".
struct Shebang {
  std::string line;      ///< `#!lua flags=no-writes`
  std::size_t size = 0;  ///< in the script, with the CR of a CRLF
  bool no_writes = false;

  /// Redis 7.0 writes an unknown word of the line into its error as it is, after it has read its
  /// escapes: a line end in it would make what follows look like further replies. Such a line must
  /// not be sent.
  bool is_safe() const { return line.find_first_of("\\\r") == std::string::npos; }

  /// Nothing if the script has none.
  static std::optional<Shebang> of(std::string_view script);
};

}  // namespace moonshift::task
