--- Removes sessions that have no TTL and were not used for `idle`.
---
--- Used means read or written by any client of this server (OBJECT IDLETIME), which is looked at again in one
--- script with the deletion: WATCH would not see a session being read (server engine). Looking for sessions is
--- no use of them. Reads on a replica do not count, and a restart counts as a use of every key, unless the
--- eviction policy is an LRU one, with which snapshots keep the times. The longest time that Redis tells is 194 days.
--- A string that is a number below 10000 has no idle time of its own (Redis shares the object) and stays.
--- Under an LFU policy Redis keeps no such time, and the task refuses to guess. There `max_frequency` says which
--- sessions go: OBJECT FREQ at most this. A new session has 5, each use adds up to 1, and each `lfu-decay-time`
--- (1 minute) takes 1 away: 0 proves that a session was not used in the last of these, not more.
---
--- For sessions in strings and hashes (connect-redis, flask-session, Spring, django-redis...), while they are
--- in use. Never touched: sessions with a TTL, sessions in use, keys of a job queue.
local keys = require "lib.keys"
local owner = require "lib.owner"

local function conditions(p)
  return { pattern = p.pattern, type = p.type, ttl = "none", max_frequency = p.max_frequency,
    idle = not p.max_frequency and p.idle or nil }
end

return task {
  atomic = true,

  params = {
    pattern       = { type = "glob", list = true, required = true, help = "which keys, such as sess:*" },
    everything    = { type = "boolean", default = false, help = "take a pattern that every key matches" },
    type          = { type = "enum", list = true, default = { "string", "hash" }, help = "types of the keys",
      values = { "string", "hash", "list", "set", "zset" } },
    idle          = { type = "duration", default = "30d", help = "not used for longer than this" },
    max_frequency = { type = "integer", help = "instead of idle, under an LFU policy: OBJECT FREQ at most this" },
  },

  find = function(p, emit)
    keys.require_narrow(p)
    if not p.max_frequency then keys.require_idle_times() end
    for key in keys.matching(conditions(p)) do emit(key) end
  end,

  each = function(p, key)
    local objection = keys.objection(conditions(p), key)
    if objection == "gone" then return "gone" end
    if objection then return "kept", objection end
    local library = owner.of(key, redis.call("TYPE", key).ok)
    if library then return "kept", "it belongs to " .. library end
    redis.call("UNLINK", key)
    return "removed"
  end,
}
