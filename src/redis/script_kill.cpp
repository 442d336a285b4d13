#include "redis/script_kill.hpp"

#include "base/log.hpp"

namespace moonshift::redis {

KillAnswer kill_script(const Endpoint& endpoint) {
  ConnectionOptions options = endpoint.options();
  options.deadline = base::kNever;
  options.command_timeout = std::chrono::seconds(1);
  options.check_ready = false;
  try {
    const Reply reply = Connection(endpoint.url(), options).call({"SCRIPT", "KILL"});
    return reply.text.starts_with("UNKILLABLE") ? KillAnswer::kUnkillable : KillAnswer::kKilled;
  } catch (const std::runtime_error& error) {  // after a signal it may also be Aborted
    base::log_debug("SCRIPT KILL: {}", error.what());
    return KillAnswer::kNone;
  }
}

}  // namespace moonshift::redis
