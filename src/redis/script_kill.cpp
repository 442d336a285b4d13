#include "redis/script_kill.hpp"

#include "base/log.hpp"
#include "redis/error.hpp"

namespace moonshift::redis {

namespace {

/// The reply to a command on a new connection, if one comes soon.
std::optional<Reply> ask(const Endpoint& endpoint,
                         std::initializer_list<std::string_view> command) {
  ConnectionOptions options = endpoint.options();
  options.deadline = base::kNever;
  options.command_timeout = std::chrono::seconds(1);
  options.check_ready = false;
  try {
    return Connection(endpoint.url(), options).call(command);
  } catch (const std::runtime_error& error) {  // after a signal it may also be Aborted
    base::log_debug("{}: {}", *command.begin(), error.what());
    return std::nullopt;
  }
}

}  // namespace

std::optional<bool> is_busy(const Endpoint& endpoint) {
  const auto reply = ask(endpoint, {"PING"});
  if (!reply) return std::nullopt;
  // Whoever may not PING is told so before Redis looks whether it is busy.
  return kind_of(reply->text) == RedisError::Kind::kBusy || reply->text.starts_with("NOPERM");
}

KillResult kill_script(const Endpoint& endpoint) {
  const auto reply = ask(endpoint, {"SCRIPT", "KILL"});
  if (!reply) return {};
  const auto begins = [&](std::string_view code) { return reply->text.starts_with(code); };
  const auto answer = begins("UNKILLABLE") ? KillAnswer::kUnkillable
                      : begins("NOPERM")   ? KillAnswer::kRefused
                                           : KillAnswer::kKilled;
  return {answer, reply->text};
}

}  // namespace moonshift::redis
