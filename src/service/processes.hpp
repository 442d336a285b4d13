#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "redis/transport.hpp"
#include "service/daemon.hpp"
#include "service/system_clock.hpp"

namespace moonshift::service {

/// Runs each job as `moonshift job` in a process of its own, and puts what it prints into the log,
/// with the job's name and the run's id. Of a run that was killed, another process tells whoever
/// the job's [notify] names.
class Processes : public Launcher {
 public:
  /// `clock` wakes up for output. `options` are further words of the command.
  Processes(SystemClock& clock, std::vector<std::string> options);

  void start(const Run& run) override;
  std::vector<Ended> collect() override;
  void terminate() override;
  void kill() override;

 private:
  struct Process {
    Run run;
    int killed_by;  ///< not 0: it only tells of that run, see Assignment
    redis::Descriptor output;
    std::string line;  ///< as far as it has come
  };

  bool launch(const Run& run, int killed_by);
  void log_output(Process& process) const;

  SystemClock& clock_;
  std::vector<std::string> options_;
  std::map<pid_t, Process> processes_;
  std::vector<Ended> not_started_;
  bool stopping_ = false;
};

}  // namespace moonshift::service
