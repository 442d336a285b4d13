#include "base/parse.hpp"

namespace moonshift::base {

namespace {

bool is_number_char(char c) { return (c >= '0' && c <= '9') || c == '.'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::optional<Quantity> take_quantity(std::string_view& text) {
  std::size_t digits = 0;
  while (digits < text.size() && is_number_char(text[digits])) ++digits;
  const auto value = parse_number<double>(text.substr(0, digits));
  if (!value) return std::nullopt;
  std::size_t end = digits;
  while (end < text.size() && is_letter(text[end])) ++end;
  const Quantity taken{*value, text.substr(digits, end - digits)};
  text.remove_prefix(end);
  return taken;
}

}  // namespace moonshift::base
