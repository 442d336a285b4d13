#include <lua.hpp>

#include "lua/library/library.hpp"
#include "lua/state.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

/// The state that keeps a coroutine from being resumed, or null.
const char* obstacle_to_resume(lua_State* lua, lua_State* thread) {
  if (thread == lua) return "running";
  if (lua_status(thread) == LUA_YIELD) return nullptr;
  lua_Debug frame;
  if (lua_status(thread) == 0 && lua_getstack(thread, 0, &frame) > 0) return "normal";
  return lua_status(thread) == 0 && lua_gettop(thread) > 0 ? nullptr : "dead";
}

/// Resumes `thread` with the `arguments` values on top of the stack and pushes what comes of it;
/// the number of values, or -1 and the error.
int resume(lua_State* lua, lua_State* thread, int arguments) {
  const NestedCall nested(lua);
  if (lua_checkstack(thread, arguments) == 0) luaL_error(lua, "too many arguments to resume");
  if (const char* obstacle = obstacle_to_resume(lua, thread)) {
    lua_pushfstring(lua, "cannot resume %s coroutine", obstacle);
    return -1;
  }
  lua_xmove(lua, thread, arguments);
  const int status = lua_resume(thread, arguments);
  if (status != 0 && status != LUA_YIELD) {
    lua_xmove(thread, lua, 1);
    return -1;
  }
  const int results = lua_gettop(thread);
  if (lua_checkstack(lua, results + 1) == 0) luaL_error(lua, "too many results to resume");
  lua_xmove(thread, lua, results);
  return results;
}

int create(lua_State* lua) {
  luaL_argcheck(lua, lua_isfunction(lua, 1) && lua_iscfunction(lua, 1) == 0, 1,
                "Lua function expected");
  lua_State* thread = lua_newthread(lua);
  lua_pushvalue(lua, 1);
  lua_xmove(lua, thread, 1);
  return 1;
}

int resume_protected(lua_State* lua) {
  lua_State* thread = lua_tothread(lua, 1);
  luaL_argcheck(lua, thread != nullptr, 1, "coroutine expected");
  const int results = resume(lua, thread, lua_gettop(lua) - 1);
  lua_pushboolean(lua, results >= 0 ? 1 : 0);
  lua_insert(lua, results >= 0 ? -(results + 1) : -2);
  return results >= 0 ? results + 1 : 2;
}

int resume_wrapped(lua_State* lua) {
  lua_State* thread = lua_tothread(lua, lua_upvalueindex(1));
  const int results = resume(lua, thread, lua_gettop(lua));
  if (results >= 0) return results;
  if (lua_isstring(lua, -1) != 0) {
    luaL_where(lua, 1);
    lua_insert(lua, -2);
    lua_concat(lua, 2);
  }
  return lua_error(lua);
}

int wrap(lua_State* lua) {
  create(lua);
  lua_pushcclosure(lua, trampoline<resume_wrapped>, 1);
  return 1;
}

/// Lua 5.1's own words for where it cannot.
int yield(lua_State* lua) {
  if (lua_isyieldable(lua) == 0) {
    lua_pushstring(lua, "attempt to yield across metamethod/C-call boundary");
    return lua_error(lua);
  }
  return lua_yield(lua, lua_gettop(lua));
}

}  // namespace

void push_coroutine_library(lua_State* lua) {
  lua_newtable(lua);
  lua_getglobal(lua, LUA_COLIBNAME);
  for (const char* name : {"running", "status"}) {
    lua_getfield(lua, -1, name);
    lua_setfield(lua, -3, name);
  }
  lua_pop(lua, 1);
  constexpr luaL_Reg kFunctions[] = {
      {"create", trampoline<create>},
      {"resume", trampoline<resume_protected>},
      {"wrap", trampoline<wrap>},
      {"yield", yield},  // it leaves by lua_yield, which no trampoline may hold up
      {nullptr, nullptr},
  };
  luaL_register(lua, nullptr, kFunctions);
}

}  // namespace moonshift::lua
