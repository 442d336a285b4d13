#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace moonshift::base {

/// Reads a descriptor line by line. A signal (see Interrupt) ends the wait for the next one. Throws
/// std::system_error if it cannot be read.
class LineReader {
 public:
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}

  /// The next line without its line feed; nothing at the end or after a signal. The last line needs
  /// no line feed.
  std::optional<std::string> next();

  /// Whether a whole line is there already, so that next() will not wait.
  bool ready() const { return buffer_.find('\n', begin_) != std::string::npos; }

 private:
  bool fill();

  int descriptor_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

}  // namespace moonshift::base
