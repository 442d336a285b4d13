#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "health/finding.hpp"
#include "job/job_file.hpp"

namespace moonshift::service {

/// What is remembered of a job.
struct JobRecord {
  /// A run that is to come to its end yet: it waits, is to be tried again, or is under way.
  struct Owed {
    base::UnixTime scheduled{};
    std::int64_t attempt = 1;
    bool begun = false;       ///< there was a run for it
    bool lease_left = false;  ///< by a run that was killed

    bool operator==(const Owed&) const = default;
  };

  std::string schedule;      ///< see schedule_id(); empty: not known
  base::UnixTime handled{};  ///< its scheduled times up to here have been run, or passed over
  bool running = false;
  base::UnixTime scheduled{};  ///< of its last run, as are those that follow
  std::string run_id;          ///< empty: it never ran
  std::optional<base::UnixTime> started, ended;
  std::optional<int> exit_code;             ///< see ending_of()
  std::optional<health::Level> verdict;     ///< if it is known
  std::optional<base::UnixTime> succeeded;  ///< the last time
  std::optional<Owed> owed;

  bool operator==(const JobRecord&) const = default;
};

/// What a job's times depend on. If it is another one than it was, nothing can be said of times
/// that have passed.
std::string schedule_id(const job::Job& job);

/// By the job's name.
using State = std::map<std::string, JobRecord>;

/// The exit codes that stand for runs without one of their own.
constexpr int kCutOff = -1;      ///< the daemon or the host ended before it
constexpr int kSignalled = 128;  ///< and the number of the signal that killed it

/// It has not begun, because its Redis was gone: sysexits.h's EX_TEMPFAIL. Between the daemon and
/// its runs only.
constexpr int kAwaitsRedis = 75;

/// `done, and verified`
std::string ending_of(int exit_code);

/// When the job should have run and did not, if it is so.
std::optional<base::UnixTime> overdue_since(const job::Job& job, const JobRecord& record,
                                            base::UnixTime now);

/// The daemon's, in record::state_directory().
constexpr const char* kStateFile = "state.json";

/// State in a file, which is replaced as a whole, so that it survives a crash at any moment.
class StateFile {
 public:
  explicit StateFile(std::filesystem::path path) : path_(std::move(path)) {}

  /// Empty if there is none. One that cannot be read, or that a newer version wrote, is set aside
  /// under another name, and told.
  State load() const;

  /// The same, but it stays where it is: for who only looks.
  State look() const;

  /// Throws std::system_error.
  void save(const State& state) const;

 private:
  std::filesystem::path path_;
};

}  // namespace moonshift::service
