--- Lists the BullMQ queues.
---
--- Instead of the runbook's `KEYS "bull:*:id"`, which stops Redis, misses queues that were opened but never fed, and
--- also matches jobs whose id ends with `:id`. Here a queue is a hash `<prefix>:<queue>:meta` with a version in it.
local bullmq = require "lib.bullmq"
local finding = require "lib.finding"

return check {
  params = {
    prefix = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob", default = "*", help = "which queues, by name" },
  },

  run = function(p)
    local findings = {}
    for queue in bullmq.queues(p) do
      local version = redis.call("HGET", queue .. "meta", "version")
      findings[#findings + 1] = finding.ok(queue:sub(1, -2), version or "no version stored")
    end
    if #findings == 0 then findings[1] = finding.ok("queues", "none with this prefix") end
    return findings
  end,
}
