--- Finds what Celery left behind in Redis and will never use again; with `repair`, repairs it.
---
--- A message that a worker holds (`unacked`) without an entry in `unacked_index` is restored by nobody, so its
--- task is lost when the worker dies: repaired, it gets an entry as of now, and kombu restores it after the
--- visibility timeout unless a worker finishes it before. An index entry without a message is removed, as kombu
--- does when it meets one. The counters of a chord that has failed, without a TTL, are only reported: `celery/clean`
--- removes them by age, since a member that is delivered again may still complete the chord. Everything is looked
--- at a second time after `grace`.
---
--- For Celery 5 (5.2 and 5.5), while workers run. Server engine only: workers change `unacked` with every message,
--- so a WATCH would not come to its end. Never touched: messages and their index entries where both are there,
--- however old (tasks with an eta live there), queues, bindings, results.
local celery = require "lib.celery"
local unacked = require "lib.celery_unacked"

--- Iterates over kind, name of all that looks left behind.
local function candidates(p)
  local kinds = { unacked.without_index_entry(p), unacked.without_message(p), celery.failed_chords(p) }
  local at = 1
  return function()
    while kinds[at] do
      local kind, name = kinds[at]()
      if kind then return kind, name end
      at = at + 1
    end
  end
end

return task {
  atomic = true,

  params = {
    prefix = { type = "string",   default = "",    help = "key prefix of broker and results" },
    grace  = { type = "duration", default = "10s", help = "time between the first and the second look" },
    repair = { type = "boolean",  default = false, help = "repair, not only report" },
  },

  find = function(p, emit)
    for kind, name in scan.after(p.grace, candidates(p)) do emit(kind, name) end
  end,

  each = function(p, kind, name)
    if kind ~= "chord" then return unacked.repair(p, kind, name) end
    if not celery.has_failed_chord(p, name) then return "gone" end
    return "kept", "the counters of a chord that has failed"
  end,
}
