#include "lua/lexer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "lua/script_error.hpp"

namespace moonshift::lua {

namespace {

constexpr std::array<std::string_view, 21> kReservedWords{
    "and",   "break", "do",  "else", "elseif", "end",    "false", "for",  "function", "if",   "in",
    "local", "nil",   "not", "or",   "repeat", "return", "then",  "true", "until",    "while"};

constexpr std::array<std::string_view, 6> kLongSymbols{"...", "..", "==", "~=", "<=", ">="};

/// So many digits mean the same number to any reader.
constexpr std::size_t kPlainDigits = 15;

constexpr std::string_view kEndOfText = "<eof>";

// ASCII only: LuaJIT takes every byte above 127 for a letter.
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c); }
bool is_control(char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }
bool is_line_end(char c) { return c == '\n' || c == '\r'; }

constexpr std::size_t kNoBracket = std::string_view::npos;

/// The level of the long bracket that `text` begins with: 0 for `[[`, 1 for `]=]`.
std::size_t bracket_level(std::string_view text) {
  const auto second = text.find_first_not_of('=', 1);
  return second != std::string_view::npos && text[second] == text[0] ? second - 1 : kNoBracket;
}

}  // namespace

Token Lexer::next() {
  skip_blanks();
  Token token;
  token.begin = place_in_copy();
  if (at_end()) {
    replace(position_, "");
    token.text = kEndOfText;
  } else {
    const std::size_t begin = position_;
    token.kind = read_token();
    token.text = source_.substr(begin, position_ - begin);
  }
  token.end = place_in_copy();
  return token;
}

bool Lexer::at_line_end() const { return !at_end() && is_line_end(source_[position_]); }

char Lexer::peek(std::size_t ahead) const {
  return ahead < source_.size() - position_ ? source_[position_ + ahead] : '\0';
}

void Lexer::skip_blanks() {
  while (!at_end()) {
    if (at_line_end()) {
      skip_line_end();
    } else if (rest().starts_with("--")) {
      skip_comment();
    } else if (std::string_view(" \t\v\f").find(peek()) != std::string_view::npos) {
      ++position_;
    } else {
      return;
    }
  }
}

/// `\r\n` and `\n\r` end one line.
void Lexer::skip_line_end() {
  const char first = source_[position_++];
  if (at_line_end() && peek() != first) ++position_;
  ++line_;
}

void Lexer::skip_comment() {
  position_ += 2;
  if (peek() == '[') {
    if (const auto level = bracket_level(rest()); level != kNoBracket)
      return read_long_string(level, true);
  }
  while (!at_end() && !at_line_end()) ++position_;
}

Token::Kind Lexer::read_token() {
  const char first = peek();
  if (starts_name(first)) return read_word();
  if (is_digit(first) || (first == '.' && is_digit(peek(1)))) return read_number();
  if (first == '"' || first == '\'') return read_string();
  if (first == '[') {
    if (const auto level = bracket_level(rest()); level != kNoBracket) {
      read_long_string(level, false);
      return Token::Kind::kString;
    }
    if (peek(1) == '=')
      fail_near(rest().substr(0, rest().find_first_not_of('=', 1)),
                "invalid long string delimiter");
  }
  return read_symbol();
}

Token::Kind Lexer::read_word() {
  const std::size_t begin = position_;
  while (continues_name(peek())) ++position_;
  const std::string_view word = source_.substr(begin, position_ - begin);
  const bool reserved = std::ranges::find(kReservedWords, word) != kReservedWords.end();
  return reserved ? Token::Kind::kSymbol : Token::Kind::kName;
}

/// Lua 5.1 reads a number first and asks the C library then what it means.
Token::Kind Lexer::read_number() {
  const std::size_t begin = position_;
  while (is_digit(peek()) || peek() == '.') ++position_;
  if (peek() == 'e' || peek() == 'E') {
    ++position_;
    if (peek() == '+' || peek() == '-') ++position_;
  }
  while (continues_name(peek())) ++position_;

  const std::string number(source_.substr(begin, position_ - begin));
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  if (*end != '\0') fail_near(number, "malformed number");
  // LuaJIT does not take each that is very long or has a very large exponent.
  if (number.size() > kPlainDigits || number.find_first_not_of("0123456789.") != std::string::npos)
    replace(begin, std::isinf(value) ? "1e999" : fmt::format("{:.17g}", value));
  if (peek() == '.') replace(position_, " ");  // `0x10..s`: LuaJIT would go on reading
  return Token::Kind::kNumber;
}

