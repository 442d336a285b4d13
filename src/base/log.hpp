#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

namespace moonshift::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Sends log lines of at least `lowest` to standard error, or into the journal if that is where
/// standard error goes. Called once, before any thread starts.
void set_up_log(LogLevel lowest);

void log(LogLevel level, const std::string& message);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace moonshift::base
