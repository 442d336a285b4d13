#pragma once

struct lua_State;

namespace moonshift::lua {

// Tables that scripts may read and not change, as Redis has made `_G` and its libraries since 7.0
// (redis src/script_lua.c, luaSetTableProtectionRecursively). LuaJIT cannot mark a table so. In its
// place a script holds an empty one that reads from the real one and refuses to be written; the
// library functions that go past metatables must ask here first.

/// Replaces the table on top of the stack by one that is read only. Its metatable, as scripts see
/// it, is the value at `metatable`, or nil if that is 0.
void protect_table(lua_State* lua, int metatable = 0);

/// Raises Redis's error if the value at `index` is read only. For functions that are about to
/// change it.
void refuse_protected(lua_State* lua, int index);

/// Puts the real table in the place of one that is read only. For functions that only read.
void replace_protected(lua_State* lua, int index);

/// Pushes the metatable that scripts see of the value at `index`; false, and pushes nothing, if
/// that is no read-only table.
bool push_protected_metatable(lua_State* lua, int index);

}  // namespace moonshift::lua
