--- Tells how many jobs of each BullMQ queue are being run, and since when the oldest of them.
---
--- Instead of the runbook's `LRANGE "bull:<queue>:active" 0 -1`, which lists all ids and says of none whether anybody
--- still runs it. Here the oldest entry's `processedOn` tells the time, and its lock whether its worker lives.
local clock = require "lib.clock"
local bullmq = require "lib.bullmq"
local depth = require "lib.bullmq_depth"
local finding = require "lib.finding"

--- The entry that has been in `active` for longest is at its right end.
local function oldest(queue, now)
  local id = redis.call("LINDEX", queue .. "active", -1)
  if not id or bullmq.is_pseudo(id) then return "" end
  local started, locked = unpack(pipelined {
    { "HGET", queue .. id, "processedOn" }, { "EXISTS", queue .. id .. ":lock" },
  })
  local since = started and ", the oldest for " .. finding.seconds(math.max(0, now - tonumber(started)) / 1000) or ""
  return since .. (locked == 0 and ", without a lock: see runbook/stalled-jobs" or "")
end

return check {
  params = {
    prefix = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob", default = "*", help = "which queues, by name" },
  },

  run = function(p)
    local now = clock.now()
    return depth.of_queues(p, function(queue, name)
      local count = redis.call("LLEN", queue .. "active")
      return { finding.ok(name, string.format("%.0f active", count) .. oldest(queue, now)) }
    end)
  end,
}
