#include "lua/sandbox.hpp"

#include <array>
#include <lua.hpp>
#include <string_view>

#include "lua/library/library.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

struct Library {
  const char* name;
  lua_CFunction open;
};

constexpr std::array<Library, 5> kLibraries{{
    {"", luaopen_base},
    {LUA_TABLIBNAME, luaopen_table},
    {LUA_STRLIBNAME, luaopen_string},
    {LUA_MATHLIBNAME, luaopen_math},
    {LUA_BITLIBNAME, luaopen_bit},
}};

/// What would read files, print, load bytecode or change another function's world.
constexpr std::array<const char*, 7> kForbidden{"dofile",  "loadfile", "print",   "load",
                                                "getfenv", "setfenv",  "newproxy"};

struct RedisLibrary {
  const char* name;
  void (*push)(lua_State*);
};

/// What a task finds in the server engine, it finds here.
constexpr std::array<RedisLibrary, 3> kRedisLibraries{{{"cjson", push_cjson_library},
                                                       {"cmsgpack", push_cmsgpack_library},
                                                       {"struct", push_struct_library}}};

/// loadstring for source text only: bytecode can crash the VM.
int load_text(lua_State* lua) {
  std::size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  const char* name = luaL_optstring(lua, 2, text);
  if (luaL_loadbufferx(lua, text, size, name, "t") == 0) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int refuse_new_global(lua_State* lua) {
  throw ScriptError("Script attempted to create global variable '" +
                    std::string(string_at(lua, 2)) + "': make it local");
}

int refuse_unknown_global(lua_State* lua) {
  throw ScriptError("Script attempted to access nonexistent global variable '" +
                    std::string(string_at(lua, 2)) + "'");
}

}  // namespace

void open_sandbox(lua_State* lua) {
  for (const Library& library : kLibraries) {
    lua_pushcfunction(lua, library.open);
    lua_pushstring(lua, library.name);
    lua_call(lua, 1, 0);
  }
  for (const char* name : kForbidden) {
    lua_pushnil(lua);
    lua_setglobal(lua, name);
  }
  lua_pushcfunction(lua, load_text);
  lua_setglobal(lua, "loadstring");
  lua_getglobal(lua, "string");
  lua_pushnil(lua);
  lua_setfield(lua, -2, "dump");
  lua_pop(lua, 1);
  for (const auto& [name, push] : kRedisLibraries) {
    push(lua);
    lua_setglobal(lua, name);
  }
}

void seal_globals(lua_State* lua) {
  lua_createtable(lua, 0, 3);
  lua_pushcfunction(lua, trampoline<refuse_new_global>);
  lua_setfield(lua, -2, "__newindex");
  lua_pushcfunction(lua, trampoline<refuse_unknown_global>);
  lua_setfield(lua, -2, "__index");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  lua_insert(lua, -2);
  lua_setmetatable(lua, -2);
  lua_pop(lua, 1);
}

}  // namespace moonshift::lua
