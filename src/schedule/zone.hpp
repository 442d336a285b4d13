#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace date {
class time_zone;
}

namespace moonshift::schedule {

class PosixRule;

/// A time zone of the IANA database, as this host has it in /usr/share/zoneinfo. Cheap to copy; may
/// be used from any thread.
class Zone {
 public:
  /// A stretch of time with one offset from UTC: [begin, end).
  struct Period {
    std::chrono::sys_seconds begin, end;
    std::chrono::seconds offset;
    std::string abbreviation;  ///< CET
  };

  /// Needs no database.
  static Zone utc() { return Zone("UTC", nullptr); }

  /// Throws ConfigError that shows the nearest names.
  static Zone named(std::string_view name);

  /// This host's: $TZ if it is set, else /etc/localtime; UTC if there is neither. Throws
  /// ConfigError if $TZ is no IANA name.
  static Zone local();

  const std::string& name() const { return name_; }

  Period period(std::chrono::sys_seconds time) const;

  std::chrono::local_seconds to_local(std::chrono::sys_seconds time) const;

  /// The first time at which clocks show `local`; the end of the gap if they skip it.
  std::chrono::sys_seconds first_at(std::chrono::local_seconds local) const;

 private:
  Zone(std::string_view name, const date::time_zone* zone);

  std::string name_;
  const date::time_zone* zone_;  ///< of the database, which is never unloaded; nothing: UTC
  std::shared_ptr<const PosixRule> after_;  ///< what holds after the table of `zone_`
};

}  // namespace moonshift::schedule
