--- Puts BullMQ jobs back to wait whose worker has died.
---
--- A job counts as stalled if it is in `active` without a lock, and after `grace` still is, in the same attempt: a
--- worker of BullMQ 3 or 4 holds a job for a moment before it locks it. That is looked at again when the job is moved,
--- as are the pause and the limit of stalls. It is the next one out then, as BullMQ has it (moveStalledJobsToWait.lua,
--- checkStalledJobs.lua): with its count of stalls, the events `waiting` and `stalled`, and a marker for idle workers.
--- One that stalled more than `max_stalled` times goes to `failed` (BullMQ 3, 4) or is failed by the next worker
--- without being run (5, 6), unless a scheduler made it.
---
--- What differs from BullMQ: it needs no worker alive, and two looks of its own instead of two checks of theirs. A
--- prioritized job of BullMQ 4 to 6 goes back among the prioritized ones, first of its priority, and not in front of
--- all. A job that goes to `failed` stays there, whatever its `removeOnFail`: what killed its workers can be looked at.
--- Where `max_stalled` is reached and workers are older than BullMQ 5.50, which fail such a job themselves, it is left
--- to them. A marker of BullMQ 3 or 4 that died with its worker is removed.
---
--- For BullMQ 3, 4, 5 and 6, while workers run. Never touched: jobs with a lock, jobs in any other state, ids without a
--- hash, queues written by another program or a newer BullMQ.
local stalled = require "lib.bullmq_stalled"

return task {
  params = {
    prefix      = { type = "string",   default = "bull", help = "key prefix of the queues" },
    queues      = { type = "glob",     default = "*",    help = "which queues, by name" },
    grace       = { type = "duration", default = "30s",  help = "how long without a lock at least; stalledInterval" },
    max_stalled = { type = "integer",  default = 1,      help = "how often a job may stall; maxStalledCount" },
  },

  find = function(p, emit)
    for queue, id, attempt in scan.after(p.grace, stalled.candidates(p)) do emit(queue, id, attempt) end
  end,

  each = function(p, queue, id, attempt)
    return stalled.requeue(queue, id, attempt, p.max_stalled, p.now)
  end,
}
