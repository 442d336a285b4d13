#include "base/bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"
#include "base/parse.hpp"

namespace moonshift::base {

namespace {

struct Unit {
  std::string_view name;
  double factor;
};

// https://redis.io/docs/latest/operate/oss_and_stack/management/config-file: 1k is 1000, 1kb is
// 1024.
constexpr std::array<Unit, 8> kUnits{{
    {"", 1},
    {"b", 1},
    {"k", 1e3},
    {"kb", 1024.0},
    {"m", 1e6},
    {"mb", 1024.0 * 1024},
    {"g", 1e9},
    {"gb", 1024.0 * 1024 * 1024},
}};

constexpr double kLargest = 9e15;

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

}  // namespace

Bytes parse_bytes(std::string_view text) {
  std::string_view rest = text;
  if (const auto quantity = take_quantity(rest); quantity && rest.empty()) {
    const std::string name = lower_case(quantity->unit);
    for (const Unit& unit : kUnits) {
      const double count = quantity->value * unit.factor;
      if (unit.name == name && count <= kLargest) return Bytes{std::llround(count)};
    }
  }
  throw ConfigError(fmt::format(
      "'{}' is not a size: write a number and a unit of b k kb m mb g gb, as in 64mb", text));
}

std::string describe_bytes(Bytes bytes) {
  // From here on three digits are too few, and {:.3g} would write 1e+03.
  constexpr double kTooLong = 999.5;
  if (std::abs(bytes.count) < 1024) return fmt::format("{} B", bytes.count);
  double count = static_cast<double>(bytes.count) / 1024;
  for (const char* unit : {"KB", "MB", "GB"}) {
    if (std::abs(count) < kTooLong) return fmt::format("{:.3g} {}", count, unit);
    count /= 1024;
  }
  return fmt::format("{:.0f} GB", count * 1024);
}

}  // namespace moonshift::base
