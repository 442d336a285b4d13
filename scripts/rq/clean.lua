--- Removes RQ jobs that finished, failed or were canceled more than `older_than` ago.
---
--- What counts is when the job itself says it ended (`ended_at`): the scores of RQ's registries are when a job
--- expires, and with a result_ttl or failure_ttl of -1 nothing ever does. With each job go its hash, its results
--- (which RQ's own Job.delete leaves behind), what it depended on and its name among the dependents of those jobs;
--- its entry in the registry goes last. A job that ended exactly `older_than` ago stays. Kept are jobs that
--- another, deferred job waits for, jobs that were enqueued again or repeat (RQ 2 and rq-scheduler), and jobs of which
--- nothing tells when they ended (cut off, with a failure_ttl of -1). Entries of jobs that have expired go too, as
--- registry.cleanup has it, once they expired `older_than` ago.
---
--- For RQ 1 and 2, while workers run, in either engine. Never touched: jobs in any other state, queues, schedules,
--- workers, and the payload of a job. Facts from registry.py, job.py and results.py.
local rq = require "lib.rq"
local rq_ended = require "lib.rq_ended"

return task {
  params = {
    prefix     = { type = "string",   default = "rq",       help = "what all keys begin with" },
    queues     = { type = "glob",     default = "*",        help = "which queues, by name" },
    state      = { type = "enum",     default = "finished", values = { "finished", "failed", "canceled" },
                   help = "which jobs" },
    older_than = { type = "duration", default = "7d",       help = "age since the job ended" },
    keep       = { type = "integer",  default = 0,          help = "this many of the newest stay in each queue" },
  },

  find = function(p, emit)
    for queue in rq.queues(p) do
      for id, limit in rq_ended.before(p, queue, p.state, p.now - p.older_than, p.keep) do
        emit(queue, id, limit)
      end
    end
  end,

  each = function(p, queue, id, limit)
    return rq_ended.remove(p, queue, p.state, id, math.min(tonumber(limit), p.now - p.older_than), p.keep)
  end,
}
