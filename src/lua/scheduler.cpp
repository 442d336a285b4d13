#include "lua/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <lua.hpp>
#include <thread>

#include "base/text.hpp"
#include "lua/conversion.hpp"
#include "lua/fiber.hpp"
#include "lua/script_error.hpp"
#include "lua/stack.hpp"
#include "lua/trampoline.hpp"
#include "lua/transactions.hpp"
#include "redis/error.hpp"

namespace moonshift::lua {

namespace {

std::string_view name_of(Access access) {
  switch (access) {
    case Access::kFind:
      return "find";
    case Access::kVerify:
      return "verify";
    case Access::kCheck:
      return "a check";
    case Access::kWrite:
      break;
  }
  return "each";
}

/// Commands that EVAL lets through but that would wait on, or change, the connection all fibers
/// share.
bool disturbs_connection(redis::Command command) {
  using base::equal_ignoring_case;
  if (equal_ignoring_case(command[0], "select")) return true;
  const bool reads_stream =
      equal_ignoring_case(command[0], "xread") || equal_ignoring_case(command[0], "xreadgroup");
  return reads_stream && std::any_of(command.begin(), command.end(), [](std::string_view word) {
           return equal_ignoring_case(word, "block");
         });
}

/// Commands that EVAL refuses, which act on the server and not on the connection.
bool administers_server(redis::Command command) {
  static constexpr std::array kWithSubcommand{
      std::pair{"client", "kill"},      std::pair{"config", "set"},
      std::pair{"config", "resetstat"}, std::pair{"config", "rewrite"},
      std::pair{"slowlog", "reset"},    std::pair{"latency", "reset"}};
  using base::equal_ignoring_case;
  if (equal_ignoring_case(command[0], "bgsave") || equal_ignoring_case(command[0], "bgrewriteaof"))
    return true;
  return std::any_of(kWithSubcommand.begin(), kWithSubcommand.end(), [&](const auto& known) {
    return command.size() > 1 && equal_ignoring_case(command[0], known.first) &&
           equal_ignoring_case(command[1], known.second);
  });
}

/// Calls `visit` with each command of the list at `table`, each a list of strings or numbers. What
/// it gets lasts for the call.
template <class Visit>
void for_each_command(lua_State* lua, int table, Visit visit) {
  luaL_checktype(lua, table, LUA_TTABLE);
  const int before = lua_gettop(lua);
  const auto size = static_cast<int>(lua_objlen(lua, table));
  std::vector<std::string> numbers;
  for (int i = 1; i <= size; ++i) {
    lua_rawgeti(lua, table, i);
    const int command = before + 1;
    luaL_checktype(lua, command, LUA_TTABLE);
    const auto words = static_cast<int>(lua_objlen(lua, command));
    luaL_checkstack(lua, words + 2, "too many arguments");
    for (int word = 1; word <= words; ++word) lua_rawgeti(lua, command, word);
    numbers.clear();
    visit(command_at(lua, command + 1, command + words, numbers));
    lua_settop(lua, before);
  }
}

Transactions::Writes commands_at(lua_State* lua, int table) {
  Transactions::Writes commands;
  for_each_command(lua, table, [&](const std::vector<std::string_view>& command) {
    commands.emplace_back(command.begin(), command.end());
  });
  return commands;
}

/// What a fiber that asked for one reply gets: the reply, or nothing and the error's text. An error
/// that every further command would meet too is none of this fiber's: it ends the run.
int push_answer(lua_State* lua, const redis::Reply& reply, const std::string& where) {
  if (!reply.is_error()) {
    push_reply(lua, reply, Protocol::kResp2);
    return 1;
  }
  if (redis::concerns_whole_server(redis::kind_of(reply.text)))
    redis::throw_error_reply(reply.text, where);
  lua_pushnil(lua);
  push(lua, std::string_view(reply.text));
  return 2;
}

}  // namespace

/// The functions of `host`. Their upvalues: the scheduler, an outlet, their name. Where one would
/// have to wait but cannot suspend its fiber (inside a callback of table.sort or string.gsub, or in
/// a coroutine of the script's own), it waits for its own reply, and the other fibers' replies are
/// kept for later.
struct Scheduler::Bindings {
  static Scheduler& scheduler(lua_State* lua) {
    return *static_cast<Scheduler*>(lua_touserdata(lua, lua_upvalueindex(1)));
  }

