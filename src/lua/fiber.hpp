#pragma once

#include <string>
#include <vector>

#include "lua/scheduler.hpp"

struct lua_State;

namespace moonshift::lua {

/// One Lua coroutine and what it waits for. For the scheduler and the transactions alone.
class Fiber : public redis::ReplyHandler {
 public:
  Fiber(Scheduler& scheduler, lua_State* coroutine, int kept_as)
      : thread(coroutine), reference(kept_as), scheduler_(scheduler) {}

  /// Collects one reply; with the last one that was awaited the fiber is ready.
  void on_reply(redis::Reply reply) override {
    replies.push_back(std::move(reply));
    if (replies.size() == awaited) scheduler_.wake(*this);
  }

  /// Makes the fiber ready with an answer that is not Redis's.
  void answer(redis::Reply reply) {
    awaited = 1;
    on_reply(std::move(reply));
  }

  lua_State* thread;
  int reference;  ///< keeps the thread from the collector
  FiberOwner* owner = nullptr;
  Access access = Access::kWrite;
  bool in_transaction = false;
  bool suspended = false;   ///< by one of our own functions, which will see to it that it goes on
  bool wants_list = false;  ///< it asked for several replies and gets them as one table
  std::size_t awaited = 0;
  std::vector<redis::Reply> replies;
  std::vector<std::string> arguments;

 private:
  Scheduler& scheduler_;
};

}  // namespace moonshift::lua
