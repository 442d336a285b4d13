--- Resumes the Bull queues that `bull/pause` has paused; with `all`, whoever paused them.
---
--- queue.resume() renames `paused` to `wait`, over the jobs that came to `wait` meanwhile (pause-5.lua); here both are
--- put together, the older jobs next in turn, in steps of 1,000 where one rename cannot do it. A run that is cut off
--- loses nothing, and the next one completes it: jobs that are left in `paused` of a queue that is not paused, where
--- nothing would ever take them, are put back to `wait`.
---
--- For Bull 3 and 4, while workers run. Needs Redis 6.2. Never touched: queues that others have paused (unless
--- `all`), jobs themselves, delayed ones, repeatable jobs.
local bull = require "lib.bull"
local pause = require "lib.bull_pause"

return task {
  params = {
    prefix = { type = "string",  default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob",    default = "*",    help = "which queues, by name" },
    all    = { type = "boolean", default = false,  help = "also the queues that others have paused" },
  },

  find = function(p, emit)
    for queue in bull.queues(p, emit, "or paused") do
      for number = 1, pause.steps_back(queue, p.all) do emit(queue, tostring(number)) end
    end
  end,

  each = function(p, queue, number)
    if not number then return bull.unknown() end
    return pause.resume(queue, p.all)
  end,
}
