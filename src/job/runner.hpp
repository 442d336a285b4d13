#pragma once

#include <functional>
#include <string>
#include <vector>

#include "job/job_file.hpp"
#include "record/report.hpp"
#include "redis/endpoint.hpp"

namespace moonshift::job {

/// Where a run stands, for whoever watches it.
struct Progress {
  std::string step;
  task::Tally tally;
  base::Duration elapsed{0};
  redis::Latency latency;
};

struct RunnerOptions {
  std::string run_id;  ///< empty: a new one
  base::SteadyTime deadline = base::kNever;
  std::optional<base::UnixTime> now;
  /// The job's time that the run is for; it is not run if another host has done so. Nothing: it is
  /// run whatever others did.
  std::optional<base::UnixTime> scheduled;
  bool dry_run = false;
  std::function<void()> on_start;  ///< before the first step; not if another run has the lease
  std::function<void(const Progress&)> on_progress;
};

/// Runs the steps, then the checks. Every script is opened, and every parameter resolved, before
/// the first step changes anything: ConfigError otherwise. RedisError if Redis cannot be used at
/// all; if it is lost later, the report says so beside what was done.
record::Report run_job(const Job& job, const task::Catalog& catalog,
                       const redis::Endpoint& endpoint, const RunnerOptions& options);

}  // namespace moonshift::job
