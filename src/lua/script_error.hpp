#pragma once

#include <stdexcept>
#include <string>

namespace moonshift::lua {

/// Lua's traceback without the frames that are ours or Lua's own; empty if the script has none in
/// it.
std::string tidy_traceback(const std::string& traceback);

/// A script does not compile, or raised an error. `what()` starts with `file:line:` where Lua knows
/// it.
class ScriptError : public std::runtime_error {
 public:
  explicit ScriptError(const std::string& message, const std::string& traceback = "")
      : std::runtime_error(message), traceback_(tidy_traceback(traceback)) {}

  /// Where it came from, innermost call first, a line each; empty for a compile error.
  const std::string& traceback() const { return traceback_; }

 private:
  std::string traceback_;
};

}  // namespace moonshift::lua
