#pragma once

// Includes lua.hpp: for src/lua alone.

#include <lua.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lua/value.hpp"

namespace moonshift::lua {

inline std::string_view string_at(lua_State* lua, int index) {
  std::size_t size = 0;
  const char* text = lua_tolstring(lua, index, &size);
  return {text, size};
}

inline void push(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

void push(lua_State* lua, const Value& value);

/// Throws ScriptError for what is no plain data: a function, or tables nested too deep.
Value value_at(lua_State* lua, int index, int depth = 0);

/// A number as redis.call() writes it into a command (redis src/script_lua.c, redis 7.0: "%.17g").
std::string format_number(double number);

/// The arguments first..last as a command; numbers are formatted. The views point into the Lua
/// stack or into `numbers`. Throws ScriptError for anything else, with the server's own words.
std::vector<std::string_view> command_at(lua_State* lua, int first, int last,
                                         std::vector<std::string>& numbers);

}  // namespace moonshift::lua
