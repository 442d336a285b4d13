#include "service/unattended.hpp"

#include <poll.h>

#include <algorithm>
#include <chrono>

#include "base/host.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "redis/reachable.hpp"
#include "service/retry.hpp"
#include "service/state.hpp"

namespace moonshift::service {

namespace {

using namespace std::chrono_literals;
using base::Duration;
using base::ExitCode;
using Clock = std::chrono::steady_clock;

constexpr Duration kFirstPause = 500ms;
constexpr Duration kLongestPause = 5s;

/// False if a signal came.
bool pause_for(Duration duration) {
  const auto until = Clock::now() + duration;
  while (base::Interrupt::signal() == 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return true;
    pollfd wake{.fd = base::Interrupt::wake_fd(), .events = POLLIN, .revents = 0};
    ::poll(&wake, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
  }
  return false;
}

/// Until that Redis is there, or the time has come, or a signal. Whether it had to wait, and it
/// came back.
bool wait_for_redis(const redis::Url& url, Clock::time_point until) {
  bool waited = false;
  Duration pause = kFirstPause;
  while (!redis::is_reachable(url)) {
    if (Clock::now() >= until) return false;
    if (!std::exchange(waited, true))
      base::log_warning("{}: Redis is gone; the job waits for it", url.where());
    if (!pause_for(
            std::min<Duration>(pause, std::chrono::duration_cast<Duration>(until - Clock::now()))))
      return false;
    pause = std::min(pause * 2, kLongestPause);
  }
  if (waited) base::log_info("{}: Redis is back", url.where());
  return waited;
}

}  // namespace

ExitCode run_unattended(const job::Job& job, const redis::Url& url,
                        const std::function<ExitCode()>& run) {
  for (std::int64_t attempt = 1;; ++attempt) {
    const auto until = Clock::now() + patience_of(job);
    wait_for_redis(url, until);
    if (base::Interrupt::signal() != 0) return ExitCode::kStopped;
    ExitCode exit_code = run();
    // One that lost its Redis goes on when that is back.
    while (exit_code == ExitCode::kNoRedis && wait_for_redis(url, until)) exit_code = run();
    const int code = static_cast<int>(exit_code);
    if (!is_failure(code) || attempt > job.retries) return exit_code;
    const Duration delay = retry_delay(job, base::host_name(), attempt);
    base::log_warning("{}: {}; retry {} of {} in {}", job.name, ending_of(code), attempt,
                      job.retries, base::round_duration(delay));
    if (!pause_for(delay)) return exit_code;
  }
}

}  // namespace moonshift::service
