#pragma once

#include <filesystem>

#include "redis/transport.hpp"
#include "service/clock.hpp"
#include "service/directory_watch.hpp"

namespace moonshift::service {

/// This host's clocks, and what the daemon wakes up for: SIGTERM and SIGINT (stop), SIGHUP or a
/// change in the directory of jobs (reload), SIGCHLD, and descriptors.
///
/// One instance a process, made before any thread: it blocks these signals.
class SystemClock : public Clock {
 public:
  /// Keeps the signals until there is an instance, which then gets them.
  static void block_signals();

  /// Throws std::system_error.
  explicit SystemClock(const std::filesystem::path& jobs);

  Moment now() override;
  Wake wait(const WakeTime& until) override;

  /// Wake up when it is readable; until it is closed.
  void add(int descriptor);

 private:
  /// False if the wall clock was set meanwhile, so that `until` may be wrong.
  bool set_timers(const WakeTime& until) const;

  redis::Descriptor epoll_, wall_timer_, boot_timer_, signals_;
  DirectoryWatch changes_;
};

}  // namespace moonshift::service
