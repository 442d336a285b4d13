--- Suspends all RQ workers for `duration`, by RQ's own switch; it ends by itself.
---
--- A job that runs is finished. A worker that is idle does not look at the switch before it has run one more job:
--- each such worker still takes one. A suspension that is there already stays as it is, whoever made it; only our
--- own is prolonged.
---
--- For RQ 1 and 2, while workers run, in either engine. Never touched: anything but the key `suspended`, and that
--- not if somebody else has set it. Facts from suspension.py.
local rq_suspension = require "lib.rq_suspension"

return task {
  params = {
    prefix   = { type = "string",   default = "rq", help = "what all keys begin with" },
    duration = { type = "duration", default = "1h", help = "the suspension ends after this, at the latest" },
  },

  find = function(p, emit)
    if not rq_suspension.lasts(p) then emit(p.prefix .. ":suspended") end
  end,

  each = function(p, key)
    return rq_suspension.begin(p, key)
  end,
}
