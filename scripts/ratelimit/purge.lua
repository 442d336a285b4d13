--- Removes rate-limit keys: the leaked ones, which have no TTL and so never end, or all of them.
---
--- `leaked` never touches a key with a TTL: Redis itself decides and deletes in one command, so a window
--- that a limiter opens at the same moment stays. Name only prefixes whose keys are meant to have a TTL.
--- With `all`, every limiter under the pattern starts anew.
---
--- For rate-limiter-flexible, rate-limit-redis (express-rate-limit) and others that keep strings. Needs
--- Redis 7 for `leaked` (https://redis.io/docs/latest/commands/pexpire, option NX).
return task {
  params = {
    pattern = { type = "glob", list = true, required = true, help = "which keys, such as rl:*" },
    only    = { type = "enum", default = "leaked", values = { "leaked", "all" }, help = "keys without a TTL, or all" },
    type    = { type = "enum", default = "string", values = { "string", "hash", "list", "set", "zset" }, help = "type of the keys" },
  },

  find = function(p, emit)
    for key in scan.keys { match = p.pattern, type = p.type, persistent = p.only == "leaked" } do
      emit(key)
    end
  end,

  each = function(p, key)
    local removed
    if p.only == "leaked" then
      removed = redis.call("PEXPIRE", key, -1, "NX") -- a time in the past: it deletes
    else
      removed = redis.call("UNLINK", key)
    end
    return removed == 1 and "removed" or "gone"
  end,
}
