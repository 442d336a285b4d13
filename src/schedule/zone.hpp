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

/// A time zone of the IANA database, as this host has it in /usr/share/zoneinfo, or a POSIX rule of
/// $TZ. Cheap to copy; may be used from any thread.
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

  /// Throws ConfigError that shows the nearest names; also for `localtime`, which is a file there,
  /// and whatever zone this host has.
  static Zone named(std::string_view name);

  /// This host's: $TZ if it is set, else /etc/localtime; UTC if there is neither. Never throws.
  ///
  /// $TZ is read as tzset(3) does: a name; a file in the database, or a link to one, such as
  /// /etc/localtime; a POSIX rule such as `CET-1CEST,M3.5.0,M10.5.0/3`; each of them perhaps after
  /// a colon. UTC0, GMT0, utc and the like are UTC. What cannot be read is UTC too, as for the C
  /// library, but with a doubt(): a job that has its own zone must not fail because of it.
  static Zone local();

  /// An IANA name, UTC, or a POSIX rule.
  const std::string& name() const { return name_; }

  /// Whether it has a name that OnCalendar= takes, and is no POSIX rule.
  bool in_database() const { return zone_ != nullptr || after_ == nullptr; }

  /// Why this is UTC and not what $TZ says, for whoever is shown times of it; empty if there is no
  /// doubt.
  const std::string& doubt() const { return doubt_; }

  Period period(std::chrono::sys_seconds time) const;

  std::chrono::local_seconds to_local(std::chrono::sys_seconds time) const;

  /// The first time at which clocks show `local`; the end of the gap if they skip it.
  std::chrono::sys_seconds first_at(std::chrono::local_seconds local) const;

 private:
  Zone(std::string_view name, const date::time_zone* zone);

  static Zone of_host();
  static Zone of_variable(std::string_view variable);
  static Zone doubtful(std::string_view why);

  std::string name_, doubt_;
  /// Of the database, which is never unloaded; nothing: UTC, or `after_` alone.
  const date::time_zone* zone_;
  std::shared_ptr<const PosixRule> after_;  ///< what holds after the table of `zone_`
};

}  // namespace moonshift::schedule
