--- Cuts lists to their newest `keep` elements.
---
--- In steps of at most 1,000 elements. `newest` is the end where elements are pushed: left for LPUSH, right for
--- RPUSH; the other end is cut. A step names how many elements stay, never less than `keep`, so elements that are
--- pushed meanwhile do not shift it. A list of a job queue stays as it is, told by what is stored beside it
--- or by elements that only jobs have: in it, each element is work that nobody has done yet.
---
--- For any Redis, while others push and pop. Never touched: lists of BullMQ, Bull, Bee-Queue, RQ, Celery, Sidekiq,
--- Resque and Laravel, lists of at most `keep` elements, and nothing at all by a pattern such as `*` unless
--- `everything` is set.
local keys = require "lib.keys"
local owner = require "lib.owner"

local step = 1000

--- LTRIM's range for the newest `count` elements.
local function range(p, count)
  if p.newest == "left" then return 0, count - 1 end
  return -count, -1
end

--- What tells a list from itself after a push: what is found in a later pass was pushed since, and is another item.
local function likeness(p, key, length)
  local newest = redis.call("LINDEX", key, p.newest == "left" and 0 or -1)
  return length .. " " .. redis.sha1hex(newest or "")
end

return task {
  params = {
    pattern    = { type = "glob", list = true, required = true, help = "which lists, such as log:*" },
    everything = { type = "boolean", default = false, help = "take a pattern that every key matches" },
    keep       = { type = "integer", required = true, help = "this many of the newest stay in each list" },
    newest     = { type = "enum", default = "left", values = { "left", "right" },
      help = "the end where elements are pushed" },
  },

  find = function(p, emit)
    keys.require_narrow(p)
    if p.keep < 1 then error("keep must be at least 1; to delete lists, use keys/delete", 0) end
    for key in scan.keys { match = p.pattern, type = "list" } do
      local length = redis.call("LLEN", key)
      local rest, found = length, length > p.keep and likeness(p, key, length)
      while rest > p.keep do
        rest = math.max(p.keep, rest - step)
        emit(key, tostring(rest), found)
      end
    end
  end,

  each = function(p, key, rest)
    local kind = redis.call("TYPE", key).ok
    if kind == "none" then return "gone" end
    if kind ~= "list" then return "kept", "it is a " .. kind end
    local library = owner.of(key, kind)
    if library then return "kept", "it belongs to " .. library end
    if redis.call("LLEN", key) <= tonumber(rest) then return "gone" end
    redis.call("LTRIM", key, range(p, tonumber(rest))) -- right for any length that the list has by then
    return "trimmed"
  end,
}
