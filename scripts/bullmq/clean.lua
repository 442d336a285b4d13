--- Removes completed or failed BullMQ jobs that finished more than `older_than` ago.
---
--- With each job go its hash, its logs, its flow bookkeeping and the deduplication key that still names
--- it; its entry in the index goes last. A job that finished exactly `older_than` ago stays. A job that
--- a waiting parent still depends on is kept: BullMQ's own clean would delete or release that parent.
---
--- For BullMQ 3, 4, 5 and 6, while workers run. Never touched: jobs in any other state, schedulers,
--- metrics, events, parents.
local bullmq = require "lib.bullmq"

return task {
  params = {
    prefix     = { type = "string",   default = "bull",      help = "key prefix of the queues" },
    queues     = { type = "glob",     default = "*",         help = "which queues, by name" },
    state      = { type = "enum",     default = "completed", values = { "completed", "failed" },
                   help = "which finished jobs" },
    older_than = { type = "duration", default = "7d",        help = "age since the job finished" },
    keep       = { type = "integer",  default = 0,           help = "this many of the newest stay in each queue" },
  },

  find = function(p, emit)
    for queue in bullmq.queues(p) do
      for id in bullmq.finished_before(queue, p.state, p.now - p.older_than, p.keep) do
        emit(queue, id)
      end
    end
  end,

  each = function(p, queue, id)
    return bullmq.remove_finished(queue, p.state, id, p.now - p.older_than, p.keep)
  end,
}
