#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "redis/reply.hpp"

namespace moonshift::redis {

/// Turns bytes into replies of RESP2 and RESP3, in whatever pieces they come.
///
/// Memory is bounded by `limit`: an array that grows beyond it is read to its end but not kept, and
/// arrives as an error reply; a single string beyond it is a RedisError{kProtocol}. Attributes and
/// pushes are read and dropped.
class ReplyReader {
 public:
  /// `where` stands at the front of error messages.
  ReplyReader(base::Bytes limit, std::string where);

  void feed(std::span<const char> bytes);

  /// The next complete reply. Throws RedisError{kProtocol} if what came is no RESP; the reader is
  /// of no use after that.
  std::optional<Reply> next();

 private:
  enum class Role { kReply, kAttribute, kPush };

  /// A container some of whose elements are still to come.
  struct Open {
    Reply reply;
    std::uint64_t missing = 0;  ///< elements
    Role role = Role::kReply;
    bool kept = true;  ///< else its elements are dropped as they come
  };

  /// What stands at the front of the buffer.
  enum class Front {
    kIncomplete,
    kValue,  ///< taken; it has no elements to come
    kOther,  ///< taken: the head of a container, or what is dropped
  };

  Front take();
  bool find_line();
  Front take_value(std::size_t end, Reply::Type type, std::string_view text = {},
                   std::int64_t integer = 0);
  Front take_string(Reply::Type type, std::string_view line);
  Front take_head(Reply::Type type, std::uint64_t elements, Role role);
  Reply& place();
  bool close_full();
  bool keeps() const { return !discarding_ && (open_.empty() || open_.back().kept); }
  void claim(std::uint64_t count, std::size_t unit);
  std::int64_t number(std::string_view line) const;
  std::uint64_t length(std::string_view line) const;
  [[noreturn]] void refuse(std::string_view text, std::string_view what) const;
  std::string too_large() const;

  std::string where_;
  std::size_t limit_;
  std::string buffer_;
  std::size_t begin_ = 0;     ///< of what is not taken yet
  std::size_t line_end_ = 0;  ///< no line that begins at begin_ ends before this
  std::vector<Open> open_;    ///< outermost first
  Reply value_;               ///< the last one that went into no container
  std::size_t size_ = 0;      ///< of the reply under way, about
  bool discarding_ = false;   ///< the reply under way is too large
};

}  // namespace moonshift::redis
