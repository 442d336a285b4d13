#include "schedule/zone.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "schedule/posix_rule.hpp"

namespace moonshift::schedule {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

namespace {

const date::tzdb& database() {
  try {
    return date::get_tzdb();
  } catch (const std::runtime_error& error) {
    throw base::ConfigError(
        fmt::format("the time zones of this host cannot be read ({}): install the package tzdata",
                    error.what()));
  }
}

const date::time_zone* find(std::string_view name) {
  for (const date::time_zone& zone : database().zones) {
    if (zone.name() == name) return &zone;
  }
  return nullptr;
}

/// The date library reads the table of a zone, and not the rule that follows it.
std::shared_ptr<const PosixRule> rule_of(std::string_view name) {
  std::ifstream file("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
  std::string last_line;
  for (std::string line; std::getline(file, line);) last_line = std::move(line);
  const auto rule = PosixRule::parse(last_line);
  return rule ? std::make_shared<const PosixRule>(*rule) : nullptr;
}

/// A period that ends later is the last of its table.
constexpr sys_seconds kFarAway = std::chrono::sys_days(std::chrono::year(3000) / 1 / 1);

}  // namespace

Zone::Zone(std::string_view name, const date::time_zone* zone)
    : name_(name), zone_(zone), after_(zone == nullptr ? nullptr : rule_of(name)) {}

Zone Zone::named(std::string_view name) {
  if (name == "UTC") return utc();
  if (const date::time_zone* zone = find(name)) return Zone(name, zone);
  std::vector<std::string> names;
  for (const date::time_zone& zone : database().zones) {
    names.emplace_back(zone.name());
    if (base::equal_ignoring_case(name, names.back())) {
      names = {names.back()};
      break;
    }
  }
  throw base::ConfigError(
      fmt::format("there is no time zone '{}'{}; it is an IANA name, such as Europe/Berlin",
                  base::printable(name), base::did_you_mean(name, names)));
}

Zone Zone::local() {
  if (const char* variable = std::getenv("TZ")) {
    const std::string_view name = variable[0] == ':' ? variable + 1 : variable;
    if (name.empty()) return utc();
    try {
      return named(name);
    } catch (const base::ConfigError& error) {
      throw base::ConfigError(fmt::format("the environment variable TZ: {}", error.what()));
    }
  }
  try {
    const date::time_zone* zone = date::current_zone();
    return Zone(zone->name(), zone);
  } catch (const std::runtime_error&) {
    return utc();
  }
}

Zone::Period Zone::period(sys_seconds time) const {
  if (zone_ == nullptr) return {sys_seconds::min(), sys_seconds::max(), seconds(0), "UTC"};
  date::sys_info info = zone_->get_info(time);
  if (after_ != nullptr && info.end > kFarAway) {
    Period period = after_->period(time);
    period.begin = std::max(period.begin, info.begin);
    return period;
  }
  return {info.begin, info.end, info.offset, std::move(info.abbrev)};
}

local_seconds Zone::to_local(sys_seconds time) const {
  return local_seconds((time + period(time).offset).time_since_epoch());
}

sys_seconds Zone::first_at(local_seconds local) const {
  const sys_seconds as_utc(local.time_since_epoch());
  // No zone is a day away from UTC, so that this is before any time at which clocks show `local`.
  Period here = period(as_utc - std::chrono::days(1));
  while (as_utc - here.offset >= here.end) here = period(here.end);
  return std::max(as_utc - here.offset, here.begin);
}

}  // namespace moonshift::schedule
