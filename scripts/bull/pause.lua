--- Pauses Bull queues: workers end the jobs that they run, and take no further ones.
---
--- The library's own switch, without its losses: queue.pause() renames `wait` to `paused`, over what is there
--- (pause-5.lua), so that a job which was pushed in between is lost. Here both lists are put together, in their order.
--- Long ones are renamed, or moved in steps of 1,000; a run that is cut off loses nothing, and the next one completes
--- it. `bull/resume` knows the queues that were paused by this task. Jobs that come to `wait` in spite of the pause
--- (pushed by hand), which workers would run, are moved aside when it is run again.
---
--- For Bull 3 and 4, while workers run; it does not wait for the running jobs: `active` is empty once they have
--- ended. Needs Redis 6.2. Never touched: jobs themselves, delayed ones, repeatable jobs, pauses of others.
local bull = require "lib.bull"
local pause = require "lib.bull_pause"

return task {
  params = {
    prefix = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob",   default = "*",    help = "which queues, by name" },
  },

  find = function(p, emit)
    for queue in bull.queues(p, emit) do
      for number = 1, pause.steps(queue) do emit(queue, tostring(number)) end
    end
  end,

  each = function(_, queue, number)
    if not number then return bull.unknown() end
    return pause.pause(queue)
  end,
}
