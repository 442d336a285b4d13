--- The names of BullMQ's keys, 3 to 6, and whose they are.
local layout = {}

layout.lists = { "wait", "paused", "active" }
layout.zsets = { "completed", "failed", "delayed", "prioritized", "waiting-children", "priority" }

--- The keys of one job besides its hash, and their types (removeJobKeys.lua).
layout.sub_key_types = {
  logs = "list", dependencies = "set", processed = "hash", failed = "hash", unsuccessful = "zset",
}

--- `bull:a:`, `bull:a:b:` for `bull:a:b:17`, with what is left of the key: BullMQ 3 and 4 allow colons in names and
-- all in ids, so any of them may be the queue.
function layout.splits(key)
  local at = 0
  return function()
    at = key:find(":", at + 1, true)
    if at then return key:sub(1, at), key:sub(at + 1) end
  end
end

--- Whether another queue lives below this one, and the key is that one's: a queue of Bull or BullMQ that is
-- called `a:b` has keys that look like those of jobs `b:17` of a queue `a`. (`failed` may be a job's own.)
function layout.is_of_queue_below(queue, rest)
  for below in layout.splits(rest) do
    local base = queue .. below
    if redis.call("EXISTS", base .. "id", base .. "meta", base .. "wait", base .. "active", base .. "completed",
        base .. "delayed", base .. "events") > 0 then
      return true
    end
  end
  return false
end

return layout
