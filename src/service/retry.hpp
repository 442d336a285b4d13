#pragma once

#include <cstdint>
#include <string>

#include "job/job_file.hpp"

namespace moonshift::service {

/// Whether it is worth the same run again: not what went well, nor bad input, nor a job that
/// another host runs.
bool is_failure(int exit_code);

/// How long a job waits for a Redis that is gone: its timeout, or an hour.
base::Duration patience_of(const job::Job& job);

/// Where in [0, most] the job's delay lies on this host: always the same.
base::Duration derived_delay(const std::string& host, const std::string& job, base::Duration most);

/// How long to wait before the retry that follows the attempt (1: the first): it doubles each time,
/// up to an hour or the first delay, and comes later by up to a quarter, derived as above.
base::Duration retry_delay(const job::Job& job, const std::string& host, std::int64_t attempt);

}  // namespace moonshift::service
