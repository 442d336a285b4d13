#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/duration.hpp"
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

/// One file of schedules/.
struct Job {
  std::string name;  ///< the file's, without .toml
  std::string path;
  std::string description;
  std::string
      schedule;  ///< the cron or calendar expression as it stands there; empty: by hand only
  std::string timezone;
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

/// The files of a directory, by name. One that cannot be read throws.
std::vector<std::filesystem::path> job_files(const std::filesystem::path& directory);

/// The file that `name` means: a path that ends in .toml, or a job of the directory. Throws
/// ConfigError that shows the nearest names.
std::filesystem::path find_job(const std::string& name, const std::filesystem::path& directory);

/// Opens every script that the job names and resolves its parameters. Throws ConfigError at the
/// first that is wrong, with file:line:column.
void check_job(const Job& job, const task::Catalog& catalog);

/// `${NAME}` replaced by the environment. Throws ConfigError that names a variable that is not set.
std::string expand_environment(const std::string& text);

}  // namespace moonshift::job
