--- Removes succeeded or failed Bee-Queue jobs that were created more than `older_than` ago.
---
--- Bee-Queue stores no finish time: the age is that of `options.timestamp`, or of the time a delayed job was due if
--- that is later, so that a job may have finished later than it seems. The set has no order either, so there is no
--- `keep`. A job's entry in `jobs` and its id in the set go together. A job that waits for another attempt stays.
---
--- For Bee-Queue 1 and 2, while workers run. Needs Redis 6.0.6. Never touched: jobs in any other state.
--- Runs inside Redis only: all jobs share one hash, so that no other engine could tell whether one has changed.
---
--- Bee-Queue has no operation of its own for this but removeJob.lua for each job, whatever became of it meanwhile.
local bee = require "lib.bee"

return task {
  atomic = true,

  params = {
    prefix     = { type = "string",   default = "bq",        help = "key prefix of the queues" },
    queues     = { type = "glob",     default = "*",         help = "which queues, by name" },
    state      = { type = "enum",     default = "succeeded", values = { "succeeded", "failed" },
                   help = "which finished jobs" },
    older_than = { type = "duration", default = "7d",        help = "age since the job was created or due" },
  },

  find = function(p, emit)
    for queue, id in bee.started_before(bee.queues(p, emit), p.state, p.now - p.older_than) do
      emit(queue, id)
    end
  end,

  each = function(p, queue, id)
    if not id then return bee.unknown() end
    return bee.remove_finished(queue, p.state, id, p.now - p.older_than)
  end,
}
