--- Finds what BullMQ queues have lost track of; with `repair`, removes it.
---
--- Reported are: job hashes that are in no index; entries of an index whose job has no hash; logs and flow
--- bookkeeping of jobs that do not exist; deduplication keys without a TTL that name such a job (and the next job
--- kept back behind them, as recoverStaleDeduplicationKey.lua discards it); keys that are not BullMQ's. What seems
--- lost is looked at again after `grace`, at one instant: `wait`, `paused` and `active` change too often for
--- anything less to be a proof, so this runs inside Redis. There it costs one search of these lists for each orphan
--- (some 4 ms for 100,000 waiting jobs); with more than `longest` jobs in them it is only reported. Memory stays
--- bounded: hashes are compared with the lists 100,000 at a time.
---
--- Unlike queue.removeOrphanedJobs (5.81, 6.7) it also sees jobs whose id contains `:`, or is `0` or `1` as the
--- members of `marker` are, entries of indexes, and deduplication keys; and leaves alone what that removes:
--- `metrics:failed`, jobs that a worker has locked, the job that a scheduler names as its next, parents with open
--- children, children that a parent waits for, and anything that merely is no job.
---
--- For BullMQ 3, 4, 5 and 6, while workers run; a queue whose version, keys or jobs are not known (BullMQ Pro's
--- groups) is reported and left alone. Never touched: schedulers, parents, relays, metrics, events, locks.
local bullmq = require "lib.bullmq"
local judge = require "lib.bullmq_judge"
local orphans = require "lib.bullmq_orphans"

return task {
  params = {
    prefix  = { type = "string",   default = "bull",  help = "key prefix of the queues" },
    queues  = { type = "glob",     default = "*",     help = "which queues, by name" },
    grace   = { type = "duration", default = "10s",   help = "time until the second look" },
    repair  = { type = "boolean",  default = false,   help = "remove them; else only report" },
    longest = { type = "integer",  default = 1000000, help = "the longest lists that are searched for a job" },
  },
  atomic = true,

  find = function(p, emit)
    for kind, queue, name, more in scan.after(p.grace, orphans.candidates(p, bullmq.queues(p))) do
      emit(kind, queue, name, more)
    end
  end,

  each = function(p, kind, queue, name, more)
    return judge(p, kind, queue, name, more)
  end,
}
