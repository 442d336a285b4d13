#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "job/job_file.hpp"

namespace moonshift::service {

/// A name as a part of a unit's name: as systemd-escape(1) writes it, except that a dash inside it
/// stays, so that hourly-stalled is moonshift@hourly-stalled. Nothing here is a path, where a
/// dash would mean a slash.
std::string escape_instance(std::string_view name);

/// Reads back what escape_instance() or systemd-escape(1) wrote.
std::string unescape_instance(std::string_view instance);

/// A unit file: moonshift@nightly.timer.
struct Unit {
  std::string name;
  std::string text;
};

/// The timer that starts the job's moonshift@.service; nothing for a job that is run by hand.
/// Throws ConfigError that starts with the job's file if systemd has no form of its schedule.
/// For `now` see timer_times().
std::optional<Unit> timer_of(const job::Job& job, base::UnixTime now);

struct UnitOptions {
  std::filesystem::path schedules;
  std::filesystem::path output;  ///< created if there is none
  /// As a generator: systemd starts the timers with timers.target, also at a daemon-reload. Else
  /// they are for `systemctl enable`.
  bool wanted = false;
  /// Whether there is a Redis for jobs that name none themselves; they get no timer otherwise.
  bool has_url = true;
};

struct WrittenUnits {
  std::vector<std::string> names;
  std::vector<std::string> removed;  ///< timers of jobs that are gone
  std::vector<std::string> errors;   ///< of the jobs that got no timer
};

/// Writes the timer of every job. A job whose file or schedule is wrong keeps no other from its
/// own. Throws ConfigError if there is no such directory of jobs, std::system_error if a unit
/// cannot be written.
WrittenUnits write_units(const UnitOptions& options);

}  // namespace moonshift::service
