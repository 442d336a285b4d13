#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moonshift::schedule {

/// The text of an expression, for those who read it: it says where in it something is wrong.
struct Expression {
  std::string_view kind;  ///< cron, calendar or every
  std::string_view text;

  /// Throws ConfigError: `cron '0 25 * * *', column 3: ...`. `at` points into `text`.
  [[noreturn]] void fail(const char* at, const std::string& what) const;
};

/// The words between blanks; each points into `text`.
std::vector<std::string_view> split_words(std::string_view text);

/// Reads a part of an expression from left to right.
class Reader {
 public:
  Reader(const Expression& expression, std::string_view part)
      : expression_(expression), rest_(part) {}

  bool at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  const char* position() const { return rest_.data(); }

  /// Takes `text` if it stands next.
  bool take(std::string_view text);

  /// The digits that stand next, a number of at most six.
  std::optional<int> take_number();

  /// The letters that stand next; perhaps none.
  std::string_view take_letters();

  [[noreturn]] void fail(const char* at, const std::string& what) const {
    expression_.fail(at, what);
  }

  /// What stands at `at`, up to the end of this part: for messages.
  std::string_view from(const char* at) const;

 private:
  const Expression& expression_;
  std::string_view rest_;
};

}  // namespace moonshift::schedule
