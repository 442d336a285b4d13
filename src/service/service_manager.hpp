#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/duration.hpp"

namespace moonshift::service {

/// Tells systemd, if that started us, as sd_notify(3) takes it: `READY=1`.
void notify_service_manager(const std::string& state);

/// How often systemd wants a sign of life, if at all (sd_watchdog_enabled(3)).
std::optional<base::Duration> watchdog_interval();

/// See base::JournalWriter.
bool write_to_journal(const std::vector<std::string>& entry);

}  // namespace moonshift::service
