#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "service/clock.hpp"
#include "service/planner.hpp"
#include "service/state.hpp"

namespace moonshift::service {

/// Runs jobs, each in a process of its own.
class Launcher {
 public:
  struct Ended {
    std::string run_id;
    int exit_code;  ///< kSignalled and the number, if a signal killed it
  };

  virtual ~Launcher() = default;
  virtual void start(const Run& run) = 0;
  virtual std::vector<Ended> collect() = 0;

  /// Asks all that run to end between two batches; ends them at once.
  virtual void terminate() = 0;
  virtual void kill() = 0;
};

/// Asks Redises again and again whether they are there.
class RedisWatch {
 public:
  struct Answer {
    std::string redis;
    bool reachable;
  };

  virtual ~RedisWatch() = default;

  /// These (see Planner::awaited) and no others. One is no longer asked once it was reachable.
  virtual void watch(const std::set<std::string>& redises) = 0;
  virtual std::vector<Answer> answers() = 0;
};

/// What the daemon needs of the world; all must outlive it.
struct World {
  Clock& clock;
  Launcher& launcher;
  RedisWatch& redis_watch;
  std::function<std::vector<job::Job>()> load_jobs;
  std::function<void(const State&)> save;
  /// To the service manager, as sd_notify(3) takes it.
  std::function<void(const std::string&)> notify;
};

struct DaemonOptions {
  Planner::Options planner;
  base::Duration stop_timeout = std::chrono::seconds(30);
  std::optional<base::Duration> watchdog;  ///< how often it must say that it lives
};

/// The built-in scheduler: starts what is due, and sleeps until something is.
class Daemon {
 public:
  Daemon(World world, DaemonOptions options, State state);

  /// Until the clock says stop, and the runs have ended.
  void run();

 private:
  void reload();
  void take_news(Moment now);
  void start_due(Moment now);
  void remember();
  void tell(Moment now);
  void stop_or_kill(Moment now);
  WakeTime next_wake(Moment now) const;

  World world_;
  DaemonOptions options_;
  Planner planner_;
  State saved_;
  bool stopping_ = false;
  std::optional<base::Duration> kill_at_;  ///< by Moment::boot
};

/// The jobs of a directory. Runs get a copy of what was read here: a file that is being written, or
/// that cannot be used any more, leaves its job as it was.
class JobDirectory {
 public:
  using Read = std::function<job::Job(const std::filesystem::path&)>;

  /// `read` throws ConfigError. The copies go to `copies`, a directory of our own; where they
  /// cannot be written, runs read the files themselves.
  JobDirectory(std::filesystem::path directory, std::filesystem::path copies, Read read);

  /// A directory that is gone leaves all jobs as they were.
  std::vector<job::Job> load();

 private:
  struct Known {
    job::Job job;
    std::string text;
  };

  std::vector<std::filesystem::path> files() const;
  Known read_whole(const std::filesystem::path& file) const;
  void use_copy(const std::filesystem::path& file, Known& known) const;
  void make_copies_directory() const;
  void remove_stale_copies() const;

  std::filesystem::path directory_, copies_;
  Read read_;
  std::map<std::filesystem::path, Known> jobs_;
};

}  // namespace moonshift::service
