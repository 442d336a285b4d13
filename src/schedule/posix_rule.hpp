#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "schedule/zone.hpp"

namespace moonshift::schedule {

/// What a zone does in every year after its table of changes ends, which it does in 2037: the last
/// line of its TZif file (RFC 9636), as POSIX writes it in TZ, such as
/// `CET-1CEST,M3.5.0,M10.5.0/3`.
class PosixRule {
 public:
  /// Nothing if the zone does not change its clocks any more, or if its days are not of the form
  /// `M3.5.0`, the only one in the IANA database.
  static std::optional<PosixRule> parse(std::string_view text);

  Zone::Period period(std::chrono::sys_seconds time) const;

 private:
  struct Time {
    std::string name;
    std::chrono::seconds offset{0};
  };

  /// When one of the two begins, in the time of the other.
  struct Change {
    unsigned month = 1, week = 1, weekday = 0;
    std::chrono::seconds time{7200};

    std::chrono::local_seconds in(std::chrono::year year) const;
  };

  static bool take_time(std::string_view& text, Time& time);
  static bool take_change(std::string_view& text, Change& change);

  Time standard_, summer_;
  Change to_summer_, to_standard_;
};

}  // namespace moonshift::schedule
