--- Clears the rate-limit entries that leaked: those without a TTL.
---
--- Instead of the runbook's `EVAL "KEYS 'rl:*' ... DEL"`, which it calls safe. That one stopped Redis while it ran,
--- deleted keys of any type that are called `rl:`, and forgave every client who was just over the limit. A key
--- with a TTL ends by itself and frees its memory then; only those without one are to be cleared. To start all
--- limiters anew after all, `only=all`; for single clients `ratelimit/reset`; for the rules of one library
--- `ratelimit/purge`.
---
--- For rate-limit-redis, rate-limiter-flexible and others that keep strings. Never touched: other types, keys of
--- a job queue, and with `leaked` any key with a TTL.
local limiter = require "lib.limiter"

local function purge_parameters(p)
  return { pattern = p.pattern, everything = p.everything, only = p.only, type = { "string" } }
end

return task {
  params = {
    pattern    = { type = "glob", list = true, default = "rl:*", help = "which keys" },
    everything = { type = "boolean", help = "take a pattern that every key matches" },
    only       = { type = "enum", default = "leaked", values = { "leaked", "all" }, help = "keys without a TTL, or all" },
  },

  find = function(p, emit)
    for key in limiter.candidates(purge_parameters(p)) do emit(key) end
  end,

  each = function(p, key) return limiter.purge(purge_parameters(p), key) end,
}
