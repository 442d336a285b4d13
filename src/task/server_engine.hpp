#pragma once

#include <string>
#include <vector>

#include "base/pacer.hpp"
#include "redis/endpoint.hpp"
#include "task/bundle.hpp"
#include "task/engine.hpp"
#include "task/script.hpp"

namespace moonshift::task {

/// Items are treated inside Redis: one EVALSHA a batch, one batch at a time, so large that it
/// occupies Redis for about `batch_time`.
class ServerEngine : public Engine, public redis::ReplyHandler {
 public:
  /// Loads the bundle. All but `p` must outlive the engine. Throws RedisError, ScriptError.
  ServerEngine(const Script& script, const lua::Value::Record& p, redis::Connection& connection,
               const redis::Endpoint& endpoint, base::Duration batch_time, ItemListener& listener);

  void take(Item item) override;
  bool full() const override;
  void finish() override;
  bool idle() const override { return waiting_.empty() && running_.empty(); }
  void press() override;
  void give_up() override;
  std::int64_t batches() const override { return batches_; }

  void on_reply(redis::Reply reply) override;

 private:
  void load();
  bool kill_script();
  bool still_runs();
  void send_when_due();
  void send();
  void submit();
  void hand_over(const redis::Reply& results);
  [[noreturn]] void fail(const std::string& error);

  redis::Connection& connection_;
  const redis::Endpoint& endpoint_;
  ItemListener& listener_;
  Bundle bundle_;
  std::string sha_;
  std::vector<std::string> parameters_;  ///< as they stand at the front of ARGV
  base::Duration round_trip_;            ///< of an idle Redis: not part of what a batch costs
  base::Pacer pacer_;
  std::vector<Item> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::vector<Item> running_;
  base::SteadyTime sent_{};
  bool finishing_ = false;
  bool reloaded_ = false;
  bool told_unkillable_ = false;
  std::int64_t batches_ = 0;
};

}  // namespace moonshift::task
