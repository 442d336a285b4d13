#pragma once

#include <stdexcept>
#include <string>

namespace moonshift::lua {

/// A script does not compile, or raised an error. `what()` starts with `file:line:` where Lua knows it.
class ScriptError : public std::runtime_error {
 public:
  explicit ScriptError(const std::string& message, std::string traceback = "")
      : std::runtime_error(message), traceback_(std::move(traceback)) {}

  /// Lua's own traceback, innermost call first; empty for a compile error.
  const std::string& traceback() const { return traceback_; }

 private:
  std::string traceback_;
};

}  // namespace moonshift::lua
