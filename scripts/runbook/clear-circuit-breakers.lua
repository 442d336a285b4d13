--- Force-closes the circuit breakers that you name.
---
--- Instead of the runbook's `EVAL "KEYS 'cb:*' ... DEL"`. That one stopped Redis while it ran, deleted every key called
--- `cb:` of any type, and closed all breakers at once: as a way to free memory, in the middle of an outage, it
--- sends all traffic to whatever has just failed. Breakers are small; clear them when the cause is gone. This is
--- `circuit/reset`, which see: there is no default pattern, and what was locked by hand stays.
---
--- For pybreaker, stoplight, and others that keep a string or a hash each. Never touched: other keys, those of a job queue.
local circuit = require "lib.circuit"

return task {
  params = {
    pattern    = { type = "glob", list = true, required = true, help = "which breakers, such as cb:payments*" },
    everything = { type = "boolean", default = false, help = "take a pattern that every key matches" },
    type       = { type = "enum", list = true, default = { "string", "hash" }, help = "types of their keys",
      values = { "string", "hash", "list", "set", "zset" } },
  },

  find = circuit.find,
  each = circuit.reset,
}
