#include "lua/redis_library.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>

#include "lua/conversion.hpp"
#include "lua/library/argument.hpp"
#include "lua/library/chunk.hpp"
#include "lua/library/number_text.hpp"
#include "lua/stack.hpp"
#include "lua/state.hpp"
#include "lua/trampoline.hpp"
#include "redis/sha1.hpp"

namespace moonshift::lua {

namespace {

using redis::Reply;

ScriptCommands& commands_of(lua_State* lua) {
  return *static_cast<ScriptCommands*>(lua_touserdata(lua, lua_upvalueindex(1)));
}

ScriptSession& session_of(lua_State* lua) {
  return *static_cast<ScriptSession*>(lua_touserdata(lua, lua_upvalueindex(2)));
}

int raise(lua_State* lua, std::string_view text) {
  push_marked(lua, "err", text);
  return lua_error(lua);
}

/// An error that begins with the object's name, which in Valkey is another.
int raise_about(lua_State* lua, std::string_view text) {
  const bool valkey = commands_of(lua).product().valkey.has_value();
  return raise(lua, fmt::format("ERR {}.{}", valkey ? "server" : "redis", text));
}

/// A number as redis.call() writes it into a command: until 7.0 as C's "%.17g"; since 7.2 a whole
/// one as an integer, any other as short as can be (redis src/script_lua.c,
/// luaRedisGenericCommand).
std::string argument_text(double number, const redis::Version& version) {
  if (version < redis::Version{7, 2, 0}) return format_number(number);
  constexpr double kLimit = 4611686018427387904.0;
  if (number >= -kLimit && number <= kLimit && number == std::trunc(number))
    return fmt::format("{}", static_cast<std::int64_t>(number));
  return shortest_text(number);
}

/// Whether so much may be written down outside of Lua; collects garbage if it must.
bool has_room(lua_State* lua, std::size_t bytes) {
  const State& state = State::of(lua);
  if (bytes > state.free_memory()) lua_gc(lua, LUA_GCCOLLECT, 0);
  return bytes <= state.free_memory();
}

/// The arguments of redis.call() as a command, or what is wrong with them.
class Words {
 public:
  Words(lua_State* lua, const redis::Product& product) {
    const int count = lua_gettop(lua);
    if (count == 0) {
      problem_ = fmt::format("ERR Please specify at least one argument for this {}call",
                             product.valkey ? "" : "redis lib ");
    }
    numbers_.reserve(static_cast<std::size_t>(count));  // the views must not move
    words_.reserve(static_cast<std::size_t>(count));
    std::size_t size = 0;  // of the strings: the same one may come many times
    for (int index = 1; index <= count && problem_.empty(); ++index) {
      if (lua_type(lua, index) == LUA_TNUMBER) {
        numbers_.push_back(argument_text(lua_tonumber(lua, index), product.version));
        words_.push_back(numbers_.back());
      } else if (lua_type(lua, index) == LUA_TSTRING) {
        words_.push_back(string_at(lua, index));
        size += words_.back().size();
      } else {
        problem_ = fmt::format("ERR {} arguments must be strings or integers",
                               product.valkey ? "Command" : "Lua redis lib command");
      }
    }
    if (problem_.empty() && !has_room(lua, size))
      problem_ = "ERR not enough memory for the command";
  }

  const std::string& problem() const { return problem_; }
  redis::Command command() const { return words_; }

