--- Reports what is left over in Bee-Queue queues, and with `repair` removes it.
---
--- Leftovers are: ids in a list or set that have no entry in `jobs` (a worker that takes one leaves it in `active` for
--- ever, and every check puts it back to wait); entries in `jobs` that no list or set names. Everything is looked at
--- twice, `grace` apart, the second time together with its removal. What becomes of an entry that has not finished,
--- which was lost, or whose removal was cut off, is for `lost` to say.
---
--- For Bee-Queue 1 and 2, while workers run. Needs Redis 6.0.6. Never touched: `jobs` as a whole, entries of an unknown
--- form, `id`. Where more than a million jobs wait, an entry that nothing seems to name is left alone.
--- Runs inside Redis only: all jobs share one hash, so that no other engine could tell whether one has changed.
local bee = require "lib.bee"
local orphans = require "lib.bee_orphans"

return task {
  atomic = true,

  params = {
    prefix = { type = "string",   default = "bq",   help = "key prefix of the queues" },
    queues = { type = "glob",     default = "*",    help = "which queues, by name" },
    grace  = { type = "duration", default = "10s",  help = "time between the two looks" },
    repair = { type = "boolean",  default = false,  help = "remove what is found; otherwise it is only reported" },
    lost   = { type = "enum",     default = "keep", values = { "keep", "requeue", "remove" },
               help = "with repair: what becomes of unfinished jobs that nothing names" },
  },

  find = function(p, emit)
    for queue, kind, name in scan.after(p.grace, orphans.candidates(p, bee.queues(p, emit))) do
      emit(queue, kind, name)
    end
  end,

  each = function(p, queue, kind, name)
    if not kind then return bee.unknown() end
    return orphans.take(p, queue, kind, name)
  end,
}
