#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moonshift::redis {

/// One reply of RESP2 or RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec).
/// Strings are bytes.
struct Reply {
  enum class Type {
    kNil,  ///< RESP2's nil string and nil array too
    kInteger,
    kString,
    kStatus,
    kError,  ///< simple or blob
    kArray,
    // Only after HELLO 3:
    kDouble,     ///< `text` as it was sent: "0.1", "inf", "nan"
    kBoolean,    ///< `integer` is 0 or 1
    kBigNumber,  ///< `text` has the digits
    kVerbatim,   ///< `text` begins with the format: "txt:", "mkd:"
    kMap,        ///< `elements` are key, value, key, value...
    kSet,
  };

  Type type = Type::kNil;
  std::int64_t integer = 0;     ///< of an integer or a boolean
  std::string text;             ///< of whatever else is no container
  std::vector<Reply> elements;  ///< of an array, a map or a set

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