  static int suspend(Scheduler& self) {
    self.current_->suspended = true;
    return kYield;
  }

  static int send(lua_State* lua) {
    Scheduler& self = scheduler(lua);
    std::vector<std::string> numbers;
    std::vector<std::string_view> command;
    try {
      command = command_at(lua, 1, lua_gettop(lua), numbers);
      self.refuse_forbidden(command);
    } catch (const ScriptError& error) {
      // Returned, not raised: the caller knows at which line of the author's it belongs.
      return push_answer(lua, redis::Reply::error(error.what()), self.connection_.where());
    }
    if (!self.can_suspend(lua))
      return push_answer(lua, self.connection_.call(command), self.connection_.where());
    self.current_->awaited = 1;
    self.current_->wants_list = false;
    self.connection_.submit(command, *self.current_);
    return suspend(self);
  }

  static int send_all(lua_State* lua) {
    Scheduler& self = scheduler(lua);
    std::size_t count = 0;
    for_each_command(lua, 1, [&](redis::Command command) {
      self.refuse_forbidden(command);
      ++count;
    });
    if (count == 0 || !self.can_suspend(lua)) {
      redis::Reply list{redis::Reply::Type::kArray, 0, "", {}};
      for_each_command(lua, 1, [&](redis::Command command) {
        list.elements.push_back(self.connection_.call(command));
      });
      push_reply(lua, list, Protocol::kResp2);
      return 1;
    }
    self.current_->awaited = count;
    self.current_->wants_list = true;
    for_each_command(
        lua, 1, [&](redis::Command command) { self.connection_.submit(command, *self.current_); });
    return suspend(self);
  }

  static int hand_out(lua_State* lua) {
    Scheduler& self = scheduler(lua);
    auto& outlet = *static_cast<Outlet*>(lua_touserdata(lua, lua_upvalueindex(2)));
    std::vector<std::string> numbers;
    std::vector<std::string_view> views;
    try {
      views = command_at(lua, 1, lua_gettop(lua), numbers);
    } catch (const ScriptError&) {
      throw ScriptError(fmt::format("{} takes strings or numbers, one at least",
                                    lua_tostring(lua, lua_upvalueindex(3))));
    }
    outlet.take(std::vector<std::string>(views.begin(), views.end()));
    if (!outlet.full()) return 0;
    if (self.can_suspend(lua)) {
      self.waiting_for_room_.emplace_back(self.current_, &outlet);
      return suspend(self);
    }
    Fiber* caller = self.current_;
    while (outlet.full()) self.step(base::kNever);
    self.current_ = caller;
    return 0;
  }

  static int begin(lua_State* lua) {
    Scheduler& self = scheduler(lua);
    if (!self.can_suspend(lua)) {
      throw ScriptError(
          "atomically cannot be used in a callback of table.sort or string.gsub, or in a "
          "coroutine");
    }
    if (self.current_->access != Access::kWrite) throw ScriptError("atomically is for each");
    if (self.current_->in_transaction)
      throw ScriptError("atomically cannot be used inside atomically");
    return self.transactions_->begin(*self.current_, lua_toboolean(lua, 1) != 0) ? 0
                                                                                 : suspend(self);
  }

  /// Does not wait for the reply: the reads that follow are behind it in the pipeline.
  static int watch(lua_State* lua) {
    Scheduler& self = member_of_transaction(lua);
    std::vector<std::string> numbers;
    auto command = command_at(lua, 1, lua_gettop(lua), numbers);
    command.insert(command.begin(), "WATCH");
    self.transactions_->watch(command);
    return 0;
  }

