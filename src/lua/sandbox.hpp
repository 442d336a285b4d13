#pragma once

struct lua_State;

namespace moonshift::lua {

/// Opens the libraries that a task may use (Lua's own without io, os, package and debug; `bit`,
/// `cjson`, `cmsgpack` and `struct`) and takes away what leads out of the sandbox.
void open_sandbox(lua_State* lua);

/// From now on, making a global and reading one that is not there are errors that name it, with
/// Redis's own words (redis src/script_lua.c).
void seal_globals(lua_State* lua);

}  // namespace moonshift::lua
