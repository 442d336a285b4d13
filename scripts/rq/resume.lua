--- Ends the suspension of RQ's workers that rq/pause made.
---
--- One that somebody else made (`rq suspend`) stays, unless `all` is given.
---
--- For RQ 1 and 2, while workers run, in either engine. Never touched: anything but the key `suspended`. Facts from
--- suspension.py.
local rq_suspension = require "lib.rq_suspension"

return task {
  params = {
    prefix = { type = "string",  default = "rq",  help = "what all keys begin with" },
    all    = { type = "boolean", default = false, help = "whoever made it" },
  },

  find = function(p, emit)
    local key = p.prefix .. ":suspended"
    if redis.call("EXISTS", key) == 1 then emit(key) end
  end,

  each = function(p, key)
    return rq_suspension.finish(p, key)
  end,
}
