#pragma once

#include <string>

#include "base/duration.hpp"
#include "base/time.hpp"

namespace moonshift::record {

/// How long one of those who are told may take. After a signal (see Interrupt) that is 2 s at most:
/// nobody who stops us waits for a server that hangs.
class Patience {
 public:
  explicit Patience(base::Duration timeout);

  /// What is left of it; 0 or below at its end.
  base::Duration left();

  /// Readable when a signal ends a wait early, so that left() is asked again; -1 once it has.
  int wake_fd() const;

  /// Returns after so long, or at a signal.
  void wait(base::Duration duration);

  /// `10s`, or `2s after the signal`.
  std::string describe() const;

 private:
  base::Duration timeout_;
  base::SteadyTime end_;
  bool hurried_ = false;
};

}  // namespace moonshift::record
