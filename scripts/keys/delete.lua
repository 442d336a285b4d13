--- Deletes keys by pattern and, if given, by type, idle time, size and TTL; all of them must hold.
---
--- Every condition is looked at again at the moment of deletion, in one script with it: WATCH does not see that
--- a key was read, so only inside Redis can nothing come in between (server engine). A key that is part of a job
--- queue stays: the tasks of that library know what belongs to what. `idle` counts from the last use by any
--- client of this server, or from its start; reads on a replica do not count. It is exact to a second, no more
--- than 194 days (the 24 bits of src/evict.c), and refused under an LFU policy. A string that is a number below
--- 10000 has no idle time of its own (Redis shares the object) and stays. Looking for keys is no use of them.
--- `larger_than` is what MEMORY USAGE estimates from five elements.
---
--- For Redis 4 and newer, while others use it; keys may have any bytes in their names. Never touched: keys of a
--- job queue, keys that were used, changed or given a TTL since, and nothing at all by a pattern such as `*`
--- unless `everything` is set.
local keys = require "lib.keys"
local owner = require "lib.owner"

return task {
  atomic = true,

  params = {
    pattern     = { type = "glob", list = true, required = true, help = "which keys, such as cache:*" },
    everything  = { type = "boolean", default = false, help = "take a pattern that every key matches" },
    type        = { type = "enum", list = true, default = {}, help = "types of the keys; none: any",
      values = { "string", "hash", "list", "set", "zset", "stream" } },
    idle        = { type = "duration", help = "not used for longer than this" },
    larger_than = { type = "bytes", help = "size by MEMORY USAGE" },
    ttl         = { type = "enum", default = "any", values = { "any", "none" }, help = "keys without a TTL, or all" },
    ttl_below   = { type = "duration", help = "keys that end within this time" },
  },

  find = function(p, emit)
    keys.require_narrow(p)
    if p.idle then keys.require_idle_times() end
    for key in keys.matching(p) do emit(key) end
  end,

  each = function(p, key)
    local objection = keys.objection(p, key)
    if objection == "gone" then return "gone" end
    if objection then return "kept", objection end
    local library = owner.of(key, redis.call("TYPE", key).ok)
    if library then return "kept", "it belongs to " .. library end
    redis.call("UNLINK", key)
    return "removed"
  end,
}
