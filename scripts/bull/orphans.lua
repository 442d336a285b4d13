--- Reports what is left over in Bull queues, and with `repair` removes it.
---
--- Leftovers are: entries of an index that name no job; jobs that no index names; fields that were written of a job
--- after its removal; logs without their job; debounce keys without a TTL whose job is gone (nothing can be added
--- under their name); jobs that are gone and still slow the rate limiter down. They come from `queue.empty()`,
--- `removeJobs()`, `obliterate()`, from pausing a paused queue, and from processes that were killed.
--- Everything is looked at twice, `grace` apart, and the second time together with its removal. A job that has not
--- finished and that no index names was lost, or its removal was cut off: what becomes of it is for `lost` to say.
---
--- For Bull 3 and 4, while workers run. Never touched: repeatable jobs, metrics, locks, debounce windows with a TTL,
--- anything of a queue of another library. Where more than a million jobs wait, a job that no index seems to name is
--- left alone.
local bull = require "lib.bull"
local orphans = require "lib.bull_orphans"

return task {
  params = {
    prefix = { type = "string",   default = "bull", help = "key prefix of the queues" },
    queues = { type = "glob",     default = "*",    help = "which queues, by name" },
    grace  = { type = "duration", default = "10s",  help = "time between the two looks" },
    repair = { type = "boolean",  default = false,  help = "remove what is found; otherwise it is only reported" },
    lost   = { type = "enum",     default = "keep", values = { "keep", "requeue", "remove" },
               help = "with repair: what becomes of unfinished jobs that no index names" },
  },

  find = function(p, emit)
    for queue, kind, name in scan.after(p.grace, orphans.candidates(p, emit)) do
      emit(queue, kind, name)
    end
  end,

  each = function(p, queue, kind, name)
    if not kind then return bull.unknown() end
    return orphans.take(p, queue, kind, name)
  end,
}
