#pragma once

#include <string>
#include <string_view>

namespace moonshift::lua {

struct Token {
  enum class Kind { kSymbol, kName, kNumber, kString };

  Kind kind = Kind::kSymbol;
  std::string_view text;  ///< as in the source; `<eof>` is the symbol at its end
  std::size_t begin = 0;  ///< in Lexer::copy()
  std::size_t end = 0;

  /// A symbol is a reserved word, an operator, or any character that has no other meaning.
  bool is(std::string_view symbol) const { return kind == Kind::kSymbol && text == symbol; }
};

/// Reads the tokens of Lua 5.1 (manual, section 2.1; lua src/llex.c), and copies the source such
/// that LuaJIT reads the same ones. The source must outlive it.
///
/// Errors are ScriptErrors in Lua 5.1's words: `chunk_id:line: what`.
class Lexer {
 public:
  Lexer(std::string_view source, std::string_view chunk_id)
      : source_(source), chunk_id_(chunk_id) {}

  Token next();

  /// Where the last token ended.
  int line() const { return line_; }

  /// The source up to the last token.
  const std::string& copy() const { return copy_; }

  [[noreturn]] void fail(std::string_view what) const;
  [[noreturn]] void fail_near(const Token& token, std::string_view what) const;

 private:
  bool at_end() const { return position_ == source_.size(); }
  bool at_line_end() const;
  char peek(std::size_t ahead = 0) const;
  std::string_view rest() const { return source_.substr(position_); }

  void skip_blanks();
  void skip_line_end();
  void skip_comment();
  Token::Kind read_token();
  Token::Kind read_word();
  Token::Kind read_number();
  Token::Kind read_string();
  Token::Kind read_symbol();
  void read_escape();
  void read_long_string(std::size_t level, bool is_comment);

  std::size_t place_in_copy() const { return copy_.size() + (position_ - copied_); }
  void replace(std::size_t begin, std::string_view text);
  [[noreturn]] void fail_near(std::string_view text, std::string_view what) const;

  std::string_view source_, chunk_id_;
  std::size_t position_ = 0;
  int line_ = 1;
  std::string copy_;
  std::size_t copied_ = 0;  ///< so much of the source is in copy_, or left out
  std::string string_;      ///< the last string as error messages show it: quoted, not escaped
};

}  // namespace moonshift::lua