  /// What keeps a command from being a write of a transaction, or nothing. `commit` takes only what
  /// passed here.
  static int problem(lua_State* lua) {
    try {
      Scheduler& self = member_of_transaction(lua);
      std::vector<std::string> numbers;
      self.refuse_disturbing(command_at(lua, 1, lua_gettop(lua), numbers));
      return 0;
    } catch (const ScriptError& error) {
      push(lua, std::string_view(error.what()));
    }
    return 1;
  }

  static int commit(lua_State* lua) {
    Scheduler& self = member_of_transaction(lua);
    self.transactions_->commit(*self.current_, commands_at(lua, 1));
    return suspend(self);
  }

  static Scheduler& member_of_transaction(lua_State* lua) {
    Scheduler& self = scheduler(lua);
    if (!self.can_suspend(lua) || !self.current_->in_transaction) {
      throw ScriptError("`write` and `watch` are for the function that was given to atomically");
    }
    return self;
  }

  /// Milliseconds of a clock that only measures.
  static int clock(lua_State* lua) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    lua_pushnumber(lua, std::chrono::duration<double, std::milli>(now).count());
    return 1;
  }

  static int wait(lua_State* lua) {
    Scheduler& self = scheduler(lua);
    const std::chrono::duration<double, std::milli> rest(luaL_checknumber(lua, 1));
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::duration_cast<base::Duration>(rest);
    if (self.can_suspend(lua)) {
      self.resting_.emplace_back(until, self.current_);
      return suspend(self);
    }
    Fiber* caller = self.current_;
    while (std::chrono::steady_clock::now() < until) self.step(until);
    self.current_ = caller;
    return 0;
  }

  static int leave(lua_State* lua) {
    Scheduler& self = scheduler(lua);
    self.transactions_->leave(*self.current_);
    return 0;
  }
};

namespace {

void add_to_host(lua_State* lua, const char* name, lua_CFunction function, Scheduler* scheduler,
                 Outlet* outlet) {
  lua_pushlightuserdata(lua, scheduler);
  lua_pushlightuserdata(lua, outlet);
  lua_pushstring(lua, name);
  lua_pushcclosure(lua, function, 3);
  lua_setfield(lua, -2, name);
}

}  // namespace

Scheduler::Scheduler(State& state, redis::Connection& connection,
                     const redis::CommandTable& commands, const Options& options)
    : state_(state),
      connection_(connection),
      commands_(commands),
      administers_(options.administers),
      transactions_(std::make_unique<Transactions>(connection, options.batch_time)) {
  lua_State* lua = state_.raw();
  state_.push_host();
  add_to_host(lua, "send", trampoline<Bindings::send>, this, nullptr);
  add_to_host(lua, "send_all", trampoline<Bindings::send_all>, this, nullptr);
  add_to_host(lua, "begin", trampoline<Bindings::begin>, this, nullptr);
  add_to_host(lua, "watch", trampoline<Bindings::watch>, this, nullptr);
  add_to_host(lua, "problem", trampoline<Bindings::problem>, this, nullptr);
  add_to_host(lua, "commit", trampoline<Bindings::commit>, this, nullptr);
  add_to_host(lua, "leave", trampoline<Bindings::leave>, this, nullptr);
  add_to_host(lua, "clock", trampoline<Bindings::clock>, this, nullptr);
  add_to_host(lua, "wait", trampoline<Bindings::wait>, this, nullptr);
  lua_pop(lua, 1);
}

Scheduler::~Scheduler() {
  if (alive_ > 0) connection_.abandon();
  for (const auto& fiber : fibers_) luaL_unref(state_.raw(), LUA_REGISTRYINDEX, fiber->reference);
}

