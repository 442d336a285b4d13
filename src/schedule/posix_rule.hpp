#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "schedule/zone.hpp"

namespace moonshift::schedule {

/// A time zone as POSIX writes it in TZ, such as `CET-1CEST,M3.5.0,M10.5.0/3` or `JST-9`; also the
/// last line of a TZif file (RFC 9636), which is what a zone does in every year after its table of
/// changes ends, in 2037.
class PosixRule {
 public:
  /// Nothing if it is none, or if its days are not of the form `M3.5.0`, the only one in the IANA
  /// database, or are left out where there is a summer time.
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
  bool changes_ = true;  ///< whether there is a summer time
  Change to_summer_, to_standard_;
};

}  // namespace moonshift::schedule
