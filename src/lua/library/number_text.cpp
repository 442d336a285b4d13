#include "lua/library/number_text.hpp"

#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>

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

}  // namespace moonshift::lua
