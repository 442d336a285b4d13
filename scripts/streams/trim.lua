--- Trims streams: entries older than `older_than`, beyond the newest `keep`, that no consumer group still needs.
---
--- An entry that some group has not been given yet, or has not acknowledged, stays, and so does all that came after
--- it: a group whose consumers are gone holds the stream. `undelivered=true` lets those go as well. What the
--- groups need is asked in one script with each step, for WATCH does not see XGROUP SETID or XCLAIM (server
--- engine). A step is at most 1,000 entries, 100 where both `keep` and a group or an age are to be kept, for
--- these have to be read; its cut is exact, so that what is left is what you asked for.
---
--- For Redis 6.2 and newer, while others add and read. Readers without a group (XREAD) are not known to Redis and
--- may miss what is trimmed. A stream whose ids are no times is left alone where `older_than` is given.
--- Never touched: entries that a group needs, groups, and nothing at all by a pattern such as `*` unless
--- `everything` is set.
local keys = require "lib.keys"
local streams = require "lib.streams"

return task {
  atomic = true,

  params = {
    pattern     = { type = "glob", list = true, required = true, help = "which streams, such as events:*" },
    everything  = { type = "boolean", default = false, help = "take a pattern that every key matches" },
    older_than  = { type = "duration", help = "age of the entries, by their ids" },
    keep        = { type = "integer", default = 0, help = "this many of the newest stay in each stream" },
    undelivered = { type = "boolean", default = false, help = "also entries that a consumer group still needs" },
  },

  find = function(p, emit)
    keys.require_narrow(p)
    if not p.older_than and p.keep < 1 then error("say what stays: older_than=7d, keep=10000, or both", 0) end
    for key in scan.keys { match = p.pattern, type = "stream" } do
      local limits = streams.limits(p, key)
      if limits.any then
        for number = 1, math.ceil(limits.beyond / streams.step(p, limits)) do
          emit(key, tostring(number), limits.last) -- what was added since is another item
        end
      end
    end
  end,

  each = function(p, key)
    local kind = redis.call("TYPE", key).ok
    if kind == "none" then return "gone" end
    if kind ~= "stream" then return "kept", "it is a " .. kind end
    local limits = streams.limits(p, key)
    if limits.objection then return "kept", limits.objection end
    if not limits.any then return "gone" end
    return streams.trim_step(p, key, limits) > 0 and "trimmed" or "gone"
  end,
}
