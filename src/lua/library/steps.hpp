#pragma once

#include "lua/state.hpp"

namespace moonshift::lua {

/// Counts the rounds of a loop that Lua's own hook does not see, so that the end of the script's
/// time ends it, too.
class Steps {
 public:
  explicit Steps(lua_State* lua) : lua_(lua), state_(State::of(lua)) {}

  /// Raises the error that ends the script, if its time is up.
  void count() {
    if (++count_ % kInterval == 0) state_.stop_if_due(lua_);
  }

 private:
  static constexpr unsigned kInterval = 4096;

  lua_State* lua_;
  State& state_;
  unsigned count_ = 0;
};

}  // namespace moonshift::lua
