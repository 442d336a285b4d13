--- Gives failed BullMQ jobs another attempt: those that failed since a time, or with an error that matches.
---
--- Each is moved as the library retries one job (reprocessJob.lua): to the end of the queue, or next out with `lifo`; a
--- job that had used all its attempts gets exactly one more, or all of them with `reset_attempts`. A child of a flow is
--- one again that its parent waits for (BullMQ 5, 6). That it is still the same failure is looked at again when the job
--- is moved. Use --limit and --rate to let a few through first.
---
--- What differs from BullMQ: priorities are kept. Its `retryJobs` puts prioritized jobs among those without a priority
--- in all versions, and in BullMQ 3 to 5 `job.retry` does so, too; `retryJobs` of BullMQ 3 to 5 leaves flows broken,
--- and ignores `lifo`. In BullMQ 3 a prioritized job is inserted at its place in the list, which takes as long as the
--- list is long, as it does when one is added.
---
--- For BullMQ 3, 4, 5 and 6, while workers run. Never touched: jobs in any other state, ids without a hash, parents
--- that have failed themselves (they are retried as jobs of their own), queues written by another program or a newer
--- BullMQ.
local bullmq = require "lib.bullmq"
local waiting = require "lib.bullmq_waiting"

return task {
  params = {
    prefix         = { type = "string",  default = "bull", help = "key prefix of the queues" },
    queues         = { type = "glob",    default = "*",    help = "which queues, by name" },
    since          = { type = "time",                      help = "only jobs that failed at this time or later" },
    error          = { type = "glob",    default = "*",    help = "only jobs whose error is like this" },
    reset_attempts = { type = "boolean", default = false,  help = "let them use all their attempts again" },
  },

  find = function(p, emit)
    for queue in bullmq.queues(p) do
      for id, score in waiting.failed_since(queue, p.since, p.now, p.error) do emit(queue, id, score) end
    end
  end,

  each = function(p, queue, id, score)
    return waiting.retry(queue, id, score, p.reset_attempts)
  end,
}
