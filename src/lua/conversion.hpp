#pragma once

// Includes lua.hpp: for src/lua alone.

#include <lua.hpp>

#include "lua/script_commands.hpp"
#include "redis/reply.hpp"

namespace moonshift::lua {

/// Pushes {field = text}, which is how scripts tell an error, a status... from a string.
void push_marked(lua_State* lua, const char* field, std::string_view text);

/// Pushes a reply as redis.call() hands it to a script
/// (https://redis.io/docs/latest/develop/interact/programmability/lua-api, "Data type conversion").
void push_reply(lua_State* lua, const redis::Reply& reply, Protocol protocol);

/// What a script returned as the reply that a RESP2 client gets. Metamethods are not asked. Raises
/// "not enough memory" if the reply would be larger than what the state may still use: a small
/// table that holds itself many times makes a large reply.
/// Doubles are written as that product does.
redis::Reply reply_at(lua_State* lua, int index, Protocol protocol, const redis::Product& product);

/// CR and LF as Redis writes them into an error or a status; both end at the first NUL.
std::string one_line(std::string_view text);

}  // namespace moonshift::lua
