#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "health/finding.hpp"

namespace moonshift::record {

/// Where runs leave what the next one must know: $STATE_DIRECTORY, which systemd sets, else
/// $XDG_STATE_HOME/moonshift, else ~/.local/state/moonshift. Throws ConfigError if none is set.
std::filesystem::path state_directory();

/// Nothing if there is none, or none that can be understood.
std::optional<health::Level> read_last_verdict(const std::filesystem::path& state,
                                               const std::string& job);

/// Replaces it at once: a reader sees the old one or the new one. Throws std::system_error.
void write_last_verdict(const std::filesystem::path& state, const std::string& job,
                        health::Level verdict);

}  // namespace moonshift::record
