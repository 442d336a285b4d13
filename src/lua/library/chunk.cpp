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

/// So many texts are remembered.
constexpr int kMostTexts = 64;

/// Their addresses are registry keys: of the texts, by LuaJIT's name for the chunk, and of their
/// number.
const char kTexts = 0;
const char kTextCount = 0;

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

void remember_text(lua_State* lua, const std::string& name, const char* text) {
  get(lua, kTextCount);
  const auto count = lua_tointeger(lua, -1) % kMostTexts;
  lua_pop(lua, 1);
  if (count == 0) {
    lua_newtable(lua);
    set(lua, kTexts);
  }
  lua_pushinteger(lua, count + 1);
  set(lua, kTextCount);
  get(lua, kTexts);
  lua_pushstring(lua, text);
  lua_setfield(lua, -2, name.c_str());
  lua_pop(lua, 1);
}

}  // namespace

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
