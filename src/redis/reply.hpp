#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moonshift::redis {

/// One RESP2 reply. Strings are bytes.
struct Reply {
  enum class Type { kNil, kInteger, kString, kStatus, kError, kArray };

  Type type = Type::kNil;
  std::int64_t integer = 0;
  std::string text;             ///< of a string, a status or an error
  std::vector<Reply> elements;  ///< of an array

  bool is_error() const { return type == Type::kError; }
  bool is_nil() const { return type == Type::kNil; }

  static Reply error(std::string text) { return {Type::kError, 0, std::move(text), {}}; }
};

/// Receives the reply to one submitted command.
class ReplyHandler {
 public:
  virtual ~ReplyHandler() = default;

  /// Called once, in the order in which the commands were submitted. It may submit further
  /// commands, but must not wait for them.
  virtual void on_reply(Reply reply) = 0;
};

}  // namespace moonshift::redis
