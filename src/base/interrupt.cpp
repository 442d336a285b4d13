#include "base/interrupt.hpp"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace moonshift::base {

namespace {

std::atomic<int> received{0};
std::atomic<int> event_fd{-1};

void on_signal(int number) {
  received.store(number);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_fd.load(), &one, sizeof one);
}

}  // namespace

Interrupt::Interrupt() {
  event_fd.store(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  struct sigaction action {};
  action.sa_handler = on_signal;
  // The second signal finds the default action: a person who insists is obeyed.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

Interrupt::~Interrupt() {
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  ::close(event_fd.exchange(-1));
  received.store(0);
}

int Interrupt::signal() { return received.load(std::memory_order_relaxed); }

int Interrupt::wake_fd() { return event_fd.load(std::memory_order_relaxed); }

void survive_broken_pipes() {
  struct sigaction action {};
  action.sa_handler = [](int) {};  // unlike SIG_IGN it ends with the program
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGPIPE, &action, nullptr);
}

}  // namespace moonshift::base
