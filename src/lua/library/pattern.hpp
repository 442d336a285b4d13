#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

namespace moonshift::lua {

/// Searches a subject for a pattern of Lua 5.1 (reference manual, 5.4.1). LuaJIT's own matcher runs
/// on whatever the deadline says, and gives up patterns that the server takes. This one keeps what
/// is still to be tried in a list instead of in C's stack, and calls `pause` every few thousand
/// steps; `pause` may throw. Subject and pattern must outlive it.
///
/// A wrong pattern is found out where the match gets to it, as in 5.1: then ScriptError is thrown.
class PatternMatcher {
 public:
  enum class Caret { kAnchors, kIsPlain };  ///< what a '^' at the start of the pattern does

  struct Span {
    std::size_t begin;
    std::size_t end;
    bool operator==(const Span&) const = default;
  };

  /// A piece of the subject, or a position in it, counted from one.
  using Capture = std::variant<std::string_view, std::size_t>;

  PatternMatcher(std::string_view subject, std::string_view pattern, Caret caret,
                 std::function<void()> pause);

  /// The first match that begins at `from` or later; if anchored, only at `from`.
  std::optional<Span> search(std::size_t from);

  bool anchored() const { return anchored_; }

  // Of the last match:

  std::size_t captures() const { return level_; }

  /// Counted from zero. A pattern without captures has its whole match as the first one. Throws
  /// ScriptError if there is no such capture, or if its parenthesis was never closed.
  Capture capture(std::size_t index) const;

  /// Counts work that the caller does for a match.
  void spend(std::size_t steps) {
    if (steps >= steps_left_) return rest();
    steps_left_ -= steps;
  }

 private:
  struct Bounds {
    std::size_t begin;
    std::size_t length;  ///< or kOpen, or kPosition
  };

  /// What to do instead if the rest of the pattern does not match.
  struct Choice {
    enum class Kind { kFewer, kMore, kReopen, kForget } kind;
    std::size_t at = 0;        ///< in the subject; kReopen: the capture
    std::size_t least_at = 0;  ///< kFewer: no further back than this
    std::size_t item = 0;      ///< kMore: what to repeat
    std::size_t item_end = 0;  ///< and its end, which is where the quantifier stands
  };

  static constexpr std::size_t kMostCaptures = 32;  // LUA_MAXCAPTURES

  bool match_at(std::size_t start);
  bool step();
  bool backtrack();
  bool open_capture();
  bool close_capture();
  bool match_balanced();
  bool match_frontier();
  bool match_again(char digit);
  bool match_item();
  bool matches_one(std::size_t at, std::size_t item, std::size_t item_end);
  bool in_set(unsigned char c, std::size_t item, std::size_t item_end);
  std::size_t end_of_item(std::size_t item);
  void choose(const Choice& choice);
  void rest();

  /// A byte of the pattern, or NUL at its end, which no pattern contains.
  char pattern_at(std::size_t index) const {
    return index < pattern_.size() ? pattern_[index] : '\0';
  }

  std::string_view subject_;
  std::string_view pattern_;
  bool anchored_;
  std::function<void()> pause_;
  std::size_t steps_left_;

  std::size_t at_ = 0;    ///< in the subject
  std::size_t item_ = 0;  ///< in the pattern
  std::size_t level_ = 0;
  std::array<Bounds, kMostCaptures> captures_;
  std::vector<Choice> choices_;
  Span found_{};
};

}  // namespace moonshift::lua
