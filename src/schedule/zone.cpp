#include "schedule/zone.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
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

namespace fs = std::filesystem;

constexpr std::string_view kDirectory = "/usr/share/zoneinfo/";

/// A link among the zones of the database that is the name of none.
constexpr std::string_view kLink = "localtime";

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
    if (zone.name() == name && name != kLink) return &zone;
  }
  return nullptr;
}

std::vector<std::string> names() {
  std::vector<std::string> names{"UTC"};
  for (const date::time_zone& zone : database().zones) {
    if (zone.name() != kLink) names.emplace_back(zone.name());
  }
  return names;
}

/// ` (did you mean Europe/Berlin?)`, or nothing.
std::string did_you_mean(std::string_view name) {
  for (const std::string& known : names()) {
    if (base::equal_ignoring_case(name, known)) return fmt::format(" (did you mean {}?)", known);
  }
  return base::did_you_mean(name, names());
}

/// The zone whose file this is by its path, wherever the database lies.
const date::time_zone* find_file(const fs::path& file) {
  constexpr std::string_view kAnyDirectory = "/zoneinfo/";
  const std::string path = file.lexically_normal();
  const auto at = path.rfind(kAnyDirectory);
  if (at == std::string::npos) return nullptr;
  std::string_view name = std::string_view(path).substr(at + kAnyDirectory.size());
  for (const std::string_view copy : {"posix/", "right/"}) {
    if (name.starts_with(copy)) name.remove_prefix(copy.size());
  }
  return find(name);
}

/// The same, of the first one on the way where `file` is a link.
const date::time_zone* find_linked(fs::path file) {
  constexpr int kMostLinks = 10;
  for (int links = 0; links < kMostLinks; ++links) {
    if (const date::time_zone* zone = find_file(file)) return zone;
    std::error_code no_link;
    const fs::path target = fs::read_symlink(file, no_link);
    if (no_link) break;
    file = file.parent_path() / target;
  }
  std::error_code missing;
  return find_file(fs::canonical(file, missing));  // through links among its directories
}

/// `utc`, `UTC0`, `GMT+0`
bool is_utc(std::string_view name) {
  const std::string_view word = name.substr(0, std::min(name.find_first_of("0+-"), name.size()));
  if (name.substr(word.size()).find_first_not_of("0+-:") != std::string_view::npos) return false;
  constexpr std::array<std::string_view, 6> kWords{"UTC", "<UTC>",     "GMT",
                                                   "UCT", "Universal", "Zulu"};
  return std::any_of(kWords.begin(), kWords.end(), [&](std::string_view known) {
    return base::equal_ignoring_case(word, known);
  });
}

/// The date library reads the table of a zone, and not the rule that follows it.
std::shared_ptr<const PosixRule> rule_of(std::string_view name) {
  std::ifstream file(std::string(kDirectory) += name, std::ios::binary);
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
  const std::string meant = name == kLink
                                ? fmt::format(" (did you mean this host's, {}?)", of_host().name())
                                : did_you_mean(name);
  throw base::ConfigError(
      fmt::format("there is no time zone '{}'{}; it is an IANA name, such as "
                  "Europe/Berlin",
                  base::printable(name), meant));
}

Zone Zone::of_host() {
  constexpr const char* kFile = "/etc/localtime";
  try {
    const date::time_zone* zone = find_linked(kFile);
    // Where that is a copy and no link, other files may tell its name.
    if (zone == nullptr) zone = find(date::current_zone()->name());
    return zone == nullptr ? utc() : Zone(zone->name(), zone);
  } catch (const std::exception&) {  // neither
    return utc();
  }
}

Zone Zone::of_variable(std::string_view variable) {
  const std::string_view name = variable.starts_with(':') ? variable.substr(1) : variable;
  if (name.empty() || is_utc(name)) return utc();
  if (name == kLink || name == "/etc/localtime") return of_host();
  const fs::path file = fs::path(kDirectory) / name;  // which is `name` alone if that is absolute
  if (const date::time_zone* zone = find_linked(file)) return Zone(zone->name(), zone);
  const auto rule = PosixRule::parse(name);
  if (!rule)
    return doubtful(
        fmt::format("there is no time zone '{}'{}", base::printable(name), did_you_mean(name)));
  Zone zone(name, nullptr);
  zone.after_ = std::make_shared<const PosixRule>(*rule);
  return zone;
}

Zone Zone::doubtful(std::string_view why) {
  Zone zone = utc();
  zone.doubt_ = fmt::format("the environment variable TZ: {}; UTC is taken for it", why);
  return zone;
}

Zone Zone::local() {
  const char* variable = std::getenv("TZ");
  if (variable == nullptr) return of_host();
  try {
    return of_variable(variable);
  } catch (const std::exception& error) {  // no database
    return doubtful(error.what());
  }
}

Zone::Period Zone::period(sys_seconds time) const {
  if (zone_ == nullptr && after_ != nullptr) return after_->period(time);
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
