#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/duration.hpp"
#include "schedule/schedule.hpp"
#include "task/parameters.hpp"
#include "task/run.hpp"

namespace moonshift::job {

/// One script with its parameters inside a job.
struct Step {
  std::string script;
  task::GivenParameters params;
  task::EngineChoice engine = task::EngineChoice::kAuto;
  std::optional<std::int64_t> limit;  ///< items at most
  std::optional<double> rate;         ///< items a second at most
  /// file:line:column of the script's name and of its parameters, for messages; empty if they come
  /// from a command line.
  std::string where, params_where;
};

/// A check that must hold after the steps.
struct CheckCall {
  std::string script;  ///< checks/memory
  task::GivenParameters params;
  std::string where, params_where;
};

/// What happens at a job's time while its last run still goes on.
enum class Overlap {
  kSkip,   ///< nothing
  kQueue,  ///< it runs once after that
  kAllow,  ///< it runs beside that
};

/// One file of schedules/.
struct Job {
  std::string name;  ///< the file's, without .toml
  std::string path;
  std::string description;
  std::optional<schedule::Schedule> schedule;  ///< nothing: by hand only
  std::string timezone;                        ///< as it stands there; empty: this host's
  bool catch_up = false;                       ///< run once after a missed time
  base::Duration jitter{0};                    ///< its times come later by up to this
  Overlap overlap = Overlap::kSkip;
  std::int64_t retries = 0;                              ///< of a failed run
  base::Duration retry_delay = std::chrono::minutes(1);  ///< before the first; then it doubles
  /// How long the lease on the job lasts that a run takes and renews; nothing: it takes none.
  std::optional<base::Duration> lease = std::chrono::seconds(30);
  std::string url;  ///< as it stands there: ${NAME} not yet replaced
  std::optional<base::Duration> timeout;
  base::Duration batch_time = std::chrono::milliseconds(2);
  std::int64_t max_failures = 100;
  std::vector<Step> steps;
  std::vector<CheckCall> checks;
};

/// Throws ConfigError that starts with file:line:column. What it names (scripts, parameters) is not
/// looked at: see check_job().
Job read_job(const std::filesystem::path& path);

/// The job files of a directory, by name: regular files, or links to them, that are not hidden. A
/// directory that cannot be read throws.
std::vector<std::filesystem::path> job_files(const std::filesystem::path& directory);

/// The file that `name` means: a path that ends in .toml, or a job of the directory. Throws
/// ConfigError that shows the nearest names.
std::filesystem::path find_job(const std::string& name, const std::filesystem::path& directory);

/// The same, of the directory only.
std::filesystem::path find_named_job(const std::string& name,
                                     const std::filesystem::path& directory);

/// Opens every script that the job names and resolves its parameters. Throws ConfigError at the
/// first that is wrong, with file:line:column.
void check_job(const Job& job, const task::Catalog& catalog);

/// Whether there is a `${NAME}` in it. Throws ConfigError, which repeats nothing of the text, if
/// one is not closed or its name cannot be a variable's.
bool names_environment(std::string_view text);

/// `${NAME}` replaced by the environment. Throws ConfigError that names a variable that is not set,
/// and as names_environment() does.
std::string expand_environment(const std::string& text, const std::string& whose = "the job's url",
                               const std::string& remedy = "set it, or give --url");

}  // namespace moonshift::job
