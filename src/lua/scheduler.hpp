#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "lua/state.hpp"
#include "redis/command_table.hpp"
#include "redis/connection.hpp"

namespace moonshift::lua {

class Fiber;
class Transactions;

/// How a fiber came to its end.
struct FiberEnd {
  enum class How {
    kReturned,
    kFailed,  ///< it raised an error
    kKilled,  ///< the deadline or a signal stopped it
  };

  How how = How::kReturned;
  Value first, second;  ///< what it returned
  std::string error;    ///< `file:line: text`; of a killed one, where it was
  std::string traceback;
};

class FiberOwner {
 public:
  virtual ~FiberOwner() = default;

  /// Called once for each fiber, with the arguments it was started with.
  virtual void on_end(const std::vector<std::string>& arguments, FiberEnd end) = 0;
};

/// Takes what scripts hand out by calling a function. While it is full, the caller waits.
class Outlet {
 public:
  virtual ~Outlet() = default;
  virtual void take(std::vector<std::string> strings) = 0;
  virtual bool full() const = 0;
};

/// What a fiber may do to the dataset.
enum class Access { kWrite, kFind, kVerify, kCheck };

/// Runs Lua functions as fibers that share one Redis connection. A fiber that calls Redis is
/// suspended until its reply is there; meanwhile the others run, and all the commands that piled up
/// go out in one write. So a script is written as straight-line code, and costs no round trip per
/// command.
///
/// Our own modules find in `host`: send(...), send_all{{...}, ...}, begin(alone), watch(key, ...),
/// problem(...), commit{{...}, ...}, leave(), clock(), wait(ms), and the outlets.
class Scheduler {
 public:
  struct Options {
    /// How long one transaction of `atomically` may occupy Redis.
    base::Duration batch_time = std::chrono::milliseconds(2);

    /// `each` may use commands that administer the server, though EVAL refuses them.
    bool administers = false;
  };

  /// All must outlive the scheduler. Fibers that are alive when it goes are dropped, and the
  /// connection with them.
  Scheduler(State& state, redis::Connection& connection, const redis::CommandTable& commands,
            const Options& options);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Makes `host.<name>(string, ...)` hand its arguments to `outlet`.
  void define_outlet(const std::string& name, Outlet& outlet);

  /// Starts a fiber and runs it up to its first command. `owner` must outlive it.
  void start(const Function& function, Access access, std::vector<std::string> arguments,
             FiberOwner& owner);

  /// Resumes every fiber that has something to go on with, then exchanges commands and replies
  /// until `deadline` or a signal. Throws what the connection throws.
  void step(base::SteadyTime deadline);

  std::size_t alive() const { return alive_; }

  /// Drops the fibers that wait for room in `outlet`; their owners are not told.
  void drop_waiting_for(const Outlet& outlet);

 private:
  friend class Fiber;
  friend class Transactions;
  struct Bindings;

  Fiber& acquire();
  void resume(Fiber& fiber, int arguments);
  bool resume_next_ready();
  bool resume_next_with_room();
  bool resume_next_rested();
  void finish(Fiber& fiber, State::Ended ended);
  FiberEnd end_of(lua_State* thread, State::Ended ended) const;
  void wake(Fiber& fiber) { ready_.push_back(&fiber); }
  bool can_suspend(lua_State* lua) const;
  void refuse_forbidden(redis::Command command) const;
  void refuse_disturbing(redis::Command command) const;

  State& state_;
  redis::Connection& connection_;
  const redis::CommandTable& commands_;
  bool administers_;
  std::unique_ptr<Transactions> transactions_;
  std::vector<std::unique_ptr<Fiber>>
      fibers_;  ///< all that were ever made; finished ones are used again
  std::vector<Fiber*> free_;
  std::deque<Fiber*> ready_;
  std::deque<std::pair<Fiber*, Outlet*>> waiting_for_room_;
  std::vector<std::pair<base::SteadyTime, Fiber*>> resting_;  ///< until when
  Fiber* current_ = nullptr;
  std::size_t alive_ = 0;
};

}  // namespace moonshift::lua
