#pragma once

#include <map>
#include <string>
#include <string_view>

#include "redis/connection.hpp"

namespace moonshift::redis {

/// What INFO says: https://redis.io/docs/latest/commands/info.
class Info {
 public:
  static Info parse(std::string_view text);

  /// Asks the server. Throws RedisError.
  static Info read(Connection& connection, std::string_view section = "default");

  /// The field's text; empty if there is none.
  std::string text(const std::string& field) const;

  /// The field as a number; 0 if there is none.
  std::int64_t number(const std::string& field) const;

  const std::map<std::string, std::string>& fields() const { return fields_; }

 private:
  std::map<std::string, std::string> fields_;
};

}  // namespace moonshift::redis
