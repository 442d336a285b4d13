#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "redis/transport.hpp"
#include "service/state.hpp"

namespace moonshift::service {

/// flock(2) on a file, as long as this lives; the kernel lets go of it when the process ends,
/// however it does.
class FileLock {
 public:
  enum class Kind { kShared, kExclusive };

  /// Nothing if somebody has it in a way that excludes this. Throws std::system_error.
  static std::optional<FileLock> try_take(const std::filesystem::path& path, Kind kind);

  /// Whether nobody has it. False if that cannot be seen.
  static bool is_free(const std::filesystem::path& path);

 private:
  explicit FileLock(redis::Descriptor file) : file_(std::move(file)) {}

  redis::Descriptor file_;
};

/// A daemon of its own has the state directory. Throws ConfigError if there is another one.
FileLock lock_for_daemon(const std::filesystem::path& state_directory);

/// Leaves behind what became of a job's last run, in `runs/` of the state directory. That it cannot
/// be written is a warning, and harms no run.
class RunRecorder {
 public:
  struct Beginning {
    std::string run_id;
    base::UnixTime scheduled{};
    base::UnixTime now{};
  };

  /// `schedule`: see JobRecord.
  RunRecorder(const std::filesystem::path& state_directory, const std::string& job,
              const std::string& schedule, const Beginning& beginning);

  /// Without it the run was cut off. `verdict`: if it began.
  void ended(int exit_code, std::optional<health::Level> verdict, base::UnixTime now);

 private:
  void save();

  StateFile file_;
  std::string job_;
  JobRecord record_;
  std::optional<FileLock> lock_;
};

/// Whether it tells of a later run: one that goes on is the last one, else the one that ended last.
bool is_later(const JobRecord& a, const JobRecord& b);

/// The last run of a job, as the daemon or the run itself left it there. Of the same run, the
/// daemon knows which signal killed it, and the run itself its verdict.
JobRecord look_at_last_run(const std::filesystem::path& state_directory, const std::string& job);

}  // namespace moonshift::service
