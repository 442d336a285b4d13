#pragma once

// Includes lua.hpp: for src/lua alone.

#include <exception>
#include <lua.hpp>

#include "lua/script_error.hpp"
#include "lua/state.hpp"

namespace moonshift::lua {

/// What a binding returns, instead of its number of results, to yield.
inline constexpr int kYield = -1;

/// The only way from Lua into C++. LuaJIT would turn an exception that crosses it into a useless
/// string, and a lua_error() inside a catch block would leak the exception; so the exception is
/// saved, the block is left, and only then the Lua error is raised.
template <int (*binding)(lua_State*)>
int trampoline(lua_State* lua) {
  int results = 0;
  bool failed = false;
  try {
    results = binding(lua);
  } catch (const ScriptError& error) {
    luaL_where(lua, 1);
    lua_pushstring(lua, error.what());
    lua_concat(lua, 2);
    failed = true;
  } catch (const std::exception& error) {
    State::of(lua).save_exception(std::current_exception());
    lua_pushstring(lua, error.what());
    failed = true;
  }
  if (failed) return lua_error(lua);
  return results == kYield ? lua_yield(lua, 0) : results;
}

}  // namespace moonshift::lua
