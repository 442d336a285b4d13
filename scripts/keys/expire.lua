--- Gives a TTL to keys that have none.
---
--- A key that was given a TTL meanwhile keeps that one. With `spread`, each key's TTL is longer by its own share
--- of it, so that they do not all end at once. A key that is part of a job queue stays as it is: there a
--- missing TTL is normal. Whoever writes such a key anew with SET takes the TTL away again.
---
--- For any Redis, while others use it; keys may have any bytes in their names. Never touched: keys with a TTL,
--- keys of a job queue, and nothing at all by a pattern such as `*` unless `everything` is set.
local keys = require "lib.keys"
local owner = require "lib.owner"

--- Between 0 and 1, always the same for the same key.
local function share(key) return tonumber(redis.sha1hex(key):sub(1, 8), 16) / 0xffffffff end

local function conditions(p) return { pattern = p.pattern, type = p.type, ttl = "none" } end

return task {
  params = {
    pattern    = { type = "glob", list = true, required = true, help = "which keys, such as cache:*" },
    everything = { type = "boolean", default = false, help = "take a pattern that every key matches" },
    type       = { type = "enum", list = true, default = {}, help = "types of the keys; none: any",
      values = { "string", "hash", "list", "set", "zset", "stream" } },
    ttl        = { type = "duration", required = true, help = "how long they still stay" },
    spread     = { type = "duration", default = "0s", help = "up to so much longer, each key for its own share" },
  },

  find = function(p, emit)
    keys.require_narrow(p)
    if p.ttl <= 0 then error("ttl must be more than nothing; to delete, use keys/delete", 0) end
    for key in keys.matching(conditions(p)) do emit(key) end
  end,

  each = function(p, key)
    return atomically({ key }, function(write)
      local objection = keys.objection(conditions(p), key)
      if objection == "gone" then return "gone" end
      if objection then return "kept", objection end
      local library = owner.of(key, redis.call("TYPE", key).ok)
      if library then return "kept", "it belongs to " .. library end
      write("PEXPIRE", key, string.format("%.0f", p.ttl + p.spread * share(key)))
      return "expires"
    end)
  end,
}
