#include "lua/interpreter.hpp"

#include <fmt/format.h>

#include <array>
#include <unordered_map>

#include "base/bytes.hpp"
#include "base/interrupt.hpp"
#include "lua/conversion.hpp"
#include "lua/library/chunk.hpp"
#include "lua/library/library.hpp"
#include "lua/library/protected.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

using redis::Reply;

struct Library {
  const char* name;
  void (*push)(lua_State*);
};

constexpr std::array<Library, 5> kLibraries{{{"bit", push_bit_library},
                                             {"cmsgpack", push_cmsgpack_library},
                                             {"coroutine", push_coroutine_library},
                                             {"struct", push_struct_library},
                                             {"table", push_table_library}}};

/// These two remember something: the generator's position, cjson's settings. So each script gets
/// new ones.
constexpr std::array<Library, 2> kFreshLibraries{
    {{"cjson", push_cjson_library}, {"math", push_math_library}}};

/// Compiled scripts are kept until their texts take up so much.
constexpr std::size_t kMostCompiled = 4 << 20;

int refuse_unknown_global(lua_State* lua) {
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                    luaL_optstring(lua, 2, "?"));
}

std::string stop_message() {
  return base::Interrupt::signal() != 0 ? "ERR Script stopped by a signal"
                                        : "ERR Script stopped, its time is up";
}

/// What Redis answers for the error table on top of the stack (redis src/script_lua.c,
/// luaCallFunction).
Reply uncaught_error(lua_State* lua, const std::string& sha, bool stopped) {
  if (!lua_istable(lua, -1)) {
    const char* what = lua_isstring(lua, -1) != 0 ? lua_tostring(lua, -1) : "execution failure";
    return Reply::error(stopped ? stop_message()
                                : fmt::format("ERR Error running script {}: {}", sha, what));
  }
  const auto field = [&](const char* name) {
    lua_pushstring(lua, name);
    lua_rawget(lua, -2);
    std::string text = lua_isstring(lua, -1) != 0 ? std::string(string_at(lua, -1)) : "";
    lua_pop(lua, 1);
    return text;
  };
  const std::string source = field("source"), line = field("line");
  lua_pushstring(lua, "err");
  lua_rawget(lua, -2);
  const bool has_text = lua_isstring(lua, -1) != 0;
  lua_pop(lua, 1);
  std::string text = stopped    ? stop_message()
                     : has_text ? one_line(field("err"))
                                : "ERR unknown error";  // it crashes Redis 7.0
  if (!source.empty() && !line.empty())
    text += fmt::format(" script: {}, on {}:{}.", sha, one_line(source), line);
  return Reply::error(std::move(text));
}

}  // namespace

/// A Lua state with Redis's globals, and what was compiled in it.
struct Interpreter::World {
  World(base::Bytes memory, ScriptCommands& script_commands)
      : commands(script_commands), state({memory, base::kNever}) {
    lua_State* lua = state.raw();
    lua_pushcfunction(lua, trampoline<build>);
    lua_pushlightuserdata(lua, this);
    if (state.run_protected(1) == State::Ended::kReturned) return;
    throw ScriptError(fmt::format("{} bytes are too few for Lua itself", memory.count));
  }

  Result run(const Script& to_run, base::SteadyTime deadline) {
    script = &to_run;
    session = {};
    result = {};
    state.set_deadline(deadline);
    lua_State* lua = state.raw();
    lua_pushcfunction(lua, trampoline<execute>);
    lua_pushlightuserdata(lua, this);
    switch (state.run_protected(1)) {
      case State::Ended::kReturned:
        break;
      case State::Ended::kKilled:
        result.how = Result::How::kStopped;
        if (!result.reply.is_error()) result.reply = Reply::error(stop_message());
        break;
      default:
        result.how = Result::How::kOutOfMemory;
        result.reply = Reply::error(fmt::format(
            "ERR not enough memory: a script may use {}",
            base::describe_bytes(base::Bytes{static_cast<std::int64_t>(state.memory_limit())})));
    }
    return std::move(result);
  }

  static World& of(lua_State* lua) { return *static_cast<World*>(lua_touserdata(lua, 1)); }

  // What follows runs inside Lua: its errors, and memory that is not there, end it.

