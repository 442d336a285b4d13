--- Tells how many delayed BullMQ jobs should have been run by now.
---
--- Instead of the runbook's `ZRANGEBYSCORE "bull:<queue>:delayed" 0 $(date +%s%3N)`, which is always empty: a score is
--- the time in ms times 4096. Only workers promote delayed jobs, so overdue ones mean that none is alive, or that none
--- keeps up. The clock is Redis's own, not that of the host where you type. `bullmq/promote-overdue` moves them.
local clock = require "lib.clock"
local depth = require "lib.bullmq_depth"
local finding = require "lib.finding"

local function score(time) return string.format("%.0f", (time + 1) * 4096 - 1) end

return check {
  params = {
    prefix     = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues     = { type = "glob", default = "*", help = "which queues, by name" },
    overdue_by = { type = "duration", default = "10s", help = "how long overdue at least" },
  },

  run = function(p)
    local now = clock.now()
    return depth.of_queues(p, function(queue, name)
      local delayed, overdue, first = unpack(pipelined {
        { "ZCARD", queue .. "delayed" }, { "ZCOUNT", queue .. "delayed", "-inf", score(now - p.overdue_by) },
        { "ZRANGE", queue .. "delayed", 0, 0, "WITHSCORES" },
      })
      local value = string.format("%.0f of %.0f delayed", overdue, delayed)
      if overdue == 0 then return { finding.ok(name, value) } end
      local late = now - tonumber(first[2]) / 4096
      return { finding.warning(name, value .. ", the first by " .. finding.seconds(late / 1000), "0",
        "is a worker alive? if not, bullmq/promote-overdue moves them") }
    end)
  end,
}
