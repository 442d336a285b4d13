#pragma once

#include <string_view>

struct lua_State;

namespace moonshift::lua {

/// Whether a chunk's first returned value alone counts, as that of a whole script.
enum class ChunkKind { kScript, kPart };

/// Compiles Lua 5.1 text: pushes the function and returns true, or pushes what is wrong. Bytecode
/// is no text.
bool push_chunk(lua_State* lua, std::string_view source, const char* chunk_name, ChunkKind kind);

/// Pushes the source of a chunk as Lua 5.1 has it in debug information, for what LuaJIT has there:
/// for a chunk of push_chunk() that has no name, its text.
void push_chunk_source(lua_State* lua, const char* source);

/// Forgets all texts: another script begins.
void forget_chunk_sources(lua_State* lua);

}  // namespace moonshift::lua
