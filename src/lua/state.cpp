#include "lua/state.hpp"

#include <cstdlib>
#include <lua.hpp>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "lua/sandbox.hpp"
#include "lua/script_error.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"

namespace moonshift::lua {

namespace {

using Clock = std::chrono::steady_clock;

/// Every so many instructions the deadline is looked at: well under a millisecond. Where single
/// instructions go through large strings and tables, so often that they go through no more than so
/// many bytes in between.
constexpr std::size_t kCheckInterval = 10'000;
constexpr std::size_t kCheckedBytes = 1 << 30;

/// After a signal, scripts that do not come to their end within this are stopped.
constexpr auto kSignalGrace = std::chrono::seconds(2);

constexpr int kMostNestedCalls = 197;  // Lua 5.1 itself takes a few of its 200

constexpr const char* kStopped = " stopped: the run is over";

const char kStateKey = 0;  ///< its address is the registry key of the State itself
const char kHostKey = 0;

int call_native(lua_State* lua) {
  const auto* native = static_cast<const Native*>(lua_touserdata(lua, lua_upvalueindex(1)));
  Values arguments;
  for (int index = 1; index <= lua_gettop(lua); ++index) arguments.push_back(value_at(lua, index));
  push(lua, (*native)(arguments));
  return 1;
}

/// host.compile(source, chunk_name): a function, or nothing and the error.
int compile(lua_State* lua) {
  const std::string_view source = string_at(lua, 1);
  if (luaL_loadbufferx(lua, source.data(), source.size(), lua_tostring(lua, 2), "t") == 0) return 1;
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int traceback_of(lua_State* lua) {
  luaL_traceback(lua, lua, lua_tostring(lua, 1), 1);
  return 1;
}

[[noreturn]] int panic(lua_State* lua) {
  throw ScriptError(lua_isstring(lua, -1) ? lua_tostring(lua, -1) : "Lua failed without a message");
}

}  // namespace

Function::~Function() {
  if (state_ != nullptr) luaL_unref(state_->lua_, LUA_REGISTRYINDEX, reference_);
}

State::State(const StateLimits& limits)
    : allocator_{this, static_cast<std::size_t>(limits.memory.count)}, deadline_(limits.deadline) {
  lua_ = lua_newstate(allocate, &allocator_);
  if (lua_ == nullptr) throw ScriptError("LuaJIT could not be started");
  lua_atpanic(lua_, panic);
  luaJIT_setmode(lua_, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  lua_pushlightuserdata(lua_, const_cast<char*>(&kStateKey));
  lua_pushlightuserdata(lua_, this);
  lua_rawset(lua_, LUA_REGISTRYINDEX);
  open_sandbox(lua_);
  lua_pushlightuserdata(lua_, const_cast<char*>(&kHostKey));
  lua_newtable(lua_);
  lua_pushcfunction(lua_, trampoline<compile>);
  lua_setfield(lua_, -2, "compile");
  lua_rawset(lua_, LUA_REGISTRYINDEX);
  rearm();
}

State::~State() { lua_close(lua_); }

State& State::of(lua_State* lua) {
  lua_pushlightuserdata(lua, const_cast<char*>(&kStateKey));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  auto* state = static_cast<State*>(lua_touserdata(lua, -1));
  lua_pop(lua, 1);
  return *state;
}

void State::push_host() const {
  lua_pushlightuserdata(lua_, const_cast<char*>(&kHostKey));
  lua_rawget(lua_, LUA_REGISTRYINDEX);
}

void* State::allocate(void* allocator, void* block, std::size_t old_size, std::size_t new_size) {
  auto& self = *static_cast<Allocator*>(allocator);
  if (new_size == 0) {
    self.used -= old_size;
    std::free(block);
    return nullptr;
  }
  const std::size_t used = self.used - (block == nullptr ? 0 : old_size) + new_size;
  if (used > self.limit) return nullptr;
  void* moved = std::realloc(block, new_size);
  if (moved == nullptr) return nullptr;
  self.used = used;
  if (new_size > 2 * self.largest_block) {
    self.largest_block = new_size;
    if (self.state->lua_ != nullptr && !self.state->killed_) self.state->rearm();
  }
  return moved;
}

void State::arm(int instructions) { lua_sethook(lua_, on_count, LUA_MASKCOUNT, instructions); }

void State::rearm() {
  constexpr std::size_t kLeast = 4;
  const std::size_t affordable = kCheckedBytes / std::max<std::size_t>(allocator_.largest_block, 1);
  arm(static_cast<int>(std::clamp(affordable, kLeast, kCheckInterval)));
}

void State::save_exception(std::exception_ptr exception) {
  exception_ = std::move(exception);
  killed_ = true;
  arm(1);
}

bool State::must_stop() {
  const auto now = Clock::now();
  if (base::Interrupt::signal() != 0 && signalled_ == base::SteadyTime{}) signalled_ = now;
  return now >= deadline_ || (signalled_ != base::SteadyTime{} && now - signalled_ > kSignalGrace);
}

void State::on_count(lua_State* lua, lua_Debug*) {
  State::of(lua).stop_if_due(lua, 0);  // in a hook, level 0 is the function that runs
}

void State::stop_if_due(lua_State* lua) { stop_if_due(lua, 1); }

void State::stop_if_due(lua_State* lua, int level) {
  if (!killed_ && !must_stop()) return;
  killed_ = true;
  // From now on at every instruction: a pcall() in the script cannot outlive it.
  arm(1);
  luaL_where(lua, level);
  lua_pushstring(lua, kStopped);
  lua_concat(lua, 2);
  lua_error(lua);
}

NestedCall::NestedCall(lua_State* lua) : state_(State::of(lua)) {
  if (state_.nested_calls_ >= kMostNestedCalls) {
    lua_pushstring(lua, "C stack overflow");
    lua_error(lua);
  }
  ++state_.nested_calls_;
}

std::string State::position_of_stop(const std::string& error) {
  const auto end = error.find(std::string(": ") + kStopped);
  const std::string position = end == std::string::npos ? "" : error.substr(0, end);
  return position.starts_with("moonshift:") ? "" : position;
}

State::Ended State::resume(lua_State* thread, int arguments) {
  const int status = lua_resume(thread, arguments);
  const bool killed = std::exchange(killed_, false);
  if (killed) rearm();
  rethrow_saved();
  if (killed) return Ended::kKilled;
  return status == 0 ? Ended::kReturned : status == LUA_YIELD ? Ended::kYielded : Ended::kFailed;
}

State::Ended State::run_protected(int arguments) {
  allocator_.largest_block = std::min(allocator_.largest_block, allocator_.used);
  const int function = lua_gettop(lua_) - arguments;
  const int status = lua_pcall(lua_, arguments, 0, 0);
  lua_settop(lua_, function - 1);
  const bool killed = std::exchange(killed_, false);
  if (killed) rearm();
  rethrow_saved();
  return killed ? Ended::kKilled : status == 0 ? Ended::kReturned : Ended::kFailed;
}

void State::rethrow_saved() {
  if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
}

void State::define(const std::string& name, Native native) {
  natives_.push_back(std::make_unique<Native>(std::move(native)));
  push_host();
  lua_pushlightuserdata(lua_, natives_.back().get());
  lua_pushcclosure(lua_, trampoline<call_native>, 1);
  lua_setfield(lua_, -2, name.c_str());
  lua_pop(lua_, 1);
}

void State::run_module(std::string_view source, const std::string& chunk_name) {
  if (luaL_loadbufferx(lua_, source.data(), source.size(), chunk_name.c_str(), "t") != 0) {
    const ScriptError error(std::string(string_at(lua_, -1)));
    lua_pop(lua_, 1);
    throw error;
  }
  push_host();
  if (lua_pcall(lua_, 1, 1, 0) != 0) {
    const ScriptError error(std::string(string_at(lua_, -1)));
    lua_pop(lua_, 1);
    throw error;
  }
  module_ = luaL_ref(lua_, LUA_REGISTRYINDEX);
  seal_globals(lua_);
}

Function State::function(const std::string& name) {
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, module_);
  lua_getfield(lua_, -1, name.c_str());
  Function found(*this, luaL_ref(lua_, LUA_REGISTRYINDEX));
  lua_pop(lua_, 1);
  return found;
}

Value State::call(const Function& function, const Values& arguments) {
  lua_pushcfunction(lua_, traceback_of);
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, function.reference());
  for (const Value& argument : arguments) push(lua_, argument);
  const int status = lua_pcall(lua_, static_cast<int>(arguments.size()), 1,
                               -2 - static_cast<int>(arguments.size()));
  const bool killed = std::exchange(killed_, false);
  if (killed) rearm();
  if (exception_) lua_pop(lua_, 2);
  rethrow_saved();
  if (status != 0) {
    const std::string text(string_at(lua_, -1));
    lua_pop(lua_, 2);
    if (killed) throw base::Aborted(base::Aborted::Reason::kDeadline, position_of_stop(text));
    const auto end = text.find("\nstack traceback:");
    throw ScriptError(text.substr(0, end), end == std::string::npos ? "" : text.substr(end + 1));
  }
  Value result = value_at(lua_, lua_gettop(lua_));
  lua_pop(lua_, 2);
  return result;
}

}  // namespace moonshift::lua
