--- Lets delayed Bull jobs whose time has come wait for a worker.
---
--- Bull's workers do this themselves: jobs that are overdue for long show that no worker has been alive, and the
--- next one would promote 1,000 of them at a time. Each goes to the left end of `wait` (of `paused` where the queue
--- is paused), or to the place of its priority, the longest overdue first (promote-5.lua).
---
--- For Bull 3 and 4, while workers run. Never touched: jobs that are not due, the list of repeatable jobs.
--- Runs inside Redis only: the place of a prioritized job depends on the whole list `wait`, which working workers
--- change all the time.
---
--- Unlike the library's own updateDelaySet-6.lua, a job that is due in this very millisecond is promoted, and no
--- hash is made for an entry without one.
local bull = require "lib.bull"
local waiting = require "lib.bull_waiting"

return task {
  atomic = true,

  params = {
    prefix     = { type = "string",   default = "bull", help = "key prefix of the queues" },
    queues     = { type = "glob",     default = "*",    help = "which queues, by name" },
    overdue_by = { type = "duration", default = "30s",  help = "how long a job must be overdue at least" },
  },

  find = function(p, emit)
    for queue, id in waiting.overdue(bull.queues(p, emit), p.now - p.overdue_by) do
      emit(queue, id)
    end
  end,

  each = function(p, queue, id)
    if not id then return bull.unknown() end
    return waiting.promote(queue, id, p.now - p.overdue_by)
  end,
}
