#pragma once

#include <optional>
#include <string>

#include "base/duration.hpp"

namespace moonshift::service {

/// Tells systemd, if that started us, as sd_notify(3) takes it: `READY=1`.
void notify_service_manager(const std::string& state);

/// How often systemd wants a sign of life, if at all (sd_watchdog_enabled(3)).
std::optional<base::Duration> watchdog_interval();

/// Whether a timer started the service that this process is, and not a person: systemd.exec(5) says
/// so by $TRIGGER_UNIT, since systemd 252.
bool started_by_timer();

}  // namespace moonshift::service
