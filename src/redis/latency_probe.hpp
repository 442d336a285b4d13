#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "base/duration.hpp"
#include "redis/connection.hpp"

namespace moonshift::redis {

/// How long a bystander's PING took, over some time.
struct Latency {
  std::int64_t samples = 0;
  base::Duration last{0};
  base::Duration p50{0};
  base::Duration p99{0};
  base::Duration worst{0};
};

/// A bystander: while it lives, a thread of its own sends PING on a connection of its own and times
/// the answers. It tells how a run feels to Redis's other clients.
class LatencyProbe {
 public:
  LatencyProbe(const Url& url, const ConnectionOptions& options);
  ~LatencyProbe();
  LatencyProbe(const LatencyProbe&) = delete;
  LatencyProbe& operator=(const LatencyProbe&) = delete;

  /// What was seen so far. The percentiles are exact to a tenth; `worst` is exact.
  Latency read() const;

 private:
  /// Eight buckets for every doubling, from 1 us to an hour.
  static constexpr std::size_t kBuckets = 8 * 32;

  void run(std::stop_token stop, Connection connection);
  void record(base::Duration taken);
  base::Duration percentile(double part) const;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::array<std::int64_t, kBuckets> counts_{};
  Latency latency_;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace moonshift::redis
