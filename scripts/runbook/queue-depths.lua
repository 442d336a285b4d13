--- Tells how many jobs wait in each BullMQ queue, and for how long the next one has.
---
--- Instead of the runbook's `LLEN "bull:<queue>:wait"`, one line a queue. On a paused queue of BullMQ 3 to 5 that says
--- 0, it never counts prioritized jobs (BullMQ 4 and newer), and counts the markers of BullMQ 3 and 4 as jobs.
--- A depth that does not fall is told by running it twice.
local clock = require "lib.clock"
local depth = require "lib.bullmq_depth"
local finding = require "lib.finding"

local function describe(count, age)
  local value = string.format("%.0f waiting", count)
  return age and value .. ", the next one for " .. finding.seconds(math.max(0, age) / 1000) or value
end

return check {
  params = {
    prefix = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob", default = "*", help = "which queues, by name" },
    warn   = { type = "integer", default = 1000, help = "depth that warns" },
  },

  run = function(p)
    local now = clock.now()
    return depth.of_queues(p, function(queue, name)
      local count, age = depth.waiting(queue, now)
      if count <= p.warn then return { finding.ok(name, describe(count, age)) } end
      return { finding.warning(name, describe(count, age), string.format("%.0f", p.warn),
        "are there workers? CLIENT LIST shows them; are they slower than what comes in?") }
    end)
  end,
}
