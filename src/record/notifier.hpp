#pragma once

#include <functional>
#include <string>
#include <thread>

#include "record/notification.hpp"

namespace moonshift::record {

/// Tells of one run of a job. What cannot be told is a warning in the log, and nothing more: the
/// job goes on. To be used from one thread.
class Notifier {
 public:
  explicit Notifier(NotifySettings settings);

  /// Before the run, which does not wait for it. What is told later waits, so that it comes later.
  void started() const;

  /// After a run that came to an end, good or bad.
  void ended(const Report& report) const;

  /// Instead of ended(), if there was no run: the report says why not.
  void could_not_run(const Report& report) const;

 private:
  void tell(const Report& report, const std::string& ping_action) const;
  bool tell_all(const Report& report) const;
  void tell_change(const Report& report) const;
  void await_start_ping() const;
  void ping(const std::string& action, const std::string& body) const;
  bool attempt(const std::string& what, const std::function<void()>& action) const;

  NotifySettings settings_;
  base::Duration timeout_;
  std::string run_uuid_;
  mutable std::jthread start_ping_;  ///< the last member: it uses the others
};

}  // namespace moonshift::record
