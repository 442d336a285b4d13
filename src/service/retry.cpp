#include "service/retry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/exit_code.hpp"
#include "redis/sha1.hpp"

namespace moonshift::service {

using base::Duration;
using base::ExitCode;

namespace {

constexpr auto kLongestRetryDelay = std::chrono::hours(1);

/// Of a job without a timeout.
constexpr auto kRedisPatience = std::chrono::hours(1);

}  // namespace

bool is_failure(int exit_code) {
  for (const auto good : {ExitCode::kDone, ExitCode::kBadInput, ExitCode::kLockHeld}) {
    if (exit_code == static_cast<int>(good)) return false;
  }
  return true;
}

Duration patience_of(const job::Job& job) { return job.timeout.value_or(kRedisPatience); }

Duration derived_delay(const std::string& host, const std::string& job, Duration most) {
  const std::string digits = redis::sha1_hex(host + '\n' + job).substr(0, 8);
  const double part = static_cast<double>(std::stoul(digits, nullptr, 16)) / 0xFFFFFFFF;
  return Duration(static_cast<Duration::rep>(part * static_cast<double>(most.count())));
}

Duration retry_delay(const job::Job& job, const std::string& host, std::int64_t attempt) {
  const Duration most = std::max<Duration>(job.retry_delay, kLongestRetryDelay);
  Duration delay = job.retry_delay;
  for (std::int64_t i = 1; i < attempt && delay < most; ++i) delay *= 2;
  delay = std::min(delay, most);
  return delay + derived_delay(host, fmt::format("{} {}", job.name, attempt), delay / 4);
}

}  // namespace moonshift::service