 private:
  std::vector<std::string> numbers_;
  std::vector<std::string_view> words_;
  std::string problem_;
};

/// Pushes what redis.pcall() returns; whether that is an error.
bool push_result(lua_State* lua) {
  ScriptCommands& commands = commands_of(lua);
  const Words words(lua, commands.product());
  if (!words.problem().empty()) {
    push_marked(lua, "err", words.problem());
    return true;
  }
  const Protocol protocol = session_of(lua).protocol;
  const Reply reply = commands.call(words.command(), protocol);
  lua_settop(lua, 0);  // thousands of arguments would leave no room for the reply
  push_reply(lua, reply, protocol);
  return reply.is_error();
}

int call(lua_State* lua) { return push_result(lua) ? lua_error(lua) : 1; }

int pcall(lua_State* lua) {
  push_result(lua);
  return 1;
}

int sha1_hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise(lua, "ERR wrong number of arguments");
  const bool has_text = lua_isstring(lua, 1) != 0;
  push(lua, std::string_view(redis::sha1_hex(has_text ? string_at(lua, 1) : "")));
  return 1;
}

/// Returns {field = text}, or an error: neither raises one.
int reply_table(lua_State* lua, const char* field, std::string_view text) {
  push_marked(lua, field, text);
  return 1;
}

constexpr std::string_view kWrongReply = "ERR wrong number or type of arguments";

int error_reply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING)
    return reply_table(lua, "err", kWrongReply);
  constexpr std::string_view kLineEnds = "\r\n";
  std::string_view text = string_at(lua, 1);
  if (text.starts_with('-')) text.remove_prefix(1);
  text.remove_suffix(text.size() - (text.find_last_not_of(kLineEnds) + 1));
  text = text.substr(0, text.find('\0'));
  if (text.find(' ') != std::string_view::npos) return reply_table(lua, "err", text);
  text.remove_prefix(std::min(text.find_first_not_of(kLineEnds), text.size()));
  return reply_table(lua, "err", fmt::format("ERR {}", text));
}

int status_reply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING)
    return reply_table(lua, "err", kWrongReply);
  return reply_table(lua, "ok", string_at(lua, 1));
}

int set_resp(lua_State* lua) {
  if (lua_gettop(lua) != 1) return raise_about(lua, "setresp() requires one argument.");
  const std::int64_t version = to_integer(lua_tonumber(lua, 1));
  if (version != 2 && version != 3) return raise(lua, "ERR RESP version must be 2 or 3.");
  session_of(lua).protocol = static_cast<Protocol>(version);
  return 0;
}

int set_repl(lua_State* lua) {
  constexpr std::int64_t kAll = 3;
  if (lua_gettop(lua) != 1) {
    const bool corrected = commands_of(lua).product().version >= redis::Version{7, 2, 0};
    return raise_about(lua, corrected ? "set_repl() requires one argument."
                                      : "set_repl() requires two arguments.");
  }
  const std::int64_t flags = to_integer(lua_tonumber(lua, 1));
  if (flags < 0 || flags > kAll) {
    return raise(lua,
                 "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or "
                 "REPL_NONE.");
  }
  if (flags != kAll) commands_of(lua).on_partial_replication();
  return 0;
}

int replicate_commands(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}

int breakpoint(lua_State* lua) {  // of Redis's debugger, which is not attached
  lua_pushboolean(lua, 0);
  return 1;
}

int debug(lua_State*) { return 0; }

/// So much of a text goes into the log.
constexpr std::size_t kMostLogged = 64 * 1024;

int log(lua_State* lua) {
  constexpr std::array kLevels{base::LogLevel::kDebug, base::LogLevel::kDebug,
                               base::LogLevel::kInfo, base::LogLevel::kWarning};
  if (lua_gettop(lua) < 2) return raise_about(lua, "log() requires two arguments or more.");
  if (lua_isnumber(lua, 1) == 0)
    return raise(lua, "ERR First argument must be a number (log level).");
  const std::int64_t level = to_integer(lua_tonumber(lua, 1));
  if (level < 0 || level >= std::ssize(kLevels)) {
    return raise(lua, commands_of(lua).product().has_redis_7_4() ? "ERR Invalid log level."
                                                                 : "ERR Invalid debug level.");
  }
  std::string text;
  for (int index = 2; index <= lua_gettop(lua) && text.size() < kMostLogged; ++index) {
    if (lua_isstring(lua, index) == 0) continue;
    if (index > 2) text += ' ';
    text += string_at(lua, index).substr(0, kMostLogged);
  }
  commands_of(lua).log(kLevels[static_cast<std::size_t>(level)], text);
  return 0;
}

int acl_check_cmd(lua_State* lua) {
  const Words words(lua, commands_of(lua).product());
  if (!words.problem().empty()) return raise(lua, words.problem());
  const auto allowed = commands_of(lua).may_run(words.command());
  if (!allowed) {
    const bool valkey = commands_of(lua).product().valkey.has_value();
    return raise(lua, fmt::format("ERR Invalid command passed to {}.acl_check_cmd()",
                                  valkey ? "server" : "redis"));
  }
  lua_pushboolean(lua, *allowed ? 1 : 0);
  return 1;
}

