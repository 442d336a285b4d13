#pragma once

struct lua_State;

namespace moonshift::lua {

// The libraries of an EVAL script as Redis has them: PUC Lua 5.1's behaviour on LuaJIT, and nothing
// that 5.1 does not have. Each pushes one new table. Before the first, the sandbox must be open.

/// What stands in the globals themselves: pcall, pairs, tostring... `string_metatable` is the index
/// of what scripts see as the metatable of strings. The sandbox's own globals must still be there.
void push_base_library(lua_State* lua, int string_metatable);

void push_string_library(lua_State* lua);
void push_table_library(lua_State* lua);
void push_math_library(lua_State* lua);  ///< with a generator of its own, as after Redis's start
void push_bit_library(lua_State* lua);
void push_struct_library(lua_State* lua);
void push_cmsgpack_library(lua_State* lua);
void push_cjson_library(lua_State* lua);
void push_coroutine_library(lua_State* lua);
void push_os_library(lua_State* lua);  ///< os.clock alone, since Redis 7.4

}  // namespace moonshift::lua
