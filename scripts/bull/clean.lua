--- Removes completed or failed Bull jobs that finished more than `older_than` ago.
---
--- With each job go its hash, its log, what the rate limiter still knows of it, and a debounce key without a
--- TTL that still names it; its entry in the index goes last. A job that finished exactly `older_than` ago
--- stays, and so does a job that a worker has locked.
---
--- For Bull 3 and 4, while workers run. Never touched: jobs in any other state, repeatable jobs, metrics,
--- debounce windows. A queue of Bull before 3, where `completed` was a set, is reported and left alone.
---
--- Bull's own clean (cleanJobsInSet-3.lua) differs: it takes a whole state in one script; an index entry without
--- a job is judged by the job that came before it; timestamps are compared as text; and with a limit it chooses by
--- the index, without one by the job. Here both must agree that a job is old.
local bull = require "lib.bull"

return task {
  params = {
    prefix     = { type = "string",   default = "bull",      help = "key prefix of the queues" },
    queues     = { type = "glob",     default = "*",         help = "which queues, by name" },
    state      = { type = "enum",     default = "completed", values = { "completed", "failed" },
                   help = "which finished jobs" },
    older_than = { type = "duration", default = "7d",        help = "age since the job finished" },
    keep       = { type = "integer",  default = 0,           help = "this many of the newest stay in each queue" },
  },

  find = function(p, emit)
    for queue in bull.queues(p, emit) do
      for id in bull.finished_before(queue, p.state, p.now - p.older_than, p.keep) do
        emit(queue, id)
      end
    end
  end,

  each = function(p, queue, id)
    if not id then return bull.unknown() end
    return bull.remove_finished(queue, p.state, id, p.now - p.older_than, p.keep)
  end,
}
