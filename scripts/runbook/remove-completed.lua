--- Removes completed BullMQ jobs that finished more than 7 days ago.
---
--- Instead of the runbook's `EVAL "KEYS 'bull:*:completed' ... LRANGE ... DEL"`. That one fails with WRONGTYPE and
--- removes nothing: `completed` is a sorted set, and its pattern also matches the hash of the metrics. Repaired, it still
--- builds its keys from ids that are no part of a key, goes by `processedOn`, when the last attempt began, leaves
--- every index entry, log and flow key behind, knows only the prefix `bull`, and stops Redis for as long as it takes.
--- This is `bullmq/clean` for completed jobs.
---
--- For BullMQ 3, 4, 5 and 6, while workers run. Never touched: jobs in any other state, schedulers, metrics, events,
--- parents.
local bullmq = require "lib.bullmq"

return task {
  params = {
    prefix     = { type = "string",   default = "bull", help = "key prefix of the queues" },
    queues     = { type = "glob",     default = "*",    help = "which queues, by name" },
    older_than = { type = "duration", default = "7d",   help = "age since the job finished" },
  },

  find = function(p, emit)
    for queue in bullmq.queues(p) do
      for id in bullmq.finished_before(queue, "completed", p.now - p.older_than, 0) do emit(queue, id) end
    end
  end,

  each = function(p, queue, id)
    return bullmq.remove_finished(queue, "completed", id, p.now - p.older_than, 0)
  end,
}
