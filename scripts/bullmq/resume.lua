--- Resumes the BullMQ queues that `bullmq/pause` has paused; with `all`, whoever paused them.
---
--- `queue.resume()` of BullMQ 3, 4 and 5 renames `paused` to `wait`, over the jobs that came to `wait` meanwhile;
--- here both are put together, the older jobs next in turn, in steps of 1,000 where one rename cannot do it. The
--- workers start with the last step. A run that is cut off loses nothing, and the next one completes it. A queue that
--- others resumed after our pause is no longer remembered as ours, once this has run; jobs that were left in `paused`
--- of a queue that is not paused are put back to `wait`.
---
--- For BullMQ 3, 4, 5 and 6, while workers run. Needs Redis 6.2. Never touched: queues that others have paused
--- (unless `all`), jobs themselves, delayed and prioritized ones, schedulers.
local bullmq = require "lib.bullmq"
local pause = require "lib.bullmq_pause"

return task {
  params = {
    prefix = { type = "string",  default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob",    default = "*",    help = "which queues, by name" },
    all    = { type = "boolean", default = false,  help = "also the queues that others have paused" },
  },

  find = function(p, emit)
    for queue in bullmq.queues(p) do
      for number = 1, pause.steps_back(queue) do emit(queue, tostring(number)) end
    end
  end,

  each = function(p, queue, _)
    return pause.resume(p, queue)
  end,
}
