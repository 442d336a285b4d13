--- Puts Bee-Queue jobs whose worker died back to wait, as the library's own check does.
---
--- Bee-Queue has no locks: a check marks all active jobs in `stalling`, and a living worker takes the mark of its jobs
--- away within half its `stallInterval`. A job that is marked and active when `stallBlock` has run out goes to the left
--- end of `waiting`, last in turn (checkStalledJobs.lua). What no check has marked is marked here, and found again in
--- the same run after `grace`, which must not be shorter than the longest `stallInterval` of the workers.
---
--- For Bee-Queue 1 and 2, while workers run. Needs Redis 6.0.6. Never touched: jobs whose mark has been taken away.
--- Runs inside Redis only: all jobs share one hash, so that no other engine could tell whether one has changed.
---
--- The library checks only when a worker starts, or where the application calls checkStalledJobs(); it takes all marked
--- jobs in one script, and those without an entry in `jobs` too, which no worker can run.
local bee = require "lib.bee"

return task {
  atomic = true,

  params = {
    prefix = { type = "string",   default = "bq",  help = "key prefix of the queues" },
    queues = { type = "glob",     default = "*",   help = "which queues, by name" },
    grace  = { type = "duration", default = "10s", help = "time for workers to object; at least their stallInterval" },
  },

  find = function(p, emit)
    for queue, action, id in bee.active(bee.queues(p, emit), "mark") do emit(queue, action, id) end
    for queue, action, id in scan.after(p.grace, bee.active(bee.queues(p, function() end), "requeue")) do
      emit(queue, action, id)
    end
  end,

  each = function(p, queue, action, id)
    if not action then return bee.unknown() end
    if action == "mark" then return bee.mark(queue, id, p.grace) end
    return bee.requeue(queue, id)
  end,
}
