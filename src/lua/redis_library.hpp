#pragma once

#include "lua/script_commands.hpp"

struct lua_State;

namespace moonshift::lua {

/// What a running script set by redis.*, and what ends with it.
struct ScriptSession {
  Protocol protocol = Protocol::kResp2;
};

/// Pushes the table `redis` of a plain script, as Redis 7 has it (redis src/script_lua.c and
/// src/eval.c). Both must outlive the state.
void push_redis_library(lua_State* lua, ScriptCommands& commands, ScriptSession& session);

/// Pushes Redis's handler of errors that nobody caught: it makes a table of what was raised, and
/// notes in it where that was.
void push_error_handler(lua_State* lua);

/// Whether it is what stands at `index`.
bool is_error_handler(lua_State* lua, int index);

}  // namespace moonshift::lua
