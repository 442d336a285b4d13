#pragma once

#include <optional>
#include <string>

#include "redis/endpoint.hpp"

namespace moonshift::redis {

enum class KillAnswer {
  kNone,        ///< Redis does not answer (yet)
  kKilled,      ///< or no script runs any more
  kUnkillable,  ///< the script has written: only SHUTDOWN NOSAVE, which loses data, would end it
  kRefused,     ///< the user may not call SCRIPT KILL
};

struct KillResult {
  KillAnswer answer = KillAnswer::kNone;
  std::string text;  ///< the server's own
};

/// Whether a script keeps Redis busy, asked on a connection of its own; nothing if Redis does not
/// answer. While a script runs, Redis answers others only after its busy-reply-threshold (5 s).
/// From then on it answers everybody, so that whoever gets no reply is the one whose script runs.
std::optional<bool> is_busy(const Endpoint& endpoint);

/// How soon at the latest a reply comes from a Redis that is busy.
constexpr auto kBusyReplyWait = std::chrono::milliseconds(100);

/// Asks Redis, on a connection of its own, to end the script that runs, whosoever it is. A busy
/// Redis takes SCRIPT KILL and little else: https://redis.io/docs/latest/commands/script-kill
KillResult kill_script(const Endpoint& endpoint);

}  // namespace moonshift::redis
