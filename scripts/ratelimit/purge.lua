--- Removes rate-limit keys: the leaked ones, which have no TTL and so never end, or all of them.
---
--- `leaked` never touches a key with a TTL: Redis itself decides and deletes in one command (PEXPIRE in the past, only
--- if there is no TTL: Redis 7), so a window that a limiter opens at the same moment stays, and it works above
--- maxmemory. The type is looked at right before. With `all`, with `limiter` and with `action=expire`, type, TTL and
--- count are looked at again in one transaction with the deletion. Name only prefixes whose keys are meant to have a
--- TTL: rate-limiter-flexible keeps counters with `duration: 0`, `set(key, n, 0)` and `block(key, 0)` without one on
--- purpose, and they look the same. With `all`, every limiter under the pattern starts anew.
--- `action=expire` is gentler: the key stays, and ends after `window`; whoever is over the limit waits for so
--- long, as if the window had just begun.
---
--- `limiter` adds the rules of one library. `rate-limit-redis`: only counts below zero, which a response leaves that
--- ends after its window. `python-limits`: a key without a TTL blocks for ever once it is over the limit; its window
--- is read from its name (`LIMITER/<who>/5/1/minute`, since limits 3 `LIMITS:LIMITER/...`), strings and lists.
--- `rack-attack`: only counters whose window, `window` long, is over; never a ban. `bullmq`: only a queue's own
--- `limiter`: without a TTL it lets BullMQ run without a limit and Bull almost not at all.
---
--- For rate-limiter-flexible 11, rate-limit-redis 6 (express-rate-limit), python-limits 2.8 and 4.4, rack-attack 6.6,
--- BullMQ 3 to 6, Bull 4, and others that keep counters, while they run. Never touched: keys of other types,
--- with `leaked` any key with a TTL, keys of a job queue (but for `limiter=bullmq`), and nothing at all by a pattern
--- such as `*` unless `everything` is set.
local limiter = require "lib.limiter"

return task {
  params = {
    pattern    = { type = "glob", list = true, required = true, help = "which keys, such as rl:*" },
    everything = { type = "boolean", help = "take a pattern that every key matches" },
    only       = { type = "enum", default = "leaked", values = { "leaked", "all" }, help = "keys without a TTL, or all" },
    type       = { type = "enum", list = true, default = "string", values = { "string", "hash", "list", "set", "zset" },
      help = "type of the keys" },
    limiter    = { type = "enum", values = { "rate-limit-redis", "python-limits", "rack-attack", "bullmq" },
      help = "whose rules to keep" },
    action     = { type = "enum", values = { "delete", "expire" },
      help = "remove the key (if nothing is said), or let it end after one window" },
    window     = { type = "duration", help = "how long a window is" },
  },

  find = function(p, emit)
    for key in limiter.candidates(p) do emit(key) end
  end,

  each = function(p, key)
    if limiter.only_ttl_decides(p) then return limiter.purge_leaked(p, key) end
    return limiter.purge(p, key)
  end,
}
