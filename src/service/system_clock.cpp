#include "service/system_clock.hpp"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace moonshift::service {

namespace {

using std::chrono::nanoseconds;

int checked(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

nanoseconds read_clock(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

/// Nothing: not at all. A time that is past already, at once.
itimerspec timer_at(std::optional<nanoseconds> time) {
  itimerspec timer{};
  if (!time) return timer;
  const nanoseconds when = std::max(*time, nanoseconds(1));  // 0 would disarm it
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
  timer.it_value = {.tv_sec = seconds.count(), .tv_nsec = (when - seconds).count()};
  return timer;
}

sigset_t signals_of_daemon() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) ::sigaddset(&set, number);
  return set;
}

int open_signals() {
  SystemClock::block_signals();
  const sigset_t set = signals_of_daemon();
  return checked(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), "signalfd");
}

void drain(int descriptor) {
  std::array<char, 4096> buffer{};
  while (::read(descriptor, buffer.data(), buffer.size()) > 0) continue;
}

}  // namespace

SystemClock::SystemClock(const std::filesystem::path& jobs)
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wall_timer_(
          checked(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")),
      boot_timer_(
          checked(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create")),
      signals_(open_signals()),
      changes_(jobs) {
  for (const int source :
       {wall_timer_.get(), boot_timer_.get(), signals_.get(), changes_.descriptor()})
    add(source);
}

void SystemClock::block_signals() {
  const sigset_t set = signals_of_daemon();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void SystemClock::add(int descriptor) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  checked(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

Moment SystemClock::now() {
  return {base::system_now(), std::chrono::floor<base::Duration>(read_clock(CLOCK_BOOTTIME))};
}

bool SystemClock::set_timers(const WakeTime& until) const {
  std::optional<nanoseconds> wall, boot;
  if (until.wall) wall = until.wall->time_since_epoch();
  if (until.boot) boot = *until.boot;
  const itimerspec wall_time = timer_at(wall), boot_time = timer_at(boot);
  checked(::timerfd_settime(boot_timer_.get(), TFD_TIMER_ABSTIME, &boot_time, nullptr),
          "timerfd_settime");
  // Whoever sets the clock wakes us: the time may be there all at once, or be much farther.
  if (::timerfd_settime(wall_timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &wall_time,
                        nullptr) == 0)
    return true;
  // It was set while we were awake (timerfd_create(2), NOTES).
  if (errno != ECANCELED) checked(-1, "timerfd_settime");
  return false;
}

Wake SystemClock::wait(const WakeTime& until) {
  std::array<epoll_event, 16> events{};
  const int patience = set_timers(until) ? -1 : 0;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), patience);
  Wake wake;
  for (int i = 0; i < count; ++i) {
    const int source = events[static_cast<std::size_t>(i)].data.fd;
    if (source == signals_.get()) {
      signalfd_siginfo info{};
      while (::read(source, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) {
          wake.reload = true;
          changes_.follow();
        }
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) wake.stop = true;
      }
    } else if (source == changes_.descriptor()) {
      wake.reload = changes_.take_changes() || wake.reload;
    } else if (source == wall_timer_.get() || source == boot_timer_.get()) {
      drain(source);
    }
  }
  return wake;
}

}  // namespace moonshift::service
