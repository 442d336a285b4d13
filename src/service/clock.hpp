#pragma once

#include <optional>

#include "base/duration.hpp"
#include "base/time.hpp"

namespace moonshift::service {

/// Now, by two clocks.
struct Moment {
  base::UnixTime wall{};
  /// Since this host was started, its sleep included. Nobody sets it, so that the difference of
  /// both tells that the other was set.
  base::Duration boot{0};
};

/// Until either; nothing: for ever.
struct WakeTime {
  std::optional<base::UnixTime> wall;
  std::optional<base::Duration> boot;
};

/// What came while the daemon slept. More may have happened: whoever wakes looks at everything.
struct Wake {
  bool stop = false;
  bool reload = false;
};

class Clock {
 public:
  virtual ~Clock() = default;

  virtual Moment now() = 0;

  /// Sleeps until then, until the wall clock is set, or until something happens.
  virtual Wake wait(const WakeTime& until) = 0;
};

}  // namespace moonshift::service