Token::Kind Lexer::read_string() {
  const char quote = source_[position_++];
  string_ = quote;
  while (at_end() || peek() != quote) {
    if (at_end()) fail_near(kEndOfText, "unfinished string");
    if (at_line_end()) fail_near(string_, "unfinished string");
    if (peek() == '\\') {
      read_escape();
    } else {
      string_ += source_[position_++];
    }
  }
  string_ += source_[position_++];
  return Token::Kind::kString;
}

/// In Lua 5.1 an unknown escape is the character itself, also what later versions gave a meaning
/// to:
/// `"\x41"` is x41.
void Lexer::read_escape() {
  constexpr std::string_view kLetters = "abfnrtv", kMeanings = "\a\b\f\n\r\t\v";
  constexpr std::string_view kThemselves = "\\\"'";
  const char escaped = peek(1);
  if (is_digit(escaped)) {
    ++position_;
    int code = 0;
    for (int digits = 0; digits < 3 && is_digit(peek()); ++digits)
      code = code * 10 + (source_[position_++] - '0');
    if (code > 255) fail_near(string_, "escape sequence too large");
    string_ += static_cast<char>(code);
  } else if (is_line_end(escaped)) {
    ++position_;
    skip_line_end();
    string_ += '\n';
  } else if (const auto letter = kLetters.find(escaped); letter != std::string_view::npos) {
    position_ += 2;
    string_ += kMeanings[letter];
  } else {
    if (kThemselves.find(escaped) == std::string_view::npos) {
      ++position_;
      replace(position_ - 1, "");
    } else {
      ++position_;
    }
    if (!at_end()) string_ += source_[position_++];
  }
}

void Lexer::read_long_string(std::size_t level, bool is_comment) {
  const std::size_t bracket = level + 2;
  if (!is_comment) string_ = rest().substr(0, bracket);
  position_ += bracket;
  if (at_line_end()) skip_line_end();  // is no part of the string
  while (true) {
    if (at_end())
      fail_near(kEndOfText, is_comment ? "unfinished long comment" : "unfinished long string");
    if (peek() == ']' && bracket_level(rest()) == level) break;
    const bool line_end = at_line_end();
    if (!is_comment) string_ += line_end ? '\n' : peek();
    if (line_end) {
      skip_line_end();
    } else {
      ++position_;
    }
  }
  if (!is_comment) string_ += rest().substr(0, bracket);
  position_ += bracket;
}

Token::Kind Lexer::read_symbol() {
  const auto symbol = std::ranges::find_if(
      kLongSymbols, [&](std::string_view candidate) { return rest().starts_with(candidate); });
  position_ += symbol == kLongSymbols.end() ? 1 : symbol->size();
  return Token::Kind::kSymbol;
}

/// Copies the source up to the position, with `text` for what begins at `begin`.
void Lexer::replace(std::size_t begin, std::string_view text) {
  copy_ += source_.substr(copied_, begin - copied_);
  copy_ += text;
  copied_ = position_;
}

void Lexer::fail(std::string_view what) const {
  throw ScriptError(fmt::format("{}:{}: {}", chunk_id_, line_, what));
}

void Lexer::fail_near(const Token& token, std::string_view what) const {
  if (token.kind == Token::Kind::kString) fail_near(string_, what);
  if (token.text == std::string_view("\0", 1)) fail(what);
  if (token.text.size() == 1 && is_control(token.text[0]))
    fail_near(fmt::format("char({})", static_cast<int>(token.text[0])), what);
  fail_near(token.text, what);
}

/// Lua 5.1 takes the text for a C string, and the character NUL for no token.
void Lexer::fail_near(std::string_view text, std::string_view what) const {
  fail(fmt::format("{} near '{}'", what, text.substr(0, text.find('\0'))));
}

}  // namespace moonshift::lua
