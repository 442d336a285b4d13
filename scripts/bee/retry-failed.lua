--- Gives failed Bee-Queue jobs another attempt: those created `since` a time, with an error like `error`.
---
--- Each goes to the left end of `waiting`, as Job.retry() has it (job.js); it has used up its `retries`, so that it
--- gets one attempt. There is no finish time: `since` is compared with the time of creation, or with the time at which
--- a delayed job was due; `error` with the newest of its stack traces. `--limit` and `--rate` bound a run.
---
--- For Bee-Queue 1 and 2, while workers run. Never touched: jobs in any other state, a job's data and options.
--- Runs inside Redis only: all jobs share one hash, so that no other engine could tell whether one has changed.
---
--- Unlike Job.retry(), which also pushes a job that is not in `failed` (any more), it moves only those that are.
local bee = require "lib.bee"

return task {
  atomic = true,

  params = {
    prefix = { type = "string", default = "bq", help = "key prefix of the queues" },
    queues = { type = "glob",   default = "*",  help = "which queues, by name" },
    since  = { type = "time",                   help = "only jobs that were created or due then or later" },
    error  = { type = "glob",   default = "*",  help = "only jobs whose newest stack trace is like this" },
  },

  find = function(p, emit)
    for queue, id in bee.failed(bee.queues(p, emit), p.since, p.error) do emit(queue, id) end
  end,

  each = function(_, queue, id)
    if not id then return bee.unknown() end
    return bee.retry(queue, id)
  end,
}
