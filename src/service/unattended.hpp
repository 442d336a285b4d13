#pragma once

#include <functional>

#include "base/exit_code.hpp"
#include "job/job_file.hpp"
#include "redis/url.hpp"

namespace moonshift::service {

/// Runs a job for a timer as the daemon runs it: waits for a Redis that is gone, as long as the job
/// may, and tries a failed run again as often as it says. A signal (base::Interrupt) ends that.
///
/// `run` is called once for each attempt; its exit code is returned, of the last one.
base::ExitCode run_unattended(const job::Job& job, const redis::Url& url,
                              const std::function<base::ExitCode()>& run);

}  // namespace moonshift::service
