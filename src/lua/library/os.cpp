#include <ctime>
#include <lua.hpp>

#include "lua/library/library.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

int clock_seconds(lua_State* lua) {
  lua_pushnumber(lua, static_cast<lua_Number>(std::clock()) / CLOCKS_PER_SEC);
  return 1;
}

}  // namespace

void push_os_library(lua_State* lua) {
  lua_createtable(lua, 0, 1);
  lua_pushcfunction(lua, trampoline<clock_seconds>);
  lua_setfield(lua, -2, "clock");
}

}  // namespace moonshift::lua
