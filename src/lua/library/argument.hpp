#pragma once

// Includes lua.hpp: for src/lua alone.

#include <cstdint>
#include <lua.hpp>
#include <string_view>

namespace moonshift::lua {

// Arguments of library functions, converted as Lua 5.1 does it on x86-64: luaL_checknumber() and
// its like in LuaJIT read and write numbers differently (see number_text.hpp). For anything else
// they raise the same `bad argument` errors.

/// Towards zero; what does not fit becomes the lowest integer.
std::int64_t to_integer(double number);

double check_number(lua_State* lua, int index);
std::int64_t check_integer(lua_State* lua, int index);
std::int64_t optional_integer(lua_State* lua, int index, std::int64_t otherwise);

/// The low 32 bits of check_integer(), as luaL_checkint().
int check_int(lua_State* lua, int index);
int optional_int(lua_State* lua, int index, int otherwise);

/// A string, or a number, which becomes its text on the stack. Minds the deadline.
std::string_view check_text(lua_State* lua, int index);

/// Replaces a number by its text.
void make_text(lua_State* lua, int index);

/// For what takes time by the length of a text, which Lua's hook, counting instructions, does not
/// see: raises the end of the script if its time is up. Does nothing for short ones.
void mind_deadline(lua_State* lua, std::size_t length);

}  // namespace moonshift::lua