constexpr luaL_Reg kFunctions[] = {
    {"call", trampoline<call>},
    {"pcall", trampoline<pcall>},
    {"log", trampoline<log>},
    {"sha1hex", trampoline<sha1_hex>},
    {"error_reply", trampoline<error_reply>},
    {"status_reply", trampoline<status_reply>},
    {"setresp", trampoline<set_resp>},
    {"set_repl", trampoline<set_repl>},
    {"replicate_commands", trampoline<replicate_commands>},
    {"breakpoint", trampoline<breakpoint>},
    {"debug", trampoline<debug>},
    {"acl_check_cmd", trampoline<acl_check_cmd>},
};

struct Constant {
  const char* name;
  int value;
};

constexpr Constant kConstants[] = {
    {"LOG_DEBUG", 0}, {"LOG_VERBOSE", 1}, {"LOG_NOTICE", 2},   {"LOG_WARNING", 3}, {"REPL_NONE", 0},
    {"REPL_AOF", 1},  {"REPL_SLAVE", 2},  {"REPL_REPLICA", 2}, {"REPL_ALL", 3},
};

/// Sets `name` and `name_NUM` of the table on top.
void set_version(lua_State* lua, const std::string& name, const redis::Version& version) {
  push(lua, std::string_view(version.text()));
  lua_setfield(lua, -2, name.c_str());
  lua_pushinteger(lua, version.number());
  lua_setfield(lua, -2, (name + "_NUM").c_str());
}

/// redis src/eval.c, __redis__err__handler.
int handle_error(lua_State* lua) {
  lua_settop(lua, 1);
  if (!lua_istable(lua, 1)) {
    lua_getglobal(lua, "tostring");
    lua_pushvalue(lua, 1);
    lua_call(lua, 1, 1);
    const std::string text = fmt::format("ERR {}", string_at(lua, -1));
    push_marked(lua, "err", text);
    lua_replace(lua, 1);
    lua_settop(lua, 1);
  }
  if (lua_getmetatable(lua, 1) != 0) {
    // Its metamethods could fail where nobody would catch that: what is raised is a copy.
    lua_newtable(lua);
    lua_pushstring(lua, "err");
    lua_rawget(lua, 1);
    lua_setfield(lua, -2, "err");
    lua_replace(lua, 1);
    lua_settop(lua, 1);
  }
  lua_Debug frame;
  int level = 1;  // who raised it; if that was a C function, who called that
  if (lua_getstack(lua, level, &frame) == 0) return 1;
  lua_getinfo(lua, "Sl", &frame);
  if (std::strcmp(frame.what, "C") == 0) {
    if (lua_getstack(lua, ++level, &frame) == 0) return 1;
    lua_getinfo(lua, "Sl", &frame);
  }
  push_chunk_source(lua, frame.source);
  lua_setfield(lua, 1, "source");
  lua_pushinteger(lua, frame.currentline);
  lua_setfield(lua, 1, "line");
  return 1;
}

}  // namespace

void push_redis_library(lua_State* lua, ScriptCommands& commands, ScriptSession& session) {
  lua_newtable(lua);
  for (const luaL_Reg& function : kFunctions) {
    lua_pushlightuserdata(lua, &commands);
    lua_pushlightuserdata(lua, &session);
    lua_pushcclosure(lua, function.func, 2);
    lua_setfield(lua, -2, function.name);
  }
  for (const Constant& constant : kConstants) {
    lua_pushinteger(lua, constant.value);
    lua_setfield(lua, -2, constant.name);
  }
  const redis::Product& product = commands.product();
  set_version(lua, "REDIS_VERSION", product.version);
  if (!product.valkey) return;
  set_version(lua, "VALKEY_VERSION", *product.valkey);
  lua_pushstring(lua, "valkey");
  lua_setfield(lua, -2, "SERVER_NAME");
}

void push_error_handler(lua_State* lua) { lua_pushcfunction(lua, trampoline<handle_error>); }

bool is_error_handler(lua_State* lua, int index) {
  return lua_tocfunction(lua, index) == trampoline<handle_error>;
}

}  // namespace moonshift::lua
