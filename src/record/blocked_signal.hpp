#pragma once

#include <signal.h>

#include <ctime>

namespace moonshift::record {

/// Keeps a signal that this thread's own calls cause, as a write to a closed connection causes
/// SIGPIPE, from ending the process, for as long as it lives.
class BlockedSignal {
 public:
  explicit BlockedSignal(int number) {
    ::sigemptyset(&blocked_);
    ::sigaddset(&blocked_, number);
    ::pthread_sigmask(SIG_BLOCK, &blocked_, &before_);
  }

  ~BlockedSignal() {
    const timespec at_once{};
    ::sigtimedwait(&blocked_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

  BlockedSignal(const BlockedSignal&) = delete;
  BlockedSignal& operator=(const BlockedSignal&) = delete;

 private:
  sigset_t blocked_;
  sigset_t before_;
};

}  // namespace moonshift::record
