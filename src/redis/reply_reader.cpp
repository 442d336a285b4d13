#include "redis/reply_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/parse.hpp"
#include "base/text.hpp"
#include "redis/error.hpp"

namespace moonshift::redis {

namespace {

using Type = Reply::Type;

/// Redis nests a script's reply at most 8000 deep (LUAI_MAXCSTACK in its deps/lua/src/luaconf.h).
/// The destructor of Reply recurses.
constexpr std::size_t kMostNesting = 10'000;

constexpr auto kProtocol = RedisError::Kind::kProtocol;
constexpr std::size_t kLineEnd = 2;  ///< bytes of CR LF
constexpr std::string_view kTypes = "+-:$*_,#(!=%~|>";
constexpr std::size_t kRetainedBuffer = 1 << 20;

bool is_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error != std::errc::invalid_argument && end == text.data() + text.size();
}

bool is_big_number(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

ReplyReader::ReplyReader(base::Bytes limit, std::string where)
    : where_(std::move(where)), limit_(static_cast<std::size_t>(limit.count)) {}

void ReplyReader::feed(std::span<const char> bytes) {
  // What was taken goes only when it is at least half of the buffer, so that moving the rest costs
  // no more than taking did.
  if (begin_ >= buffer_.size() - begin_) {
    buffer_.erase(0, begin_);
    line_end_ -= std::min(line_end_, begin_);
    begin_ = 0;
    if (buffer_.empty() && buffer_.capacity() > kRetainedBuffer) buffer_ = {};
  }
  buffer_.append(bytes.data(), bytes.size());
}

std::optional<Reply> ReplyReader::next() {
  for (;;) {
    const Front front = take();
    if (front == Front::kIncomplete) return std::nullopt;
    if (front == Front::kOther || !close_full()) continue;
    Reply reply = discarding_ ? Reply::error(too_large()) : std::move(value_);
    size_ = 0;
    discarding_ = false;
    return reply;
  }
}

/// Takes one value, or the head of a container, off the buffer.
ReplyReader::Front ReplyReader::take() {
  if (!find_line()) return Front::kIncomplete;
  const auto line = std::string_view(buffer_).substr(begin_ + 1, line_end_ - begin_ - 1);
  const std::size_t end = line_end_ + kLineEnd;
  switch (buffer_[begin_]) {
    case '$':
      return line == "-1" ? take_value(end, Type::kNil) : take_string(Type::kString, line);
    case '!':
      return take_string(Type::kError, line);
    case '=':
      return take_string(Type::kVerbatim, line);
    case ':':
      return take_value(end, Type::kInteger, {}, number(line));
    case '+':
      return take_value(end, Type::kStatus, line);
    case '-':
      return take_value(end, Type::kError, line);
    case '_':
      if (!line.empty()) refuse(line, "null");
      return take_value(end, Type::kNil);
    case '#':
      if (line != "t" && line != "f") refuse(line, "boolean");
      return take_value(end, Type::kBoolean, {}, line == "t" ? 1 : 0);
    case ',':
      if (!is_double(line)) refuse(line, "double");
      return take_value(end, Type::kDouble, line);
    case '(':
      if (!is_big_number(line)) refuse(line, "big number");
      return take_value(end, Type::kBigNumber, line);
    case '*':
      return line == "-1" ? take_value(end, Type::kNil)
                          : take_head(Type::kArray, length(line), Role::kReply);
    case '~':
      return take_head(Type::kSet, length(line), Role::kReply);
    case '%':
      return take_head(Type::kMap, 2 * length(line), Role::kReply);
    case '|':
      return take_head(Type::kMap, 2 * length(line), Role::kAttribute);
    case '>':
      if (!open_.empty()) refuse(line, "element");
      return take_head(Type::kArray, length(line), Role::kPush);
    default:
      refuse(std::string_view(buffer_).substr(begin_), "Redis reply");
  }
}

/// Takes the value that ends at `end`.
ReplyReader::Front ReplyReader::take_value(std::size_t end, Type type, std::string_view text,
                                           std::int64_t integer) {
  begin_ = end;
  claim(text.size(), 1);
  Reply& value = place();
  value.type = type;
  value.integer = integer;
  if (keeps()) value.text = text;
  return Front::kValue;
}

/// The line that was found says how long the string is that comes after it.
ReplyReader::Front ReplyReader::take_string(Type type, std::string_view line) {
  const std::uint64_t size = length(line);
  if (size > limit_) throw RedisError(kProtocol, where_ + ": " + too_large());
  const std::size_t begin = line_end_ + kLineEnd;
  const std::size_t end = begin + size;
  if (buffer_.size() < end + kLineEnd) {
    buffer_.reserve(end + kLineEnd);
    return Front::kIncomplete;
  }
  const auto text = std::string_view(buffer_).substr(begin, size);
  if (buffer_[end] != '\r' || buffer_[end + 1] != '\n')
    refuse(text, "string of the length it says");
  if (type == Type::kVerbatim && text.find(':') != 3) refuse(text, "verbatim string");
  return take_value(end + kLineEnd, type, text);
}

ReplyReader::Front ReplyReader::take_head(Type type, std::uint64_t elements, Role role) {
  if (elements == 0) {
    if (role == Role::kReply) return take_value(line_end_ + kLineEnd, type);
    begin_ = line_end_ + kLineEnd;
    return Front::kOther;
  }
  if (open_.size() == kMostNesting) {
    throw RedisError(kProtocol, fmt::format("{}: a reply nested too deep", where_));
  }
  begin_ = line_end_ + kLineEnd;
  if (role == Role::kReply) claim(elements, sizeof(Reply));
  const bool kept = role == Role::kReply && keeps();
  Open& open = open_.emplace_back();
  open.reply.type = type;
  open.missing = elements;
  open.role = role;
  open.kept = kept;
  if (open.kept) open.reply.elements.reserve(elements);
  return Front::kOther;
}

/// Finds line_end_ of the line at begin_, going on where the last search gave up.
bool ReplyReader::find_line() {
  const std::string_view text = buffer_;
  std::size_t at = std::max(line_end_, begin_ + 1);
  while (at + 1 < text.size() && (text[at] != '\r' || text[at + 1] != '\n')) ++at;
  line_end_ = at;
  if (at > begin_ + 1 + limit_) throw RedisError(kProtocol, where_ + ": " + too_large());
  if (at + 1 < text.size()) return true;
  if (begin_ < text.size() && kTypes.find(text[begin_]) == kTypes.npos) {
    refuse(text.substr(begin_), "Redis reply");
  }
  return false;
}

/// A new element of the innermost container, or value_ if there is none or it is not kept.
Reply& ReplyReader::place() {
  if (!open_.empty() && keeps()) return open_.back().reply.elements.emplace_back();
  value_ = {};
  return value_;
}

/// After a value: closes the containers that have all their elements now. Returns whether value_ is
/// a whole reply then.
bool ReplyReader::close_full() {
  while (!open_.empty()) {
    if (--open_.back().missing > 0) return false;
    const Role role = open_.back().role;
    Reply full = std::move(open_.back().reply);
    open_.pop_back();
    if (role != Role::kReply) return false;
    place() = std::move(full);
  }
  return true;
}

/// Counts what is about to be kept, or starts to drop everything if it is too much.
void ReplyReader::claim(std::uint64_t count, std::size_t unit) {
  if (!keeps()) return;
  if (count <= (limit_ - size_) / unit) {
    size_ += count * unit;
    return;
  }
  discarding_ = true;
  for (Open& open : open_) open.reply.elements = {};
}

std::int64_t ReplyReader::number(std::string_view line) const {
  const auto value = base::parse_number<std::int64_t>(line);
  if (!value) refuse(line, "number");
  return *value;
}

std::uint64_t ReplyReader::length(std::string_view line) const {
  const std::int64_t value = number(line);
  if (value < 0) refuse(line, "length");
  return static_cast<std::uint64_t>(value);
}

void ReplyReader::refuse(std::string_view text, std::string_view what) const {
  throw RedisError(kProtocol, fmt::format("{}: what came is no Redis reply: '{}' is no {}", where_,
                                          base::printable(text, 40), what));
}

std::string ReplyReader::too_large() const {
  return fmt::format("ERR the reply is larger than {} bytes", limit_);
}

}  // namespace moonshift::redis
