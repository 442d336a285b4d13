#pragma once

#include "redis/endpoint.hpp"

namespace moonshift::redis {

enum class KillAnswer {
  kNone,        ///< Redis does not answer (yet)
  kKilled,      ///< or no script runs any more
  kUnkillable,  ///< the script has written: only SHUTDOWN NOSAVE, which loses data, would end it
};

/// Asks Redis, on a connection of its own, to end the script that runs. While one runs, Redis
/// answers others only after its busy-reply-threshold (5 s), and then only SCRIPT KILL and the
/// like: https://redis.io/docs/latest/commands/script-kill
KillAnswer kill_script(const Endpoint& endpoint);

}  // namespace moonshift::redis
