#pragma once

#include <optional>

#include "redis/connection.hpp"
#include "redis/version.hpp"

namespace moonshift::redis {

/// Which server it is that speaks to us.
struct Product {
  Version version;                ///< of Redis, or the one that it is compatible with
  std::optional<Version> valkey;  ///< of Valkey, if it is that

  /// Asks the server: INFO, or HELLO, which every user may call. Throws RedisError.
  static Product read(Connection& connection);

  /// The answer to HELLO: https://redis.io/docs/latest/commands/hello, names and values.
  static Product from_hello(const Reply& hello);

  /// What came with Redis 7.4, and is in every Valkey.
  bool has_redis_7_4() const { return valkey || version >= Version{7, 4, 0}; }
};

}  // namespace moonshift::redis
