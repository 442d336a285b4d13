#include "record/patience.hpp"

#include <poll.h>

#include "base/interrupt.hpp"

namespace moonshift::record {

namespace {

using base::Duration;
using Clock = std::chrono::steady_clock;

constexpr Duration kAfterSignal = std::chrono::seconds(2);

}  // namespace

Patience::Patience(Duration timeout) : timeout_(timeout), end_(Clock::now() + timeout) {}

Duration Patience::left() {
  const base::SteadyTime now = Clock::now();
  if (!hurried_ && base::Interrupt::signal() != 0 && end_ > now + kAfterSignal) {
    end_ = now + kAfterSignal;
    hurried_ = true;
  }
  return std::chrono::duration_cast<Duration>(end_ - now);
}

int Patience::wake_fd() const {
  return base::Interrupt::signal() == 0 ? base::Interrupt::wake_fd() : -1;
}

void Patience::wait(Duration duration) {
  pollfd wake{wake_fd(), POLLIN, 0};
  ::poll(&wake, 1,
         static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(duration).count()));
}

std::string Patience::describe() const {
  return hurried_ ? base::format_duration(kAfterSignal) + " after the signal"
                  : base::format_duration(timeout_);
}

}  // namespace moonshift::record
