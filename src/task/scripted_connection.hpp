#pragma once

#include <string>

#include "lua/script_commands.hpp"
#include "redis/command_table.hpp"
#include "redis/connection.hpp"

namespace moonshift::task {

/// A connection whose commands do what they do inside an EVAL script: the same checks come first,
/// with the same words; nothing blocks; what one script changes of the connection does not reach
/// the next (redis src/script.c, scriptCall).
class ScriptedConnection : public lua::ScriptCommands {
 public:
  struct Options {
    /// KEYS is sent as it is. Otherwise its answer is put together from SCAN: the same keys, in
    /// another order, without stopping Redis.
    bool raw_keys = false;
  };

  /// All must outlive this.
  ScriptedConnection(redis::Connection& connection, const redis::CommandTable& commands,
                     redis::Product product, int database, const Options& options);

  /// For the script that runs next. After `deadline` a command that takes several steps ends.
  void begin_script(bool read_only, base::SteadyTime deadline);

  /// Puts back what the script changed of the connection.
  void end_script();

  redis::Reply call(redis::Command command, lua::Protocol protocol) override;
  std::optional<bool> may_run(redis::Command command) override;
  void log(base::LogLevel level, std::string_view text) override;
  void on_partial_replication() override;
  const redis::Product& product() const override { return product_; }

 private:
  std::optional<redis::Reply> refuse(redis::Command command) const;
  bool may_wait() const;
  redis::Reply send(redis::Command command);
  redis::Reply send_without_waiting(redis::Command command);
  redis::Reply select(redis::Command command);
  redis::Reply sort(redis::Command command);
  redis::Reply keys(redis::Command command);
  redis::Reply as_in_script(redis::Reply reply) const;
  void speak(lua::Protocol protocol);

  redis::Connection& connection_;
  const redis::CommandTable& commands_;
  redis::Product product_;
  Options options_;
  int home_;      ///< database
  int database_;  ///< that is selected
  lua::Protocol spoken_ = lua::Protocol::kResp2;
  bool read_only_ = false;
  base::SteadyTime deadline_ = base::kNever;
  bool told_soft_keys_ = false;
  bool told_partial_replication_ = false;
};

}  // namespace moonshift::task
