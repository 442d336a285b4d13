#include "service/service_manager.hpp"

#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

// No place in the source instead of this file's in every entry.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

namespace moonshift::service {

void notify_service_manager(const std::string& state) { ::sd_notify(0, state.c_str()); }

std::optional<base::Duration> watchdog_interval() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) <= 0) return std::nullopt;
  return base::Duration(static_cast<base::Duration::rep>(microseconds));
}

bool write_to_journal(const std::vector<std::string>& entry) {
  // Without the socket libsystemd drops the entry and calls that a success.
  if (::access("/run/systemd/journal/socket", W_OK) != 0) return false;
  std::vector<iovec> parts;
  for (const std::string& field : entry)
    parts.push_back({const_cast<char*>(field.data()), field.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace moonshift::service
