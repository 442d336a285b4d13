#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/pacer.hpp"
#include "lua/fiber.hpp"

namespace moonshift::lua {

/// Optimistic transactions of many fibers over one connection.
///
/// WATCH belongs to a connection, and EXEC ends every watch of it. So fibers go through it in
/// groups: the members watch and read side by side; when each has said what it wants to write, or
/// has left, all the writes go out as one MULTI ... EXEC. If any watched key changed, nobody's
/// writes happen and each member tries again, alone. The next group begins as soon as EXEC is
/// queued. https://redis.io/docs/latest/develop/interact/transactions
class Transactions : private redis::ReplyHandler {
 public:
  using Writes = std::vector<std::vector<std::string>>;

  Transactions(redis::Connection& connection, base::Duration batch_time);
  ~Transactions() override;

  /// Lets `fiber` into the open group. Throws RedisError if this user may not use transactions:
  /// without MULTI the writes would happen one by one, and unguarded. False if it has to wait: it
  /// then gets an answer when it is in.
  bool begin(Fiber& fiber, bool alone);

  /// Sends a member's WATCH.
  void watch(redis::Command command);

  /// Answers the fiber with the replies to its writes, with nil if a watched key changed, or with
  /// the error that kept Redis from executing them.
  void commit(Fiber& fiber, Writes writes);

  /// The fiber writes nothing, or has ended.
  void leave(Fiber& fiber);

 private:
  struct Member {
    Fiber* fiber;
    Writes writes;
  };
  struct Group {
    std::size_t undecided = 0;  ///< members that have neither committed nor left
    std::size_t joined = 0;
    std::size_t watched = 0;  ///< keys
    bool alone = false;
    bool closed = false;  ///< somebody has committed: who comes now waits for the next group
    std::vector<Member> committed;
  };
  struct Waiting {
    Fiber* fiber;
    bool alone;
  };
  class Execution;

  /// The replies to WATCH. None may be refused, for then nothing would be guarded.
  void on_reply(redis::Reply reply) override;
  void require_permission();
  bool has_room(bool alone) const;
  void join(Fiber& fiber, bool alone);
  void decide();
  void execute();
  void refuse();
  void admit();
  void finished(Execution& execution);

  redis::Connection& connection_;
  base::Pacer pacer_;
  bool permitted_ = false;
  Group group_;
  std::size_t watches_pending_ = 0;  ///< of the open group
  std::string refusal_;              ///< of one of them
  std::size_t keys_per_member_ = 1;  ///< as the last group watched
  std::deque<Waiting> waiting_;
  std::list<std::unique_ptr<Execution>> executions_;
};

}  // namespace moonshift::lua
