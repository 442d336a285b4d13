--- Lets delayed Bee-Queue jobs whose time has come wait for a worker.
---
--- Only workers with `activateDelayedJobs` do this themselves: without one, delayed jobs wait for ever. Each goes to
--- the left end of `waiting`, the longest overdue first (raiseDelayedJobs.lua).
---
--- For Bee-Queue 1 and 2, while workers run. Never touched: jobs that are not due, a job's data and options.
--- Runs inside Redis only: all jobs share one hash, so that no other engine could tell whether one has changed.
---
--- The library's script raises all of them at once, and also ids without a job.
local bee = require "lib.bee"

return task {
  atomic = true,

  params = {
    prefix     = { type = "string",   default = "bq",  help = "key prefix of the queues" },
    queues     = { type = "glob",     default = "*",   help = "which queues, by name" },
    overdue_by = { type = "duration", default = "30s", help = "how long a job must be overdue at least" },
  },

  find = function(p, emit)
    for queue, id in bee.overdue(bee.queues(p, emit), p.now - p.overdue_by) do emit(queue, id) end
  end,

  each = function(p, queue, id)
    if not id then return bee.unknown() end
    return bee.promote(queue, id, p.now - p.overdue_by)
  end,
}
