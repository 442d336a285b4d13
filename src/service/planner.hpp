#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "job/job_file.hpp"
#include "service/clock.hpp"
#include "service/state.hpp"

namespace moonshift::service {

/// A run that is to be started, or goes on.
struct Run {
  std::string job;
  std::string file;  ///< Job::path
  std::string id;
  base::UnixTime scheduled{};  ///< the time that it is for
  std::int64_t attempt = 1;
  base::Duration due{0};  ///< since when, by Moment::boot
  /// If its Redis is gone, it ends with kAwaitsRedis before it has begun, and is started again
  /// when that is back. Not set: it has waited long enough, and fails.
  bool may_wait = false;
  /// A run for that time was killed, and may have left its lease behind.
  bool after_kill = false;
};

/// Decides which job runs when. Pure: it is told what time it is and what happened, and has no
/// other inputs.
///
/// A time is missed if nobody was there within a minute after it: the host slept or was off, or
/// the daemon was not running. Several missed times of a job are one run if it has `catch_up`, and
/// none if not.
///
/// A wall clock that is set (by more than a minute) is no missed time. As in cron(8):
///
/// - Set forward by up to three hours, a fixed time that was jumped over runs right after it; an
///   expression that follows real time (see schedule::Schedule) goes on from the new time.
/// - Set back by up to three hours, a fixed time that comes again does not run again; an expression
///   that follows real time does.
/// - Set by more, either way, it was wrong before: all go on from the new time, and a fixed time
///   may come again. Only `catch_up` makes up for times that were jumped over.
class Planner {
 public:
  struct Options {
    std::size_t max_parallel = 4;
    std::string host;  ///< jitter is derived from it
  };

  Planner(Options options, State state);

  /// Instead of those there were. Runs of a job that is gone go on to their end.
  void set_jobs(const std::vector<job::Job>& jobs, Moment now);

  /// The runs to start now; each goes on until ended().
  std::vector<Run> start_due(Moment now);

  void ended(const std::string& run_id, int exit_code, Moment now);

  /// Start nothing any more.
  void stop() { stopping_ = true; }

  WakeTime next_wake() const;

  /// The Redises (Job::url) that jobs wait for: somebody is to ask them, and to tell each answer.
  std::set<std::string> awaited() const;
  void answered(const std::string& redis, bool reachable, Moment now);

  std::size_t running() const { return running_.size(); }
  State state() const;

  /// `running: nightly; next: hourly in 3h`
  std::string status(Moment now) const;

 private:
  /// A run that is to be started.
  struct Due {
    enum class Stage {
      kReady,
      kAsked,    ///< it found no Redis; whether that is gone is not known yet
      kWaiting,  ///< until Redis is back
    };

    base::UnixTime scheduled{};
    std::int64_t attempt = 1;
    base::Duration since{0};  ///< by Moment::boot
    Stage stage = Stage::kReady;
    bool after_kill = false;  ///< see Run
    bool waits_for_lease = false;
    bool begun = false;  ///< see JobRecord::Owed
  };

  struct Entry {
    job::Job job;
    base::Duration delay{0};             ///< the jitter's
    std::optional<base::UnixTime> next;  ///< delay included
    std::optional<Due> due;
    std::optional<Due> retry;  ///< `since` is when
    bool killed = false;       ///< its last run was
  };

  void look_for_set_clock(Moment now);
  void go_on_from(const std::string& name, Entry& entry, base::UnixTime wall);
  void resume(const std::string& name, Entry& entry, Moment now);
  static bool may_resume(const Entry& entry, const JobRecord::Owed& owed, Moment now);
  std::optional<JobRecord::Owed> owed_by(const std::string& name, const Entry& entry) const;
  void find_next(const std::string& name, Entry& entry);
  void pass(const std::string& name, Entry& entry, Moment now);
  bool is_to_run(const Entry& entry, base::UnixTime handled, Moment now) const;
  void make_due(const std::string& name, Entry& entry, base::UnixTime scheduled, Moment now);
  static void give_up_waiting(const std::string& name, Entry& entry, Moment now);
  void fail(const std::string& name, Entry& entry, Due due, int exit_code, Moment now);
  static void wait_for_lease(const std::string& name, Entry& entry, Due due, Moment now);
  bool may_start(const std::string& name, const Entry& entry) const;
  std::size_t running_of(const std::string& name) const;

  Options options_;
  State state_;
  std::map<std::string, Entry> entries_;
  std::map<std::string, Run> running_;  ///< by their ids
  std::set<std::string> unreachable_;   ///< Redises
  std::optional<Moment> last_;
  base::Duration set_by_{0};  ///< how far the wall clock was set since then
  bool stopping_ = false;
};

}  // namespace moonshift::service
