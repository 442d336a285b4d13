--- Puts failed RQ jobs back into their queues: those that failed since a time, or with a certain error.
---
--- Each goes to the end of its queue as registry.requeue has it, the oldest first: its result of last time stays,
--- its retries are not renewed. Jobs that fail again during the run are left for the next one. The error is the
--- whole traceback, so a pattern for its end is like `*ConnectionError: *`. `--limit` and `--rate` bound the run.
---
--- Better than the library: an entry that disappears meanwhile is never queued as well (RQ takes it out and changes
--- the job later, in two steps).
---
--- For RQ 1 and 2, while workers run, in either engine. Never touched: entries without a job, jobs that are at work
--- again, and the payload of a job. Facts from registry.py, queue.py and results.py.
local rq = require "lib.rq"
local rq_ended = require "lib.rq_ended"

return task {
  params = {
    prefix = { type = "string", default = "rq", help = "what all keys begin with" },
    queues = { type = "glob",   default = "*",  help = "which queues, by name" },
    since  = { type = "time",                   help = "those that failed since then; all if not given" },
    error  = { type = "glob",   default = "*",  help = "those whose traceback is like this" },
  },

  find = function(p, emit)
    for queue in rq.queues(p) do
      for id in rq_ended.failures(p, queue) do emit(queue, id) end
    end
  end,

  each = function(p, queue, id)
    return rq_ended.retry(p, queue, id)
  end,
}
