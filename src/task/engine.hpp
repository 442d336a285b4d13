#pragma once

#include <cstdint>

#include "lua/scheduler.hpp"
#include "task/tally.hpp"

namespace moonshift::task {

class ItemListener {
 public:
  virtual ~ItemListener() = default;
  virtual void on_result(const Item& item, ItemResult result) = 0;
};

/// Runs `each` on items, some at a time, while the scheduler steps; tells a listener what became of
/// each.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual void take(Item item) = 0;

  /// As many items are under way as may be.
  virtual bool full() const = 0;

  /// No further item comes in this pass.
  virtual void finish() = 0;

  /// No item is under way.
  virtual bool idle() const = 0;

  /// The deadline has passed and items are still under way; called until they are not.
  virtual void press() = 0;

  /// Items are still under way long after the run was to stop. May throw, to leave them as they
  /// are.
  virtual void give_up() = 0;

  virtual std::int64_t batches() const = 0;
};

}  // namespace moonshift::task
