#include "lua/library/argument.hpp"

#include <limits>

#include "lua/library/number_text.hpp"
#include "lua/stack.hpp"
#include "lua/state.hpp"

namespace moonshift::lua {

std::int64_t to_integer(double number) {
  constexpr double kEnd = 0x1p63;
  if (number >= -kEnd && number < kEnd) return static_cast<std::int64_t>(number);
  return std::numeric_limits<std::int64_t>::min();
}

double check_number(lua_State* lua, int index) {
  const int type = lua_type(lua, index);
  if (type == LUA_TNUMBER) return lua_tonumber(lua, index);
  if (type == LUA_TSTRING) {
    if (const auto number = parse_number(lua_tostring(lua, index))) return *number;
  }
  return luaL_typerror(lua, index, lua_typename(lua, LUA_TNUMBER));
}

std::int64_t check_integer(lua_State* lua, int index) {
  return to_integer(check_number(lua, index));
}

std::int64_t optional_integer(lua_State* lua, int index, std::int64_t otherwise) {
  return lua_isnoneornil(lua, index) ? otherwise : check_integer(lua, index);
}

int check_int(lua_State* lua, int index) { return static_cast<int>(check_integer(lua, index)); }

int optional_int(lua_State* lua, int index, int otherwise) {
  return lua_isnoneornil(lua, index) ? otherwise : check_int(lua, index);
}

std::string_view check_text(lua_State* lua, int index) {
  make_text(lua, index);
  if (lua_type(lua, index) != LUA_TSTRING) {
    luaL_typerror(lua, index, lua_typename(lua, LUA_TSTRING));
  }
  const std::string_view text = string_at(lua, index);
  mind_deadline(lua, text.size());
  return text;
}

void make_text(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TNUMBER) return;
  const int slot = index > 0 ? index : lua_gettop(lua) + index + 1;
  push(lua, std::string_view(number_text(lua_tonumber(lua, slot))));
  lua_replace(lua, slot);
}

void mind_deadline(lua_State* lua, std::size_t length) {
  constexpr std::size_t kLong = 4096;
  if (length >= kLong) State::of(lua).stop_if_due(lua);
}

}  // namespace moonshift::lua
