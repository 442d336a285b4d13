#pragma once

#include <string>
#include <string_view>

#include "lua/library/chunk.hpp"

namespace moonshift::lua {

/// `source` as LuaJIT must be given it so that it means what it means to Lua 5.1, line by line:
/// escapes and numbers, the table `arg` of a vararg function, and calls of Lua's own functions in
/// `return f()`, which in LuaJIT would leave no trace of their line.
///
/// Throws ScriptError for what Lua 5.1 refuses, in its words and order: `chunk_id:line: what`.
/// Needs about six times the memory of `source`.
std::string as_lua51(std::string_view source, std::string_view chunk_id, ChunkKind kind);

/// How much of a chunk's name Lua 5.1 shows in an error (luaconf.h, LUA_IDSIZE), and in one that
/// its compiler finds (llex.c, MAXSRC).
constexpr std::size_t kChunkIdSize = 60;
constexpr std::size_t kCompilerChunkIdSize = 80;

/// How Lua 5.1 shows a chunk's name: `user_script` for `@user_script`, `[string "..."]` for a text
/// (lua src/lobject.c, luaO_chunkid).
std::string chunk_id(std::string_view chunk_name, std::size_t size = kChunkIdSize);

}  // namespace moonshift::lua
