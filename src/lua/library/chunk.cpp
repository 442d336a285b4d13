#include "lua/library/chunk.hpp"

#include <lua.hpp>

#include "lua/script_error.hpp"
#include "lua/source.hpp"
#include "lua/stack.hpp"
#include "lua/state.hpp"

namespace moonshift::lua {

namespace {

/// as_lua51() works outside of Lua's memory.
constexpr std::size_t kMemoryFactor = 7;

/// So many bytes of texts are remembered.
constexpr int kMostBytes = 1 << 20;

/// Their addresses are registry keys: of the texts, by LuaJIT's name for the chunk, and of their
/// size.
const char kTexts = 0;
const char kTextBytes = 0;

bool is_text(const char* chunk_name) { return chunk_name[0] != '@' && chunk_name[0] != '='; }

void get(lua_State* lua, const char& key) {
  lua_pushlightuserdata(lua, const_cast<char*>(&key));
  lua_rawget(lua, LUA_REGISTRYINDEX);
}

/// Pops the value.
void set(lua_State* lua, const char& key) {
  lua_pushlightuserdata(lua, const_cast<char*>(&key));
  lua_insert(lua, -2);
  lua_rawset(lua, LUA_REGISTRYINDEX);
}

void remember_text(lua_State* lua, const std::string& name, std::string_view text) {
  get(lua, kTextBytes);
  const auto bytes = lua_tointeger(lua, -1);
  lua_pop(lua, 1);
  const auto more = static_cast<lua_Integer>(text.size());
  if (bytes == 0 || bytes + more > kMostBytes) forget_chunk_sources(lua);
  lua_pushinteger(lua, (bytes + more > kMostBytes ? 0 : bytes) + more + 1);
  set(lua, kTextBytes);
  get(lua, kTexts);
  push(lua, text);
  lua_setfield(lua, -2, name.c_str());
  lua_pop(lua, 1);
}

}  // namespace

void forget_chunk_sources(lua_State* lua) {
  lua_newtable(lua);
  set(lua, kTexts);
  lua_pushinteger(lua, 0);
  set(lua, kTextBytes);
}

bool push_chunk(lua_State* lua, std::string_view source, const char* chunk_name, ChunkKind kind) {
  if (source.size() > State::of(lua).free_memory() / kMemoryFactor)
    luaL_error(lua, "not enough memory");
  // LuaJIT would cut a long text shorter than Lua 5.1 does.
  const std::string name = is_text(chunk_name) ? "=" + chunk_id(chunk_name) : chunk_name;
  try {
    const std::string text = as_lua51(source, chunk_id(chunk_name, kCompilerChunkIdSize), kind);
    const bool compiles = luaL_loadbufferx(lua, text.data(), text.size(), name.c_str(), "t") == 0;
    if (compiles && is_text(chunk_name)) remember_text(lua, name, chunk_name);
    return compiles;
  } catch (const ScriptError& error) {
    push(lua, std::string_view(error.what()));
    return false;
  }
}

void push_chunk_source(lua_State* lua, const char* source) {
  get(lua, kTexts);
  if (lua_istable(lua, -1)) {
    lua_getfield(lua, -1, source);
    lua_remove(lua, -2);
  }
  if (lua_isstring(lua, -1) != 0) return;
  lua_pop(lua, 1);
  lua_pushstring(lua, source);
}

}  // namespace moonshift::lua
