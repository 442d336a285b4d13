#pragma once

#include "task/engine.hpp"
#include "task/script.hpp"

namespace moonshift::task {

/// Every item is a fiber of its own in this process.
class LocalEngine : public Engine, public lua::FiberOwner {
 public:
  /// All must outlive the engine.
  LocalEngine(Script& script, lua::Scheduler& scheduler, const redis::Connection& connection,
              ItemListener& listener);

  void take(Item item) override;
  bool full() const override;
  void finish() override {}
  bool idle() const override { return under_way_ == 0; }
  void press() override {}  // a script that goes on is stopped by the state's own deadline
  void give_up() override;
  std::int64_t batches() const override { return connection_.totals().writes; }

  void on_end(const std::vector<std::string>& item, lua::FiberEnd end) override;

 private:
  lua::Scheduler& scheduler_;
  const redis::Connection& connection_;
  ItemListener& listener_;
  lua::Function each_;
  std::size_t under_way_ = 0;
};

/// What the values that `each` returned say; a failure if the first is no word.
ItemResult result_of(const lua::Value& outcome, const lua::Value& reason);

}  // namespace moonshift::task
