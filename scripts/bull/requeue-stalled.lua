--- Puts Bull jobs whose worker died back to wait: next in turn, as the library's own check does.
---
--- A job counts as stalled if it is in `active` without a lock at two looks `grace` apart, and has neither been
--- taken nor moved in between: its lock ran out, and it is not on its way from `wait` to a worker. It is counted
--- as stalled once more; beyond `max_stalled` (the workers' `maxStalledCount`, which is stored nowhere) it goes to
--- `failed`, or away if its own `removeOnFail` says so. In a paused queue it goes to `paused`.
---
--- For Bull 3 and 4, while workers run. Never touched: jobs with a lock, other failed jobs, priorities.
---
--- The library (moveStalledJobsToWait-7.lua) needs a living worker and two of its checks; it also applies
--- `removeOnFail` to other failed jobs, all in one script, which is left to the next failure here.
local bull = require "lib.bull"
local waiting = require "lib.bull_waiting"

return task {
  params = {
    prefix      = { type = "string",   default = "bull", help = "key prefix of the queues" },
    queues      = { type = "glob",     default = "*",    help = "which queues, by name" },
    grace       = { type = "duration", default = "30s",  help = "time between the two looks; Bull's stalledInterval" },
    max_stalled = { type = "integer",  default = 1,      help = "how often a job may stall before it fails" },
  },

  find = function(p, emit)
    for queue, id, attempt in scan.after(p.grace, waiting.unlocked(bull.queues(p, emit))) do
      emit(queue, id, attempt)
    end
  end,

  each = function(p, queue, id, attempt)
    if not id then return bull.unknown() end
    return waiting.requeue(p, queue, id, attempt)
  end,
}
