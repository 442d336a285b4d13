#include "lua/library/protected.hpp"

#include <lua.hpp>

#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

/// Keys in the hidden metatable, by address: no script can name them.
const char kReal = 0;
const char kMetatable = 0;

void* key(const char& name) { return const_cast<char*>(&name); }

constexpr const char* kRefusal = "Attempt to modify a readonly table";

int refuse_write(lua_State* lua) { return luaL_error(lua, kRefusal); }

void set_hidden(lua_State* lua, const char& name, int index) {
  lua_pushlightuserdata(lua, key(name));
  lua_pushvalue(lua, index);
  lua_rawset(lua, -3);
}

/// Pushes what the hidden metatable of the value at `index` has under a key; false if nothing.
bool push_hidden(lua_State* lua, int index, const char& name) {
  if (!lua_istable(lua, index) || lua_getmetatable(lua, index) == 0) return false;
  lua_pushlightuserdata(lua, key(name));
  lua_rawget(lua, -2);
  lua_remove(lua, -2);
  if (!lua_isnil(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

}  // namespace

void protect_table(lua_State* lua, int metatable) {
  const int real = lua_gettop(lua);
  lua_newtable(lua);
  lua_createtable(lua, 0, 4);
  set_hidden(lua, kReal, real);
  if (metatable != 0) set_hidden(lua, kMetatable, metatable);
  lua_pushvalue(lua, real);
  lua_setfield(lua, -2, "__index");
  lua_pushcfunction(lua, trampoline<refuse_write>);
  lua_setfield(lua, -2, "__newindex");
  lua_setmetatable(lua, -2);
  lua_replace(lua, real);
}

void refuse_protected(lua_State* lua, int index) {
  if (!push_hidden(lua, index, kReal)) return;
  lua_pushstring(lua, kRefusal);  // from a C function, Redis names no position
  lua_error(lua);
}

void replace_protected(lua_State* lua, int index) {
  if (index < 0) index = lua_gettop(lua) + 1 + index;
  if (push_hidden(lua, index, kReal)) lua_replace(lua, index);
}

bool push_protected_metatable(lua_State* lua, int index) {
  if (index < 0) index = lua_gettop(lua) + 1 + index;
  if (!push_hidden(lua, index, kReal)) return false;
  lua_pop(lua, 1);
  if (!push_hidden(lua, index, kMetatable)) lua_pushnil(lua);
  return true;
}

}  // namespace moonshift::lua
