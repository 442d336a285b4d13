--- Keeps the newest 100 completed jobs of each BullMQ queue, and removes the others.
---
--- Instead of the runbook's `LTRIM "bull:<queue>:completed" 0 100`. That one fails with WRONGTYPE, for `completed` is a
--- sorted set and never was a list; where the queue has no completed jobs it says OK and does nothing. On a list it
--- would have kept 101, and left the hashes of all the others, where the memory is.
---
--- For BullMQ 3, 4, 5 and 6, while workers run. Never touched: jobs in any other state, schedulers, metrics, events,
--- parents. To go by age, `runbook/remove-completed`; for failed jobs, `bullmq/clean`.
local bullmq = require "lib.bullmq"

return task {
  params = {
    prefix = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob", default = "*", help = "which queues, by name" },
    keep   = { type = "integer", default = 100, help = "this many of the newest stay in each queue" },
  },

  find = function(p, emit)
    for queue in bullmq.queues(p) do
      for id in bullmq.finished_before(queue, "completed", p.now, p.keep) do emit(queue, id) end
    end
  end,

  each = function(p, queue, id) return bullmq.remove_finished(queue, "completed", id, p.now, p.keep) end,
}
