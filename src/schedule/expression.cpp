#include "schedule/expression.hpp"

#include "base/error.hpp"
#include "base/parse.hpp"
#include "base/text.hpp"

namespace moonshift::schedule {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The first of `text` that are among `characters`.
std::string_view leading(std::string_view text, std::string_view characters) {
  return text.substr(0, std::min(text.find_first_not_of(characters), text.size()));
}

}  // namespace

void Expression::fail(const char* at, const std::string& what) const {
  throw base::ConfigError(fmt::format("{} '{}', column {}: {}", kind, base::printable(text),
                                      at - text.data() + 1, what));
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(kBlanks, at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

bool Reader::take(std::string_view text) {
  if (!rest_.starts_with(text)) return false;
  rest_.remove_prefix(text.size());
  return true;
}

std::optional<int> Reader::take_number() {
  const std::string_view digits = leading(rest_, kDigits);
  if (digits.empty()) return std::nullopt;
  if (digits.size() > 6) fail(digits.data(), fmt::format("{} is too large a number", digits));
  rest_.remove_prefix(digits.size());
  return base::parse_number<int>(digits);
}

std::string_view Reader::take_letters() {
  const std::string_view letters = leading(rest_, kLetters);
  rest_.remove_prefix(letters.size());
  return letters;
}

std::string_view Reader::from(const char* at) const {
  return {at, static_cast<std::size_t>(rest_.data() + rest_.size() - at)};
}

}  // namespace moonshift::schedule
