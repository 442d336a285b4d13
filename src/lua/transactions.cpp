#include "lua/transactions.hpp"

#include <algorithm>

#include "redis/error.hpp"

namespace moonshift::lua {

namespace {

using redis::Reply;
using Clock = std::chrono::steady_clock;

/// Redis looks through all keys that a connection watches at each further one (redis src/multi.c,
/// watchForKey), so a group must not watch many.
constexpr std::size_t kMostWatched = 128;

/// For replies that tell nothing: to UNWATCH.
struct Ignored : redis::ReplyHandler {
  void on_reply(Reply) override {}
};

Ignored ignored;

std::string explain(const std::string& refusal) {
  if (!refusal.starts_with("OOM")) return refusal;
  return refusal + " Redis is above maxmemory and takes no transactions: use --engine server";
}

}  // namespace

/// One MULTI ... EXEC under way.
class Transactions::Execution : public redis::ReplyHandler {
 public:
  Execution(Transactions& transactions, std::vector<Member> members)
      : transactions_(transactions), members_(std::move(members)) {}

  void submit(redis::Connection& connection) {
    connection.submit(std::vector<std::string_view>{"MULTI"}, *this);
    for (const Member& member : members_) {
      for (const auto& write : member.writes) {
        connection.submit(std::vector<std::string_view>(write.begin(), write.end()), *this);
      }
      awaited_ += member.writes.size();
    }
    connection.submit(std::vector<std::string_view>{"EXEC"}, *this);
    awaited_ += 2;
  }

  void on_reply(Reply reply) override {
    if (--awaited_ > 0) {
      if (reply.is_error() && refusal_.empty()) refusal_ = std::move(reply.text);
      return;
    }
    answer_members(std::move(reply));
    transactions_.finished(*this);  // destroys this
  }

  std::size_t items() const { return members_.size(); }
  base::Duration age() const {
    return std::chrono::duration_cast<base::Duration>(Clock::now() - begun_);
  }

 private:
  void answer_members(Reply exec) {
    std::size_t next = 0;
    for (Member& member : members_) {
      if (exec.type == Reply::Type::kArray) {
        Reply own{Reply::Type::kArray, 0, "", {}};
        for (std::size_t i = 0; i < member.writes.size(); ++i) {
          own.elements.push_back(std::move(exec.elements.at(next++)));
        }
        member.fiber->answer(std::move(own));
      } else if (exec.is_error() && members_.size() == 1) {
        member.fiber->answer(Reply::error(explain(refusal_.empty() ? exec.text : refusal_)));
      } else {
        // A watched key changed, or one member's command was refused: alone, each will know.
        member.fiber->answer(Reply{});
      }
    }
  }

  Transactions& transactions_;
  std::vector<Member> members_;
  std::size_t awaited_ = 0;
  std::string refusal_;
  Clock::time_point begun_ = Clock::now();
};

Transactions::Transactions(redis::Connection& connection, base::Duration batch_time)
    : connection_(connection), pacer_(batch_time) {}

Transactions::~Transactions() = default;

void Transactions::require_permission() {
  if (std::exchange(permitted_, true)) return;
  for (const std::string_view verb : {"MULTI", "EXEC", "UNWATCH"}) {
    const Reply reply = connection_.call({verb});
    if (reply.is_error()) {
      redis::throw_error_reply(
          reply.text + ": this user may not use transactions; --engine server needs none",
          connection_.where());
    }
  }
}

bool Transactions::begin(Fiber& fiber, bool alone) {
  require_permission();
  if (!waiting_.empty() || !has_room(alone)) {
    waiting_.push_back({&fiber, alone});
    return false;
  }
  join(fiber, alone);
  return true;
}

bool Transactions::has_room(bool alone) const {
  if (group_.joined == 0) return true;
  const std::size_t most = std::min(pacer_.size(), kMostWatched / keys_per_member_ + 1);
  return !alone && !group_.alone && !group_.closed && group_.joined < most;
}

void Transactions::join(Fiber& fiber, bool alone) {
  fiber.in_transaction = true;
  group_.alone = alone;
  ++group_.joined;
  ++group_.undecided;
}

void Transactions::watch(redis::Command command) {
  group_.watched += command.size() - 1;
  ++watches_pending_;
  connection_.submit(command, *this);
}

void Transactions::on_reply(Reply reply) {
  --watches_pending_;
  if (reply.is_error()) refusal_ = std::move(reply.text);
  if (group_.joined > 0) decide();
}

void Transactions::commit(Fiber& fiber, Writes writes) {
  fiber.in_transaction = false;
  group_.closed = true;
  group_.committed.push_back({&fiber, std::move(writes)});
  --group_.undecided;
  decide();
}

void Transactions::leave(Fiber& fiber) {
  if (!fiber.in_transaction) return;
  fiber.in_transaction = false;
  --group_.undecided;
  decide();
}

void Transactions::decide() {
  // What was read is behind WATCH in the pipeline; who decides without reading waits for it here.
  if (group_.undecided > 0 || watches_pending_ > 0) return;
  if (!refusal_.empty()) {
    refuse();
  } else if (group_.committed.empty()) {
    connection_.submit(std::vector<std::string_view>{"UNWATCH"}, ignored);
  } else {
    execute();
  }
  keys_per_member_ = std::max<std::size_t>(1, group_.watched / group_.joined);
  group_ = Group{};
  admit();
}

/// Nobody's writes happen. Alone, each will know whether the refusal is its own.
void Transactions::refuse() {
  const std::string refusal = std::exchange(refusal_, {});
  connection_.submit(std::vector<std::string_view>{"UNWATCH"}, ignored);
  for (const Member& member : group_.committed) {
    member.fiber->answer(group_.joined == 1 ? Reply::error(refusal) : Reply{});
  }
}

void Transactions::execute() {
  executions_.push_back(std::make_unique<Execution>(*this, std::move(group_.committed)));
  executions_.back()->submit(connection_);
}

void Transactions::admit() {
  while (!waiting_.empty() && has_room(waiting_.front().alone)) {
    const Waiting next = waiting_.front();
    waiting_.pop_front();
    join(*next.fiber, next.alone);
    next.fiber->answer(Reply{Reply::Type::kStatus, 0, "OK", {}});
  }
}

void Transactions::finished(Execution& execution) {
  pacer_.observe(execution.items(), execution.age());
  executions_.remove_if([&](const auto& entry) { return entry.get() == &execution; });
}

}  // namespace moonshift::lua
