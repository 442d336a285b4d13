#include "base/duration.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace moonshift::base {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t microseconds;
};

constexpr std::array<Unit, 7> kUnits{{
    {"w", 604'800'000'000},
    {"d", 86'400'000'000},
    {"h", 3'600'000'000},
    {"m", 60'000'000},
    {"s", 1'000'000},
    {"ms", 1'000},
    {"us", 1},
}};

/// A thousand years: what is longer is a typing error, and would overflow further on.
constexpr double kLongest = 3.2e16;

const Unit* find_unit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

}  // namespace

Duration parse_duration(std::string_view text) {
  std::string_view rest = text;
  double total = 0;
  bool understood = !text.empty();
  while (understood && !rest.empty()) {
    const auto quantity = take_quantity(rest);
    const Unit* unit = quantity ? find_unit(quantity->unit) : nullptr;
    understood = unit != nullptr;
    if (understood) total += quantity->value * static_cast<double>(unit->microseconds);
  }
  if (!understood || total > kLongest) {
    throw ConfigError(
        fmt::format("'{}' is not a duration: write a number and a unit of w d h m s ms us, as in "
                    "7d, 1h30m, 2ms",
                    text));
  }
  return Duration{std::llround(total)};
}

std::string format_duration(Duration duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string text;
  for (const Unit& unit : kUnits) {
    // A week is only named where nothing else is needed: people say 10d, not 1w3d.
    if (unit.name == "w" && rest % unit.microseconds != 0) continue;
    if (const std::int64_t count = rest / unit.microseconds; count > 0) {
      text += fmt::format("{}{}", count, unit.name);
      rest %= unit.microseconds;
    }
  }
  return text;
}

std::string describe_duration(Duration duration) {
  const auto us = static_cast<double>(duration.count());
  if (us < 1e3) return fmt::format("{:.0f} us", us);
  // What would be rounded up to the next unit is told in that.
  if (us < 999.5e3) return fmt::format("{:.3g} ms", us / 1e3);
  if (us < 59.95e6) return fmt::format("{:.3g} s", us / 1e6);
  const std::int64_t seconds = std::llround(us / 1e6);
  if (seconds < 3600) return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h {:02}m", seconds / 3600, seconds / 60 % 60);
}

std::string round_duration(Duration duration) {
  using namespace std::chrono;
  if (duration >= days(1)) return format_duration(floor<hours>(duration));
  if (duration >= hours(1)) return format_duration(floor<minutes>(duration));
  return format_duration(ceil<seconds>(duration));
}

}  // namespace moonshift::base
