#include "service/service_manager.hpp"

#include <systemd/sd-daemon.h>

namespace moonshift::service {

void notify_service_manager(const std::string& state) { ::sd_notify(0, state.c_str()); }

std::optional<base::Duration> watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return base::Duration(static_cast<base::Duration::rep>(microseconds));
}

}  // namespace moonshift::service
