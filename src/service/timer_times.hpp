#pragma once

#include <string>

#include "job/job_file.hpp"

namespace moonshift::service {

/// The settings of a timer that say when (systemd.timer(5)), each on a line: `OnCalendar=...`.
///
/// systemd leaves out a time that the clocks skip, and the second of an hour that comes twice. What
/// the job's schedule has there (see schedule::Schedule) stands in lines of its own, for the years
/// that follow `now`. So do the times of an interval that no calendar expression has, where these
/// are not too many; shorter ones count from the job's last run.
///
/// Throws ConfigError that starts with the job's file if systemd has no form of its schedule.
std::string timer_times(const job::Job& job, base::UnixTime now);

}  // namespace moonshift::service
