#include <array>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <lua.hpp>

#include "lua/library/chunk.hpp"
#include "lua/library/library.hpp"
#include "lua/library/number_text.hpp"
#include "lua/library/protected.hpp"
#include "lua/redis_library.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

// Errors

int assert_true(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (lua_toboolean(lua, 1) == 0)
    return luaL_error(lua, "%s", luaL_optstring(lua, 2, "assertion failed!"));
  return lua_gettop(lua);
}

/// Redis's own pcall: of a table with an `err`, it hands out that text (redis src/script_lua.c,
/// luaRedisPcall).
int protected_call(lua_State* lua) {
  if (lua_gettop(lua) == 0) {  // there, what it then calls is its own first result
    lua_pushboolean(lua, 0);
    lua_pushstring(lua, "attempt to call a boolean value");
    return 2;
  }
  const NestedCall nested(lua);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  if (lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0) == 0) return lua_gettop(lua);
  lua_pushboolean(lua, 0);
  lua_replace(lua, 1);
  if (lua_istable(lua, -1)) {
    lua_getfield(lua, -1, "err");
    if (lua_isstring(lua, -1) != 0) lua_replace(lua, -2);
  }
  return lua_gettop(lua);
}

/// The message handler of xpcall: the script's own, which a script that has been stopped must not
/// get to. No hook, and so no deadline, would reach it there.
int handle_message(lua_State* lua) {
  if (State::of(lua).killed()) return 1;
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, 1, 1);
  return 1;
}

int extended_protected_call(lua_State* lua) {
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  const NestedCall nested(lua);
  // Redis's own handler wants to stand right above the function that failed.
  if (!is_error_handler(lua, 2)) lua_pushcclosure(lua, trampoline<handle_message>, 1);
  lua_insert(lua, 1);
  const int status = lua_pcall(lua, 0, LUA_MULTRET, 1);
  lua_pushboolean(lua, status == 0 ? 1 : 0);
  lua_replace(lua, 1);
  return lua_gettop(lua);
}

// Tables

int get_metatable(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (push_protected_metatable(lua, 1)) return 1;
  if (lua_type(lua, 1) == LUA_TSTRING) {
    lua_pushvalue(lua, lua_upvalueindex(1));  // what scripts see of the strings' one
    return 1;
  }
  if (lua_getmetatable(lua, 1) == 0) {
    lua_pushnil(lua);
  } else if (luaL_getmetafield(lua, 1, "__metatable") == 0) {
    return 1;
  }
  return 1;
}

int set_metatable(lua_State* lua) {
  const int kind = lua_type(lua, 2);
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_argcheck(lua, kind == LUA_TNIL || kind == LUA_TTABLE, 2, "nil or table expected");
  refuse_protected(lua, 1);
  if (luaL_getmetafield(lua, 1, "__metatable") != 0)
    return luaL_error(lua, "cannot change a protected metatable");
  lua_settop(lua, 2);
  lua_setmetatable(lua, 1);
  return 1;
}

int raw_get(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  lua_settop(lua, 2);
  replace_protected(lua, 1);
  lua_rawget(lua, 1);
  return 1;
}

int raw_set(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 2);
  luaL_checkany(lua, 3);
  refuse_protected(lua, 1);
  lua_settop(lua, 3);
  lua_rawset(lua, 1);
  return 1;
}

int next_entry(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_settop(lua, 2);
  replace_protected(lua, 1);
  if (lua_next(lua, 1) != 0) return 2;
  lua_pushnil(lua);
  return 1;
}

int pairs_of(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  // LuaJIT's own next is the faster one, but sees nothing in a read-only table.
  const bool is_protected = push_protected_metatable(lua, 1);
  lua_pushvalue(lua, lua_upvalueindex(is_protected ? 1 : 2));
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}

int next_element(lua_State* lua) {
  const int index = luaL_checkint(lua, 2) + 1;
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushinteger(lua, index);
  lua_rawgeti(lua, 1, index);
  return lua_isnil(lua, -1) ? 0 : 2;
}

int ipairs_of(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_pushinteger(lua, 0);
  return 3;
}

// Text

int to_number(lua_State* lua) {
  const int base = luaL_optint(lua, 2, 10);
  if (base == 10) {
    luaL_checkany(lua, 1);
    const auto number = lua_type(lua, 1) == LUA_TNUMBER   ? lua_tonumber(lua, 1)
                        : lua_type(lua, 1) == LUA_TSTRING ? parse_number(lua_tostring(lua, 1))
                                                          : std::nullopt;
    if (number) {
      lua_pushnumber(lua, *number);
    } else {
      lua_pushnil(lua);
    }
    return 1;
  }
  const char* text = luaL_checkstring(lua, 1);
  luaL_argcheck(lua, base >= 2 && base <= 36, 2, "base out of range");
  char* end = nullptr;
  const unsigned long number = std::strtoul(text, &end, base);
  while (end != text && std::isspace(static_cast<unsigned char>(*end)) != 0) ++end;
  if (end != text && *end == '\0') {
    lua_pushnumber(lua, static_cast<double>(number));
  } else {
    lua_pushnil(lua);
  }
  return 1;
}

