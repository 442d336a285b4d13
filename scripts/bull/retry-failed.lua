--- Gives failed Bull jobs another attempt: those that failed `since` a time, with a reason like `error`.
---
--- Each one goes back as job.retry() would put it (reprocessJob-6.lua): to the left end of `wait`, or of `paused`
--- where the queue is paused; `lifo` jobs to the right end; its attempts are kept, so that it gets one more. A job
--- that failed again meanwhile is left for the next run. `--limit` and `--rate` bound a run.
---
--- For Bull 3 and 4, while workers run. Never touched: jobs in any other state, locked jobs, stack traces.
--- Runs inside Redis only: the place of a prioritized job depends on the whole list `wait`, which working workers
--- change all the time.
---
--- Unlike the library, a job with a priority goes to its sorted place (job.retry() and retryJobs() put it last, and
--- no later prioritized job finds its right place then), and nothing is changed of a job that is not in `failed`.
local bull = require "lib.bull"
local waiting = require "lib.bull_waiting"

return task {
  atomic = true,

  params = {
    prefix = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob",   default = "*",    help = "which queues, by name" },
    since  = { type = "time",                     help = "only jobs that failed then or later" },
    error  = { type = "glob",   default = "*",    help = "only jobs whose failedReason is like this" },
  },

  find = function(p, emit)
    for queue, id, score in waiting.failed(bull.queues(p, emit), p.since, p.now, p.error) do
      emit(queue, id, score)
    end
  end,

  each = function(p, queue, id, score)
    if not id then return bull.unknown() end
    return waiting.retry(queue, id, score, p.now)
  end,
}
