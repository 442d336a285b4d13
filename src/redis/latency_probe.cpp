#include "redis/latency_probe.hpp"

#include <algorithm>
#include <cmath>

#include "base/log.hpp"
#include "redis/error.hpp"

namespace moonshift::redis {

namespace {

using Clock = std::chrono::steady_clock;

/// Often enough to meet a stall of a few milliseconds, rare enough to cost nothing.
constexpr auto kInterval = std::chrono::milliseconds(2);

std::size_t bucket_of(base::Duration taken, std::size_t buckets) {
  const double doublings = std::log2(std::max<double>(1, static_cast<double>(taken.count())));
  return std::min(static_cast<std::size_t>(doublings * 8), buckets - 1);
}

}  // namespace

LatencyProbe::LatencyProbe(const Url& url, const ConnectionOptions& options)
    : thread_([this, connection = Connection(url, options)](std::stop_token stop) mutable {
        run(std::move(stop), std::move(connection));
      }) {}

LatencyProbe::~LatencyProbe() {
  thread_.request_stop();
  wake_.notify_all();
}

void LatencyProbe::run(std::stop_token stop, Connection connection) {
  try {
    while (!stop.stop_requested()) {
      const auto start = Clock::now();
      connection.call({"PING"});
      record(std::chrono::duration_cast<base::Duration>(Clock::now() - start));
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, kInterval, [] { return false; });
    }
  } catch (const std::exception& error) {  // Aborted by a signal, too
    // The run itself will meet the same failure and tell it; the probe only stops measuring.
    base::log_debug("latency probe: {}", error.what());
  }
}

void LatencyProbe::record(base::Duration taken) {
  const std::scoped_lock lock(mutex_);
  ++counts_[bucket_of(taken, kBuckets)];
  ++latency_.samples;
  latency_.last = taken;
  latency_.worst = std::max(latency_.worst, taken);
}

Latency LatencyProbe::read() const {
  const std::scoped_lock lock(mutex_);
  Latency latency = latency_;
  latency.p50 = percentile(0.50);
  latency.p99 = percentile(0.99);
  return latency;
}

base::Duration LatencyProbe::percentile(double part) const {
  const auto rank =
      static_cast<std::int64_t>(std::ceil(part * static_cast<double>(latency_.samples)));
  std::int64_t seen = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket];
    if (seen < rank || seen == 0) continue;
    const auto upper = base::Duration{std::llround(std::exp2(static_cast<double>(bucket + 1) / 8))};
    return std::min(upper, latency_.worst);
  }
  return latency_.worst;
}

}  // namespace moonshift::redis
