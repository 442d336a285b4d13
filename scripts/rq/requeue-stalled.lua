--- Gives back the RQ jobs of workers that died: retried if they have retries left, else failed.
---
--- A job is taken for stalled by RQ's own rule: the deadline of its heartbeat in `wip` has passed. What follows is
--- what StartedJobRegistry.cleanup does, which any worker does every 10 minutes or more rarely, if there is one:
--- one retry is used, at once or after its interval, or else the job moves to the failed registry for as long as
--- its failure_ttl says; jobs that waited for it and allow its failure are queued. A job that RQ 1.14 or later took
--- and never started (its intermediate queue) goes back to the head of its queue once it was seen there a minute
--- ago, by an earlier run or by RQ.
---
--- Better than the library: while a worker cleans a queue, and while this runs, the other is kept off by RQ's lock,
--- so that nothing is queued twice; an entry whose job is no longer started (enqueued again by hand) or runs
--- elsewhere is only dropped, where RQ would run or fail the job once more; a job that was never started is not
--- failed.
---
--- For RQ 1 and 2, told apart by what is in `wip`, while workers run, in either engine. Never touched: jobs whose
--- heartbeat is in time, and in RQ 2 those with a failure callback, which only a worker can run. Facts from
--- registry.py, job.py, queue.py and intermediate_queue.py.
local rq = require "lib.rq"
local rq_started = require "lib.rq_started"

return task {
  params = {
    prefix = { type = "string", default = "rq", help = "what all keys begin with" },
    queues = { type = "glob",   default = "*",  help = "which queues, by name" },
  },

  find = function(p, emit)
    for queue in rq.queues(p) do
      for entry in rq_started.overdue(p, queue) do emit("started", queue, entry) end
      for id in rq_started.taken(p, queue) do emit("taken", queue, id) end
    end
  end,

  each = function(p, kind, queue, entry)
    if kind == "started" then return rq_started.recover(p, queue, entry) end
    return rq_started.give_back(p, queue, entry)
  end,
}
