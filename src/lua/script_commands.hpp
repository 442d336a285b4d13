#pragma once

#include <optional>
#include <string_view>

#include "base/log.hpp"
#include "redis/connection.hpp"
#include "redis/product.hpp"

namespace moonshift::lua {

/// Which of Redis's protocols redis.call() speaks: what redis.setresp() sets.
enum class Protocol { kResp2 = 2, kResp3 = 3 };

/// What `redis.*` of a plain script does outside of Lua.
class ScriptCommands {
 public:
  virtual ~ScriptCommands() = default;

  /// Runs one command as Redis does inside a script; its reply in that protocol. What Redis refuses
  /// is an error reply.
  virtual redis::Reply call(redis::Command command, Protocol protocol) = 0;

  /// Whether the user may run the command; nothing if there is no such command. For
  /// redis.acl_check_cmd().
  virtual std::optional<bool> may_run(redis::Command command) = 0;

  /// For redis.log().
  virtual void log(base::LogLevel level, std::string_view text) = 0;

  /// The script wants its writes kept from replicas or from the append-only file. For
  /// redis.set_repl().
  virtual void on_partial_replication() = 0;

  virtual const redis::Product& product() const = 0;
};

}  // namespace moonshift::lua
