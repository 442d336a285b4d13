#include "lua/library/pattern.hpp"

#include <cctype>

#include "lua/script_error.hpp"

namespace moonshift::lua {

namespace {

/// So many are kept from one match to the next.
constexpr std::size_t kKeptChoices = 256;

constexpr std::size_t kStepsBetweenPauses = 4096;

/// Lengths that no capture has.
constexpr std::size_t kOpen = std::string_view::npos;
constexpr std::size_t kPosition = kOpen - 1;

/// There is at most one for each item of the pattern. With about so many, 5.1's recursion uses up a
/// stack of 8 MB, and the server crashes.
constexpr std::size_t kMostChoices = 200'000;

constexpr char kEscape = '%';

unsigned char byte(char c) { return static_cast<unsigned char>(c); }

bool in_class(unsigned char c, unsigned char name) {
  bool member = false;
  switch (std::tolower(name)) {
    case 'a':
      member = std::isalpha(c) != 0;
      break;
    case 'c':
      member = std::iscntrl(c) != 0;
      break;
    case 'd':
      member = std::isdigit(c) != 0;
      break;
    case 'l':
      member = std::islower(c) != 0;
      break;
    case 'p':
      member = std::ispunct(c) != 0;
      break;
    case 's':
      member = std::isspace(c) != 0;
      break;
    case 'u':
      member = std::isupper(c) != 0;
      break;
    case 'w':
      member = std::isalnum(c) != 0;
      break;
    case 'x':
      member = std::isxdigit(c) != 0;
      break;
    case 'z':
      member = c == 0;
      break;
    default:
      return c == name;
  }
  return member != (std::isupper(name) != 0);
}

}  // namespace

PatternMatcher::PatternMatcher(std::string_view subject, std::string_view pattern, Caret caret,
                               std::function<void()> pause)
    : subject_(subject),
      pattern_(pattern.substr(0, pattern.find('\0'))),  // 5.1 reads patterns as C strings
      anchored_(caret == Caret::kAnchors && pattern_.starts_with('^')),
      pause_(std::move(pause)),
      steps_left_(kStepsBetweenPauses) {
  if (anchored_) pattern_.remove_prefix(1);
}

std::optional<PatternMatcher::Span> PatternMatcher::search(std::size_t from) {
  for (std::size_t start = from; start <= subject_.size(); ++start) {
    spend(1);
    if (match_at(start)) return found_ = {start, at_};
    if (anchored_) break;
  }
  return std::nullopt;
}

PatternMatcher::Capture PatternMatcher::capture(std::size_t index) const {
  if (index >= level_) {
    if (index > 0) throw ScriptError("invalid capture index");
    return subject_.substr(found_.begin, found_.end - found_.begin);
  }
  const Bounds& bounds = captures_[index];
  if (bounds.length == kOpen) throw ScriptError("unfinished capture");
  if (bounds.length == kPosition) return bounds.begin + 1;
  return subject_.substr(bounds.begin, bounds.length);
}

bool PatternMatcher::match_at(std::size_t start) {
  at_ = start;
  item_ = 0;
  level_ = 0;
  choices_.clear();
  while (item_ < pattern_.size()) {
    spend(1);
    if (!step() && !backtrack()) return false;
  }
  // Replacements may be matching, too: many matchers, but one at a time that needs much.
  if (choices_.capacity() > kKeptChoices) choices_ = {};
  return true;
}

/// Matches one item of the pattern and moves on behind it.
bool PatternMatcher::step() {
  switch (pattern_[item_]) {
    case '(':
      return open_capture();
    case ')':
      return close_capture();
    case '$':
      if (item_ + 1 < pattern_.size()) break;
      ++item_;
      return at_ == subject_.size();
    case kEscape: {
      const char next = pattern_at(item_ + 1);
      if (next == 'b') return match_balanced();
      if (next == 'f') return match_frontier();
      if (std::isdigit(byte(next)) != 0) return match_again(next);
      break;
    }
    default:
      break;
  }
  return match_item();
}

/// Takes back what was done since the last choice, and chooses otherwise.
bool PatternMatcher::backtrack() {
  for (; !choices_.empty(); choices_.pop_back()) {
    Choice& choice = choices_.back();
    switch (choice.kind) {
      case Choice::Kind::kFewer:
        if (choice.at == choice.least_at) continue;
        at_ = --choice.at;
        break;
      case Choice::Kind::kMore:
        if (!matches_one(choice.at, choice.item, choice.item_end)) continue;
        at_ = ++choice.at;
        break;
      case Choice::Kind::kReopen:
        captures_[choice.at].length = kOpen;
        continue;
      case Choice::Kind::kForget:
        --level_;
        continue;
    }
    item_ = choice.item_end + 1;
    return true;
  }
  return false;
}

bool PatternMatcher::open_capture() {
  if (level_ == kMostCaptures) throw ScriptError("too many captures");
  const bool position = pattern_at(item_ + 1) == ')';
  captures_[level_++] = {at_, position ? kPosition : kOpen};
  item_ += position ? 2 : 1;
  choose({.kind = Choice::Kind::kForget});
  return true;
}

bool PatternMatcher::close_capture() {
  std::size_t index = level_;
  do {
    if (index == 0) throw ScriptError("invalid pattern capture");
  } while (captures_[--index].length != kOpen);
  captures_[index].length = at_ - captures_[index].begin;
  ++item_;
  choose({.kind = Choice::Kind::kReopen, .at = index});
  return true;
}

/// %bxy
bool PatternMatcher::match_balanced() {
  const char open = pattern_at(item_ + 2);
  const char close = pattern_at(item_ + 3);
  if (close == '\0') throw ScriptError("unbalanced pattern");
  if (at_ == subject_.size() || subject_[at_] != open) return false;
  std::size_t depth = 1;
  for (std::size_t end = at_ + 1; end < subject_.size(); ++end) {
    spend(1);
    if (subject_[end] == close) {
      if (--depth > 0) continue;
      at_ = end + 1;
      item_ += 4;
      return true;
    }
    if (subject_[end] == open) ++depth;
  }
  return false;
}

/// %f[set]: the subject has a NUL before its start and after its end.
bool PatternMatcher::match_frontier() {
  item_ += 2;
  if (pattern_at(item_) != '[') throw ScriptError("missing '[' after '%f' in pattern");
  const std::size_t end = end_of_item(item_);
  const char before = at_ == 0 ? '\0' : subject_[at_ - 1];
  const char here = at_ == subject_.size() ? '\0' : subject_[at_];
  if (in_set(byte(before), item_, end) || !in_set(byte(here), item_, end)) return false;
  item_ = end;
  return true;
}

/// %1 to %9. A position matches nothing.
bool PatternMatcher::match_again(char digit) {
  const std::size_t index = static_cast<std::size_t>(digit) - '1';
  if (index >= level_ || captures_[index].length == kOpen) {
    throw ScriptError("invalid capture index");
  }
  if (captures_[index].length == kPosition) return false;
  const std::string_view text = subject_.substr(captures_[index].begin, captures_[index].length);
  spend(text.size());
  if (!subject_.substr(at_).starts_with(text)) return false;
  at_ += text.size();
  item_ += 2;
  return true;
}

/// One that stands for a single byte, and its quantifier.
bool PatternMatcher::match_item() {
  const std::size_t item = item_;
  const std::size_t item_end = end_of_item(item);
  const char quantifier = pattern_at(item_end);
  if (quantifier == '-') {
    choose({.kind = Choice::Kind::kMore, .at = at_, .item = item, .item_end = item_end});
    item_ = item_end + 1;
    return true;
  }
  if (quantifier != '*' && quantifier != '+' && quantifier != '?') {
    if (!matches_one(at_, item, item_end)) return false;
    ++at_;
    item_ = item_end;
    return true;
  }
  const std::size_t least_at = at_ + (quantifier == '+' ? 1 : 0);
  const std::size_t most_at = quantifier == '?' ? at_ + 1 : subject_.size();
  while (at_ < most_at && matches_one(at_, item, item_end)) ++at_;
  if (at_ < least_at) return false;
  if (at_ > least_at) {
    choose({.kind = Choice::Kind::kFewer, .at = at_, .least_at = least_at, .item_end = item_end});
  }
  item_ = item_end + 1;
  return true;
}

bool PatternMatcher::matches_one(std::size_t at, std::size_t item, std::size_t item_end) {
  if (at == subject_.size()) return false;
  spend(1);
  const unsigned char c = byte(subject_[at]);
  switch (pattern_[item]) {
    case '.':
      return true;
    case kEscape:
      return in_class(c, byte(pattern_[item + 1]));
    case '[':
      return in_set(c, item, item_end);
    default:
      return c == byte(pattern_[item]);
  }
}

bool PatternMatcher::in_set(unsigned char c, std::size_t item, std::size_t item_end) {
  spend(item_end - item);
  std::string_view set = pattern_.substr(item + 1, item_end - item - 2);
  const bool complement = set.starts_with('^');
  if (complement) set.remove_prefix(1);
  for (std::size_t i = 0; i < set.size(); ++i) {
    bool member = false;
    if (set[i] == kEscape) {
      member = in_class(c, byte(set[++i]));
    } else if (i + 2 < set.size() && set[i + 1] == '-') {
      member = byte(set[i]) <= c && c <= byte(set[i + 2]);
      i += 2;
    } else {
      member = c == byte(set[i]);
    }
    if (member) return !complement;
  }
  return complement;
}

std::size_t PatternMatcher::end_of_item(std::size_t item) {
  const char first = pattern_[item++];
  if (first == kEscape) {
    if (item == pattern_.size()) throw ScriptError("malformed pattern (ends with '%')");
    return item + 1;
  }
  if (first != '[') return item;
  const std::size_t begin = item;
  if (pattern_at(item) == '^') ++item;
  do {  // a ']' that comes first stands for itself
    if (item >= pattern_.size()) throw ScriptError("malformed pattern (missing ']')");
    if (pattern_[item++] == kEscape) ++item;
  } while (pattern_at(item) != ']');
  spend(item - begin);
  return item + 1;
}

void PatternMatcher::choose(const Choice& choice) {
  if (choices_.size() == kMostChoices) throw ScriptError("pattern too complex");
  choices_.push_back(choice);
}

void PatternMatcher::rest() {
  steps_left_ = kStepsBetweenPauses;
  pause_();
}

}  // namespace moonshift::lua
