#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/duration.hpp"
#include "base/time.hpp"
#include "lua/value.hpp"

struct lua_State;
struct lua_Debug;

namespace moonshift::lua {

class State;

/// A Lua function that is kept from the collector. It must not outlive its State.
class Function {
 public:
  Function() = default;
  Function(State& state, int reference) : state_(&state), reference_(reference) {}
  Function(Function&& other) noexcept
      : state_(std::exchange(other.state_, nullptr)), reference_(other.reference_) {}
  Function& operator=(Function&& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(reference_, other.reference_);
    return *this;
  }
  ~Function();

  int reference() const { return reference_; }
  explicit operator bool() const { return state_ != nullptr; }

 private:
  State* state_ = nullptr;
  int reference_ = 0;
};

/// A function of ours that scripts call. It may throw: ScriptError becomes a Lua error at the
/// caller's line; anything else ends the run and arrives at whoever runs the State.
using Native = std::function<Value(const Values& arguments)>;

struct StateLimits {
  base::Bytes memory{1 << 30};
  base::SteadyTime deadline = base::kNever;
};

/// One LuaJIT state with a sandbox: no files, no processes, no bytecode, no FFI, no globals of a
/// script's own. The JIT is off: with it the deadline could not be enforced, and a hardened unit
/// forbids writable executable memory. Used by one thread.
class State {
 public:
  explicit State(const StateLimits& limits);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Makes `host.<name>` of our own Lua modules; scripts do not see `host`.
  void define(const std::string& name, Native native);

  /// Runs one of our own Lua modules with `host` as its argument. It returns a table, whose
  /// functions function() then finds. Errors in it are ScriptErrors.
  void run_module(std::string_view source, const std::string& chunk_name);
  Function function(const std::string& name);

  /// Calls a function outside of any scheduler. Throws ScriptError.
  Value call(const Function& function, const Values& arguments = {});

  void set_deadline(base::SteadyTime deadline) { deadline_ = deadline; }

  lua_State* raw() const { return lua_; }

  // What the scheduler and the bindings need; not for other layers.

  /// How a resumed piece of Lua code ended.
  enum class Ended { kYielded, kReturned, kFailed, kKilled };

  /// Resumes `thread` with `arguments` values on its stack. An exception of ours that was thrown
  /// below is thrown on from here, even if the script caught it as a Lua error.
  Ended resume(lua_State* thread, int arguments);

  /// Calls the function under `arguments` values on top of the main stack, in protected mode, and
  /// drops what it returns. Otherwise like resume().
  Ended run_protected(int arguments);

  /// The script that runs has been stopped, and is on its way to its end.
  bool killed() const { return killed_; }

  /// `file:line` of the script from the error that stopped it; empty if that was in our own Lua.
  static std::string position_of_stop(const std::string& error);

  static State& of(lua_State* lua);

  /// For loops of ours that may take long: raises the error that ends the script, if its time is
  /// up.
  void stop_if_due(lua_State* lua);

  /// So many bytes may still be allocated: for what is built outside of Lua first.
  std::size_t memory_limit() const { return allocator_.limit; }
  std::size_t free_memory() const { return allocator_.limit - allocator_.used; }

  void push_host() const;

  /// For an exception of ours that Lua would not let through: the script ends, even if it catches
  /// the error that it gets, and who runs it gets the exception.
  void save_exception(std::exception_ptr exception);

 private:
  friend class Function;
  friend class NestedCall;

  struct Allocator {
    State* state;
    std::size_t limit;
    std::size_t used = 0;
    std::size_t largest_block = 0;  ///< that a single instruction may have to go through
  };

  static void* allocate(void* allocator, void* block, std::size_t old_size, std::size_t new_size);
  static void on_count(lua_State* lua, lua_Debug* debug);
  void arm(int instructions);
  void rearm();
  bool must_stop();
  void stop_if_due(lua_State* lua, int level);
  void rethrow_saved();

  Allocator allocator_;
  lua_State* lua_ = nullptr;
  base::SteadyTime deadline_;
  base::SteadyTime signalled_{};  ///< when a signal was first seen
  bool killed_ = false;
  std::exception_ptr exception_;
  int nested_calls_ = 0;
  int module_ = 0;  ///< registry reference of what run_module() got
  std::vector<std::unique_ptr<Native>> natives_;
};

/// Counts how deep calls from C++ back into Lua are nested. LuaJIT would go on until the process's
/// stack is used up; Lua 5.1 stops at 200 (LUAI_MAXCCALLS), and so does this.
class NestedCall {
 public:
  /// Raises "C stack overflow".
  explicit NestedCall(lua_State* lua);
  ~NestedCall() { --state_.nested_calls_; }
  NestedCall(const NestedCall&) = delete;
  NestedCall& operator=(const NestedCall&) = delete;

 private:
  State& state_;
};

}  // namespace moonshift::lua