  static int build(lua_State* lua) {
    World& self = of(lua);
    lua_newtable(lua);
    lua_replace(lua, 1);
    push_string_library(lua);
    install_string_methods(lua);
    protect_table(lua);
    const int strings = lua_gettop(lua);
    lua_createtable(lua, 0, 1);
    lua_pushvalue(lua, strings);
    lua_setfield(lua, -2, "__index");
    protect_table(lua);
    push_base_library(lua, lua_gettop(lua));
    const int globals = lua_gettop(lua);
    lua_pushvalue(lua, strings);
    lua_setfield(lua, globals, "string");
    for (const Library& library : kLibraries) add_library(lua, globals, library);
    push_redis_library(lua, self.commands, self.session);
    protect_table(lua);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, globals, "redis");
    const redis::Product& product = self.commands.product();
    if (product.valkey) lua_setfield(lua, globals, "server");
    for (const char* name : {"__redis__err__handler", "__server__err__handler"}) {
      push_error_handler(lua);
      lua_setfield(lua, globals, name);
      if (!product.valkey) break;
    }
    if (product.has_redis_7_4()) add_library(lua, globals, {"os", push_os_library});
    self.seal(lua, globals);
    return 0;
  }

  /// `("x"):upper()` finds the library on top of the stack.
  static void install_string_methods(lua_State* lua) {
    lua_pushstring(lua, "");
    lua_getmetatable(lua, -1);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 2);
  }

  static void add_library(lua_State* lua, int globals, const Library& library) {
    library.push(lua);
    protect_table(lua);
    lua_setfield(lua, globals, library.name);
  }

  /// Makes the table at `globals` what scripts have for globals: read only, and an error to read
  /// what is not there.
  void seal(lua_State* lua, int globals) {
    lua_createtable(lua, 0, 1);
    lua_pushcfunction(lua, trampoline<refuse_unknown_global>);
    lua_setfield(lua, -2, "__index");
    lua_pushvalue(lua, -1);
    lua_setmetatable(lua, globals);
    lua_createtable(lua, 0, 1);  // what scripts see of it
    lua_pushcfunction(lua, trampoline<refuse_unknown_global>);
    lua_setfield(lua, -2, "__index");
    protect_table(lua);
    const int metatable = lua_gettop(lua);
    lua_pushvalue(lua, globals);
    protect_table(lua, metatable);
    lua_pushvalue(lua, -1);
    lua_pushstring(lua, "_G");
    lua_pushvalue(lua, -2);
    lua_rawset(lua, globals);
    lua_replace(lua, LUA_GLOBALSINDEX);
    lua_pushvalue(lua, globals);
    real_globals = luaL_ref(lua, LUA_REGISTRYINDEX);
  }

  static int execute(lua_State* lua) {
    World& self = of(lua);
    lua_gc(lua, LUA_GCRESTART, 0);
    self.refresh(lua);
    push_error_handler(lua);
    const int handler = lua_gettop(lua);
    if (!self.push_compiled(lua)) {
      self.result.compiled = false;
      self.result.reply = Reply::error(one_line(
          fmt::format("ERR Error compiling script (new function): {}", string_at(lua, -1))));
      return 0;
    }
    const int status = lua_pcall(lua, 0, 1, handler);
    if (status == LUA_ERRMEM) return lua_error(lua);
    lua_replace(lua, 1);
    lua_settop(lua, 1);  // as much room for nested tables as there
    self.result.reply = status == 0
                            ? reply_at(lua, -1, self.session.protocol, self.commands.product())
                            : uncaught_error(lua, self.script->sha, self.state.killed());
    return 0;
  }

  /// Nothing that an earlier script could have changed stays.
  void refresh(lua_State* lua) {
    lua_gc(lua, LUA_GCSETPAUSE, 200);
    lua_gc(lua, LUA_GCSETSTEPMUL, 200);
    forget_chunk_sources(lua);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, real_globals);
    const int globals = lua_gettop(lua);
    for (const Library& library : kFreshLibraries) add_library(lua, globals, library);
    push_list(lua, script->keys);
    lua_setfield(lua, globals, "KEYS");
    push_list(lua, script->arguments);
    lua_setfield(lua, globals, "ARGV");
    lua_pop(lua, 1);
  }

  static void push_list(lua_State* lua, const std::vector<std::string>& strings) {
    lua_createtable(lua, static_cast<int>(strings.size()), 0);
    for (std::size_t i = 0; i < strings.size(); ++i) {
      push(lua, std::string_view(strings[i]));
      lua_rawseti(lua, -2, static_cast<int>(i + 1));
    }
  }

  /// Pushes the script's function, or what is wrong with its text.
  bool push_compiled(lua_State* lua) {
    if (const auto found = compiled.find(script->text); found != compiled.end()) {
      lua_rawgeti(lua, LUA_REGISTRYINDEX, found->second);
      return true;
    }
    if (!push_chunk(lua, script->text, "@user_script", ChunkKind::kScript)) return false;
    if (compiled_bytes > kMostCompiled) {
      for (const auto& entry : compiled) luaL_unref(lua, LUA_REGISTRYINDEX, entry.second);
      compiled.clear();
      compiled_bytes = 0;
    }
    lua_pushvalue(lua, -1);
    compiled.emplace(script->text, luaL_ref(lua, LUA_REGISTRYINDEX));
    compiled_bytes += script->text.size();
    return true;
  }

  ScriptCommands& commands;
  State state;
  ScriptSession session;
  int real_globals = 0;                           ///< registry reference
  std::unordered_map<std::string, int> compiled;  ///< text to registry reference
  std::size_t compiled_bytes = 0;
  const Script* script = nullptr;  ///< that runs
  Result result;                   ///< of it
};

Interpreter::Interpreter(base::Bytes memory, ScriptCommands& commands)
    : memory_(memory), commands_(commands) {}

Interpreter::~Interpreter() = default;

Interpreter::Result Interpreter::run(const Script& script, base::SteadyTime deadline) {
  if (!world_) world_ = std::make_unique<World>(memory_, commands_);
  Result result;
  try {
    result = world_->run(script, deadline);
  } catch (...) {
    world_.reset();
    throw;
  }
  // What a script left behind must not be missing to the next.
  State& state = world_->state;
  const auto is_full = [&] { return state.free_memory() < state.memory_limit() / 4 * 3; };
  if (is_full()) lua_gc(state.raw(), LUA_GCCOLLECT, 0);
  if (result.how == Result::How::kOutOfMemory || is_full()) world_.reset();
  return result;
}

}  // namespace moonshift::lua
