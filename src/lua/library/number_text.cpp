#include "lua/library/number_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace moonshift::lua {

std::string number_text(double number) {
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%.14g", number);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<double> parse_number(const char* text) {
  char* end = nullptr;
  const double number = std::strtod(text, &end);
  if (end == text) return std::nullopt;
  while (std::isspace(static_cast<unsigned char>(*end)) != 0) ++end;
  return *end == '\0' ? std::optional(number) : std::nullopt;
}

std::string shortest_text(double number) {
  if (!std::isfinite(number))
    return fmt::format("{}{}", std::signbit(number) ? "-" : "", std::isnan(number) ? "nan" : "inf");
  std::array<char, 32> buffer;
  const auto end =
      std::to_chars(buffer.begin(), buffer.end(), std::abs(number), std::chars_format::scientific)
          .ptr;
  const std::string_view scientific(buffer.begin(), end);
  const auto mark = scientific.find('e');
  std::string digits(scientific.substr(0, mark));
  std::erase(digits, '.');
  const int power = std::stoi(std::string(scientific.substr(mark + 1)));  // of the first digit
  const int count = static_cast<int>(digits.size()), last = power - count + 1;
  const std::string sign = std::signbit(number) ? "-" : "";
  if (last >= 0 && power < count + 7)
    return sign + digits + std::string(static_cast<std::size_t>(last), '0');
  if (last < 0 && (last > -7 || std::abs(power) < 4)) {
    if (power < 0)
      return sign + "0." + std::string(static_cast<std::size_t>(-power - 1), '0') + digits;
    return sign + digits.insert(static_cast<std::size_t>(power + 1), ".");
  }
  if (count > 1) digits.insert(1, ".");
  return fmt::format("{}{}e{}{}", sign, digits, power < 0 ? '-' : '+', std::abs(power));
}

}  // namespace moonshift::lua
