#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace moonshift::base {

/// The whole of `text` as a number, or nothing: no sign of surprise such as blanks, `+` or a
/// suffix.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A number followed by a unit: `1.5h` is {1.5, "h"}.
struct Quantity {
  double value = 0;
  std::string_view unit;
};

/// Takes one non-negative quantity off the front of `text`, or leaves it as it is.
std::optional<Quantity> take_quantity(std::string_view& text);

}  // namespace moonshift::base
