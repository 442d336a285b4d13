--- Force-closes circuit breakers, by removing their shared state.
---
--- A breaker is open because what it guards has failed. To close it by force sends all calls there again at
--- once, from every process; if it still fails, each caller waits for its timeout until the breaker has counted enough
--- failures to open. Do it when the cause is gone and the breakers would wait longer than you want to, and name
--- just those: there is no default pattern. A breaker that is in use writes its state anew at once; that is no failure.
---
--- For pybreaker (`[<namespace>:]pybreaker:{state,fail_counter,opened_at}`): all three go together; `state` alone
--- would leave the count of failures, and the first further one would open it again
--- (src/pybreaker/__init__.py, CircuitRedisStorage). For stoplight 5 and 6 (`stoplight:v5:metadata:<light>`,
--- `stoplight:v6:...:state`): a light that somebody has locked by hand stays. Its failures of the last minutes are
--- sorted sets of their own; with `type=hash,zset` and their pattern they go too. For other breakers that keep
--- a string or a hash each. opossum and cockatiel keep nothing in Redis. Never touched: keys outside the patterns,
--- keys of another type than `type`, keys of a job queue.
local circuit = require "lib.circuit"

return task {
  params = {
    pattern    = { type = "glob", list = true, required = true, help = "which breakers, such as pay:pybreaker:*" },
    everything = { type = "boolean", default = false, help = "take a pattern that every key matches" },
    type       = { type = "enum", list = true, default = { "string", "hash" }, help = "types of their keys",
      values = { "string", "hash", "list", "set", "zset" } },
  },

  find = circuit.find,
  each = circuit.reset,
}
