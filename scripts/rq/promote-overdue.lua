--- Queues the scheduled RQ jobs whose time has come: enqueue_at, enqueue_in, and retries after an interval.
---
--- As RQ's scheduler would, at the head of the queue for those that ask for it. RQ itself does it only where a
--- worker runs with --with-scheduler; as long as a scheduler lives (it holds a lock of a minute) its queues are
--- left to it, because beside it a job could be queued twice.
---
--- For RQ 1 and 2, while workers run, in either engine. Never touched: jobs of rq-scheduler, entries without a job,
--- and jobs whose time has not come. Facts from scheduler.py and queue.py.
local rq = require "lib.rq"
local rq_scheduled = require "lib.rq_scheduled"

return task {
  params = {
    prefix     = { type = "string",   default = "rq", help = "what all keys begin with" },
    queues     = { type = "glob",     default = "*",  help = "which queues, by name" },
    overdue_by = { type = "duration", default = "0s", help = "those whose time came at least so long ago" },
  },

  find = function(p, emit)
    for queue in rq.queues(p) do
      for id in rq_scheduled.overdue(p, queue) do emit(queue, id) end
    end
  end,

  each = function(p, queue, id)
    return rq_scheduled.promote(p, queue, id)
  end,
}
