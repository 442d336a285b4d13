--- Lets delayed BullMQ jobs wait for a worker whose time has come more than `overdue_by` ago.
---
--- Only workers do that (promoteDelayedJobs.lua), whenever they fetch a job, so what is overdue for long shows that
--- none did. Such jobs do not count as waiting, and nobody is told of them. They are moved in the order of their times,
--- to the place that workers give them, prioritized ones by their priority, with their events and a marker for idle
--- workers. That a job is still delayed until the same time is looked at again when it is moved. The job of a scheduler
--- is moved like any other: the worker that takes it adds the next one.
---
--- What differs from BullMQ: its `promoteJobs` moves all delayed jobs, due or not, and drops priorities; an id without
--- a hash is left alone, while a worker makes a job of it that has nothing but a delay. In BullMQ 3 a prioritized job
--- is inserted at its place in the list, which takes as long as the list is long, as it does when one is added.
---
--- For BullMQ 3, 4, 5 and 6, while workers run. Never touched: jobs whose time has not come, schedulers, ids without a
--- hash, queues written by another program or a newer BullMQ.
local bullmq = require "lib.bullmq"
local waiting = require "lib.bullmq_waiting"

return task {
  params = {
    prefix     = { type = "string",   default = "bull", help = "key prefix of the queues" },
    queues     = { type = "glob",     default = "*",    help = "which queues, by name" },
    overdue_by = { type = "duration", default = "30s",  help = "how long a job must be overdue" },
  },

  find = function(p, emit)
    for queue in bullmq.queues(p) do
      for id, score in waiting.overdue(queue, p.now - p.overdue_by) do emit(queue, id, score) end
    end
  end,

  each = function(_, queue, id, score)
    return waiting.promote(queue, id, score)
  end,
}
