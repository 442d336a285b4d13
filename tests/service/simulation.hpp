#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "service/daemon.hpp"

namespace moonshift::test {

/// A host without a host: the daemon runs in it through simulated days within milliseconds.
class Simulation : public service::Clock, public service::Launcher, public service::RedisWatch {
 public:
  using Duration = base::Duration;

  /// How the run of a job goes.
  struct Course {
    Duration takes = std::chrono::seconds(10);
    int exit_code = 0;
  };

  explicit Simulation(const std::string& start);

  /// `text` holds lines of a job file, but no step.
  void add_job(const std::string& name, const std::string& text);

  /// Does something at that wall time, as the clock shows it when the simulation begins.
  void at(const std::string& time, std::function<void()> act);

  void set_clock(Duration by) { moment_.wall += std::chrono::floor<std::chrono::milliseconds>(by); }

  /// The directory of jobs is empty meanwhile.
  void hide_jobs(bool hidden);

  /// Time goes on, and nobody is there.
  void sleep(Duration duration);

  /// Runs a daemon until then; the state stays for the next one. `crash`: without an end.
  void run_until(const std::string& end, bool crash = false);

  std::size_t count(const std::string& job) const;
  /// `2026-03-29T01:00:00Z 2026-...`: when its runs began.
  std::string starts(const std::string& job) const;

  std::function<Course(const service::Run& run)> course = [](const auto&) { return Course(); };
  bool redis_is_there = true;
  bool never_stops = false;  ///< no run ends because it is told to
  std::size_t max_parallel = 4;
  service::State state;
  std::vector<std::set<std::string>> watched;  ///< every change of what was asked
  std::vector<std::string> told;               ///< to the service manager
  std::size_t most_at_once = 0;

  service::Moment now() override { return moment_; }
  service::Wake wait(const service::WakeTime& until) override;
  void start(const service::Run& run) override;
  std::vector<Ended> collect() override;
  void terminate() override;
  void kill() override;
  void watch(const std::set<std::string>& redises) override;
  std::vector<Answer> answers() override;

 private:
  struct Crash {};
  struct Running {
    Duration ends;  ///< by Moment::boot
    Ended ended;
  };

  void advance(Duration by);

  service::Moment moment_;
  base::UnixTime began_;
  std::vector<job::Job> jobs_;
  std::multimap<Duration, std::function<void()>> plans_;  ///< by Moment::boot
  std::vector<Running> running_;
  std::vector<service::Run> runs_;
  std::vector<base::UnixTime> started_;
  std::set<std::string> watched_now_;
  std::map<std::string, bool> answered_;
  service::Wake wake_;
  bool crashes_ = false;
  bool hidden_ = false;
};

}  // namespace moonshift::test
