#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "redis/reply.hpp"

struct redisReader;

namespace moonshift::redis {

/// Turns bytes into replies, by hiredis's reader (hiredis read.h).
///
/// `where` stands at the front of error messages. Memory is bounded by `limit`: an array that grows
/// beyond it is read to its end but not kept, and arrives as an error reply; a single string beyond
/// it is a RedisError{kProtocol}.
class ReplyReader {
 public:
  ReplyReader(base::Bytes limit, std::string where);
  ~ReplyReader();
  ReplyReader(ReplyReader&&) noexcept;

  void feed(std::span<const char> bytes);

  /// The next complete reply. Throws RedisError{kProtocol} if what came is no RESP.
  std::optional<Reply> next();

 private:
  struct Builder;
  struct ReaderDeleter {
    void operator()(redisReader* reader) const;
  };

  std::string where_;
  std::unique_ptr<Builder> builder_;  // hiredis holds its address
  std::unique_ptr<redisReader, ReaderDeleter> reader_;
};

}  // namespace moonshift::redis
