#pragma once

#include <filesystem>

#include "record/notification.hpp"

namespace moonshift::job {

class TableReader;

/// The file of a schedules directory that holds what its jobs share; it is no job.
inline constexpr const char* kSharedFile = "moonshift.toml";

/// The table [notify] of a file. Throws ConfigError at file:line:column.
record::NotifySettings read_notify(const TableReader& file);

/// What all jobs of a directory share; nothing if there is no such file. Throws ConfigError at
/// file:line:column.
record::NotifySettings read_shared_notify(const std::filesystem::path& directory);

/// Who hears of this job's runs: what its own file says, and key by key what the shared one does,
/// with ${NAME} replaced by the environment. What cannot be read is told in the log and left out:
/// a job must not fail, nor be silent, because of it.
record::NotifySettings notify_settings(const std::filesystem::path& job_file);

}  // namespace moonshift::job