int to_string(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (luaL_getmetafield(lua, 1, "__tostring") != 0) {
    const NestedCall nested(lua);
    lua_pushvalue(lua, 1);
    lua_call(lua, 1, 1);
    return 1;
  }
  switch (lua_type(lua, 1)) {
    case LUA_TNUMBER:
      push(lua, std::string_view(number_text(lua_tonumber(lua, 1))));
      break;
    case LUA_TSTRING:
      lua_pushvalue(lua, 1);
      break;
    case LUA_TBOOLEAN:
      lua_pushstring(lua, lua_toboolean(lua, 1) != 0 ? "true" : "false");
      break;
    case LUA_TNIL:
      lua_pushstring(lua, "nil");
      break;
    default: {
      std::array<char, 64> text;
      std::snprintf(text.data(), text.size(), "%s: %p", luaL_typename(lua, 1),
                    lua_topointer(lua, 1));
      lua_pushstring(lua, text.data());
    }
  }
  return 1;
}

// Chunks

int push_loaded(lua_State* lua, std::string_view source, const char* chunk_name) {
  if (push_chunk(lua, source, chunk_name, ChunkKind::kPart)) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int load_string(lua_State* lua) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  return push_loaded(lua, {text, size}, luaL_optstring(lua, 2, text));
}

int load_function(lua_State* lua) {
  const char* name = luaL_optstring(lua, 2, "=(load)");
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  lua_settop(lua, 3);
  lua_newtable(lua);
  const int pieces = lua_gettop(lua);
  const NestedCall nested(lua);
  int count = 0;
  for (;;) {
    lua_pushvalue(lua, 1);
    if (lua_pcall(lua, 0, 1, 0) != 0) {
      lua_pushnil(lua);
      lua_insert(lua, -2);
      return 2;
    }
    if (lua_isnil(lua, -1)) break;
    if (lua_isstring(lua, -1) == 0) {
      lua_pushnil(lua);
      lua_pushstring(lua, "reader function must return a string");
      return 2;
    }
    if (lua_objlen(lua, -1) == 0) break;
    lua_rawseti(lua, pieces, ++count);
  }
  luaL_Buffer text;
  luaL_buffinit(lua, &text);
  for (int i = 1; i <= count; ++i) {
    lua_rawgeti(lua, pieces, i);
    luaL_addvalue(&text);
  }
  luaL_pushresult(&text);
  return push_loaded(lua, string_at(lua, -1), name);
}

// Memory

int collect_garbage(lua_State* lua) {
  static constexpr std::array<const char*, 8> kNames{"stop", "restart",  "collect",    "count",
                                                     "step", "setpause", "setstepmul", nullptr};
  static constexpr std::array<int, 7> kActions{LUA_GCSTOP,      LUA_GCRESTART, LUA_GCCOLLECT,
                                               LUA_GCCOUNT,     LUA_GCSTEP,    LUA_GCSETPAUSE,
                                               LUA_GCSETSTEPMUL};
  const int option = luaL_checkoption(lua, 1, "collect", kNames.data());
  const int argument = luaL_optint(lua, 2, 0);
  const int action = kActions[static_cast<std::size_t>(option)];
  const int result = lua_gc(lua, action, argument);
  if (action == LUA_GCCOUNT) {
    lua_pushnumber(lua, result + lua_gc(lua, LUA_GCCOUNTB, 0) / 1024.0);
  } else if (action == LUA_GCSTEP) {
    lua_pushboolean(lua, result);
  } else {
    lua_pushinteger(lua, result);
  }
  return 1;
}

int garbage_info(lua_State* lua) {
  lua_pushinteger(lua, lua_gc(lua, LUA_GCCOUNT, 0));
  return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"assert", trampoline<assert_true>},
    {"collectgarbage", trampoline<collect_garbage>},
    {"gcinfo", trampoline<garbage_info>},
    {"load", trampoline<load_function>},
    {"loadstring", trampoline<load_string>},
    {"next", trampoline<next_entry>},
    {"pcall", trampoline<protected_call>},
    {"rawget", trampoline<raw_get>},
    {"rawset", trampoline<raw_set>},
    {"setmetatable", trampoline<set_metatable>},
    {"tonumber", trampoline<to_number>},
    {"tostring", trampoline<to_string>},
    {"xpcall", trampoline<extended_protected_call>},
    {nullptr, nullptr},
};

/// These are the same in LuaJIT.
constexpr std::array<const char*, 5> kLuaJit{"error", "rawequal", "select", "type", "unpack"};

}  // namespace

void push_base_library(lua_State* lua, int string_metatable) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
  for (const char* name : kLuaJit) {
    lua_getglobal(lua, name);
    lua_setfield(lua, -2, name);
  }
  lua_getfield(lua, -1, "next");
  lua_getglobal(lua, "next");
  lua_pushcclosure(lua, trampoline<pairs_of>, 2);
  lua_setfield(lua, -2, "pairs");
  lua_pushcfunction(lua, trampoline<next_element>);
  lua_pushcclosure(lua, trampoline<ipairs_of>, 1);
  lua_setfield(lua, -2, "ipairs");
  lua_pushstring(lua, "Lua 5.1");
  lua_setfield(lua, -2, "_VERSION");
  lua_pushvalue(lua, string_metatable);
  lua_pushcclosure(lua, trampoline<get_metatable>, 1);
  lua_setfield(lua, -2, "getmetatable");
}

}  // namespace moonshift::lua
