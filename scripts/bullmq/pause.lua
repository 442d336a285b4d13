--- Pauses BullMQ queues: workers end the jobs that they run, and take no further ones.
---
--- The library's own switch, without its losses: `queue.pause()` of BullMQ 3, 4 and 5 renames `wait` to `paused`,
--- over what is there, so that pausing twice, or a job that was pushed in between, loses jobs. Here both lists
--- are put together, in their order. Long ones are renamed, or moved in steps of 1,000; a run that is cut off loses
--- nothing, and the next one completes it. What was not paused before is remembered in the queue's `meta`, for
--- `bullmq/resume`. Jobs that come to `wait` in spite of the pause (pushed by hand, or by another version of the
--- library) are moved aside when it is run again; BullMQ 3 and 4 would run them.
---
--- For BullMQ 3, 4, 5 and 6, while workers run; it does not wait for the running jobs: `active` is empty once they
--- have ended. Needs Redis 6.2. Never touched: jobs themselves, delayed and prioritized ones, schedulers.
local bullmq = require "lib.bullmq"
local pause = require "lib.bullmq_pause"

return task {
  params = {
    prefix = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob",   default = "*",    help = "which queues, by name" },
  },

  find = function(p, emit)
    for queue in bullmq.queues(p) do
      for number = 1, pause.steps(queue) do emit(queue, tostring(number)) end
    end
  end,

  each = function(p, queue, number)
    return pause.pause(p, queue, number)
  end,

  verify = function(p)
    return pause.holds(p)
  end,
}
