#pragma once

#include <algorithm>
#include <cstddef>

#include "base/duration.hpp"

namespace moonshift::base {

/// Chooses how many items go into one batch so that the batch takes about `target`.
///
/// It grows by half at most, and shrinks at once to what the last batch showed to be right: being
/// late is felt by others, being early is not.
class Pacer {
 public:
  explicit Pacer(Duration target, std::size_t first = 16, std::size_t most = 4096)
      : target_(target), size_(first), most_(most) {}

  std::size_t size() const { return size_; }

  /// A batch of `items` took `taken`.
  void observe(std::size_t items, Duration taken) {
    const double per_item = std::max(1.0, static_cast<double>(taken.count())) /
                            static_cast<double>(std::max<std::size_t>(items, 1));
    const double fitting = static_cast<double>(target_.count()) / per_item;
    const double grown = static_cast<double>(size_) * 1.5 + 1;
    size_ = static_cast<std::size_t>(
        std::clamp(std::min(fitting, grown), 1.0, static_cast<double>(most_)));
  }

 private:
  Duration target_;
  std::size_t size_;
  std::size_t most_;
};

}  // namespace moonshift::base