void Scheduler::define_outlet(const std::string& name, Outlet& outlet) {
  state_.push_host();
  add_to_host(state_.raw(), name.c_str(), trampoline<Bindings::hand_out>, this, &outlet);
  lua_pop(state_.raw(), 1);
}

Fiber& Scheduler::acquire() {
  if (free_.empty()) {
    lua_State* thread = lua_newthread(state_.raw());
    fibers_.push_back(
        std::make_unique<Fiber>(*this, thread, luaL_ref(state_.raw(), LUA_REGISTRYINDEX)));
    free_.push_back(fibers_.back().get());
  }
  Fiber* fiber = free_.back();
  free_.pop_back();
  return *fiber;
}

void Scheduler::start(const Function& function, Access access, std::vector<std::string> arguments,
                      FiberOwner& owner) {
  Fiber& fiber = acquire();
  fiber.owner = &owner;
  fiber.access = access;
  fiber.arguments = std::move(arguments);
  ++alive_;
  lua_rawgeti(fiber.thread, LUA_REGISTRYINDEX, function.reference());
  luaL_checkstack(fiber.thread, static_cast<int>(fiber.arguments.size()), "too many arguments");
  for (const std::string& argument : fiber.arguments)
    push(fiber.thread, std::string_view(argument));
  resume(fiber, static_cast<int>(fiber.arguments.size()));
}

void Scheduler::resume(Fiber& fiber, int arguments) {
  struct Restore {
    Fiber*& current;
    Fiber* outer;
    ~Restore() { current = outer; }
  };
  State::Ended ended{};
  {
    const Restore restore{current_, std::exchange(current_, &fiber)};
    fiber.suspended = false;
    ended = state_.resume(fiber.thread, arguments);
  }
  if (ended != State::Ended::kYielded || !fiber.suspended) finish(fiber, ended);
}

void Scheduler::finish(Fiber& fiber, State::Ended ended) {
  FiberEnd end = end_of(fiber.thread, ended);
  transactions_->leave(fiber);
  --alive_;
  FiberOwner& owner = *fiber.owner;
  const auto arguments = std::move(fiber.arguments);
  if (ended == State::Ended::kReturned) {
    lua_settop(fiber.thread, 0);
    free_.push_back(&fiber);
  } else {
    // Lua cannot resume a coroutine that failed.
    luaL_unref(state_.raw(), LUA_REGISTRYINDEX, fiber.reference);
    std::erase_if(fibers_, [&](const auto& entry) { return entry.get() == &fiber; });
  }
  owner.on_end(arguments, std::move(end));
}

FiberEnd Scheduler::end_of(lua_State* thread, State::Ended ended) const {
  FiberEnd end;
  if (ended == State::Ended::kReturned) {
    try {
      end.first = value_at(thread, 1);
      end.second = value_at(thread, 2);
    } catch (const ScriptError& error) {
      end.how = FiberEnd::How::kFailed;
      end.error = fmt::format("what it returned cannot be used: {}", error.what());
    }
    return end;
  }
  luaL_traceback(state_.raw(), thread, nullptr, 0);
  end.traceback = tidy_traceback(std::string(string_at(state_.raw(), -1)));
  lua_pop(state_.raw(), 1);
  end.how = FiberEnd::How::kFailed;
  if (ended == State::Ended::kYielded) {
    end.error = "coroutine.yield() outside of a coroutine of the script's own";
  } else if (lua_isstring(thread, -1)) {
    end.error = string_at(thread, -1);
  } else {
    end.error = fmt::format("error object is a {}", luaL_typename(thread, -1));
  }
  if (ended == State::Ended::kKilled) {
    end.how = FiberEnd::How::kKilled;
    end.error = State::position_of_stop(end.error);
    if (end.error.empty()) end.error = end.traceback.substr(0, end.traceback.find('\n'));
  }
  return end;
}

