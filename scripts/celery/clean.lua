--- Removes stored results of Celery tasks that ended more than `older_than` ago.
---
--- A result is chosen by its own `date_done` and read again when it is removed; one that ended exactly
--- `older_than` ago stays. Celery gives results a TTL of a day (result_expires); this is for those that have
--- none, or a longer one. A result whose group was saved, or whose chord is not over, stays until all tasks of
--- that group have ended that long ago: then the group goes first (celery-taskset-meta-*), and with it the
--- counters that a failed chord leaves behind; Celery's own TTLs break up such a group. A group of which a
--- task has no result stays: that task may still wait. A result of another serializer than JSON is reported.
---
--- For Celery 5 (5.2 and 5.5), while workers run. Both engines. Never touched: results of tasks that have not
--- ended, and everything of the broker. Facts from celery/backends/base.py and celery/backends/redis.py.
--- `prefix` is the backend's global_keyprefix as it is stored: Celery adds `_` to one that does not end in
--- one of `:_-.`. There is no `keep`: Celery keeps no order of results.
local celery = require "lib.celery"

local states = { "SUCCESS", "FAILURE", "REVOKED", "any" }

return task {
  params = {
    prefix     = { type = "string",   default = "",        help = "the result backend's key prefix, as stored" },
    state      = { type = "enum",     default = "SUCCESS", values = states, help = "which results" },
    older_than = { type = "duration", default = "7d",      help = "age since the task ended" },
  },

  find = function(p, emit)
    celery.each_finished_group(p, function(group, seen) emit("group", group, seen) end)
    celery.each_finished(p, function(key) emit("result", key) end)
  end,

  each = function(p, kind, name, seen)
    if kind == "group" then return celery.remove_group(p, name, seen) end
    return celery.remove_result(p, name)
  end,
}
