#pragma once

namespace moonshift::base {

/// Turns the first SIGINT or SIGTERM into a request that the run reads between batches; the second
/// one ends the process as if nobody had handled it. One instance a process; may be read from any
/// thread.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// Whether a signal has come, and which (0: none).
  static int signal();

  /// Becomes readable when a signal comes, so that a poll() on the network wakes up; -1 without an
  /// instance.
  static int wake_fd();
};

/// A write to a pipe that nobody reads any more fails from now on, and does not end this process;
/// programs that it starts are as they would be.
void survive_broken_pipes();

}  // namespace moonshift::base