bool Scheduler::resume_next_ready() {
  if (ready_.empty()) return false;
  Fiber& fiber = *ready_.front();
  ready_.pop_front();
  auto replies = std::exchange(fiber.replies, {});
  int results = 1;
  if (std::exchange(fiber.wants_list, false)) {
    push_reply(fiber.thread, {redis::Reply::Type::kArray, 0, "", std::move(replies)},
               Protocol::kResp2);
  } else {
    results = push_answer(fiber.thread, replies.front(), connection_.where());
  }
  resume(fiber, results);
  return true;
}

bool Scheduler::resume_next_with_room() {
  for (auto entry = waiting_for_room_.begin(); entry != waiting_for_room_.end(); ++entry) {
    if (entry->second->full()) continue;
    Fiber& fiber = *entry->first;
    waiting_for_room_.erase(entry);
    resume(fiber, 0);
    return true;
  }
  return false;
}

bool Scheduler::resume_next_rested() {
  if (resting_.empty()) return false;
  const auto first = std::min_element(resting_.begin(), resting_.end());
  if (std::chrono::steady_clock::now() < first->first) return false;
  Fiber& fiber = *first->second;
  resting_.erase(first);
  resume(fiber, 0);
  return true;
}

void Scheduler::step(base::SteadyTime deadline) {
  // Who got a reply goes first: it may make room for those who wait for room.
  while (resume_next_ready() || resume_next_with_room() || resume_next_rested()) {
  }
  if (!resting_.empty()) {
    deadline = std::min(deadline, std::min_element(resting_.begin(), resting_.end())->first);
  }
  if (connection_.commands_in_flight() > 0) {
    connection_.step(deadline);
  } else if (!resting_.empty()) {
    std::this_thread::sleep_until(deadline);
  }
}

void Scheduler::drop_waiting_for(const Outlet& outlet) {
  for (auto entry = waiting_for_room_.begin(); entry != waiting_for_room_.end();) {
    if (entry->second != &outlet) {
      ++entry;
      continue;
    }
    Fiber& fiber = *entry->first;
    entry = waiting_for_room_.erase(entry);
    // A suspended coroutine cannot be used again.
    luaL_unref(state_.raw(), LUA_REGISTRYINDEX, fiber.reference);
    fiber.thread = lua_newthread(state_.raw());
    fiber.reference = luaL_ref(state_.raw(), LUA_REGISTRYINDEX);
    fiber.arguments.clear();
    --alive_;
    free_.push_back(&fiber);
  }
}

bool Scheduler::can_suspend(lua_State* lua) const {
  return current_ != nullptr && lua == current_->thread && lua_isyieldable(lua) != 0;
}

void Scheduler::refuse_disturbing(redis::Command command) const {
  if (!disturbs_connection(command) && !commands_.refused_in_scripts(command)) return;
  throw ScriptError(fmt::format("{} is not allowed in a script", base::printable(command[0], 40)));
}

void Scheduler::refuse_forbidden(redis::Command command) const {
  const auto verb = [&] { return base::printable(command[0], 40); };
  const bool reads = commands_.only_reads(command);
  // INFO's relatives (CONFIG GET, CLIENT LIST...) are noscript, but find and checks are no EVAL.
  if (reads && current_ != nullptr && (administers_ || current_->access != Access::kWrite) &&
      !disturbs_connection(command)) {
    return;
  }
  if (administers_ && current_ != nullptr && current_->access == Access::kWrite &&
      administers_server(command)) {
    return;
  }
  refuse_disturbing(command);
  if (current_ == nullptr) return;
  if (current_->access != Access::kWrite && !reads) {
    throw ScriptError(
        fmt::format("{} may only read, and {} writes", name_of(current_->access), verb()));
  }
  if (current_->in_transaction && !reads) {
    throw ScriptError(fmt::format(
        "inside atomically {} must be given to `write`, which does it together with the others",
        verb()));
  }
}

}  // namespace moonshift::lua
