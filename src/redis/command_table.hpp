#pragma once

#include <string>
#include <unordered_map>

#include "redis/connection.hpp"

namespace moonshift::redis {

/// What the connected server says of its own commands
/// (https://redis.io/docs/latest/commands/command).
class CommandTable {
 public:
  /// Asks the server once. Throws RedisError.
  static CommandTable read(Connection& connection);

  /// Whether the command only looks: it has the `readonly` flag, or is one of the informational
  /// commands (INFO, TIME, CONFIG GET...) that carry none. What is not known may write.
  bool only_reads(Command command) const;

  /// Whether scripts may not call the command: it has the `noscript` flag, as in EVAL, or waits for
  /// other clients. Those change the connection or wait on it (MULTI, SUBSCRIBE, BLPOP, AUTH...).
  bool refused_in_scripts(Command command) const;

 private:
  struct Flags {
    bool readonly = false;
    bool noscript = false;
    bool has_parts = false;  ///< XINFO and its like: XINFO STREAM has flags of its own
  };

  void add(const Reply& entry);
  const Flags* find(Command command) const;

  std::unordered_map<std::string, Flags> flags_;  ///< by lower-case name, `xinfo|stream` for parts
};

}  // namespace moonshift::redis
