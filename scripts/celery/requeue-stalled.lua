--- Puts Celery messages back into their queues that workers hold longer than `visibility_timeout`.
---
--- What kombu itself does while any worker runs (QoS.restore_visible); this is for the time when none does, or
--- when a backlog shall be back before the workers are. Redis does not keep the visibility timeout: name the
--- one that your workers have (broker_transport_options). If theirs is longer than the one named here, a task
--- that is still running is started a second time. All is as in kombu: a message is pushed to the right end, the
--- oldest is the next one out; it is marked as redelivered and is otherwise as it was, byte for byte; nothing is
--- done while a worker holds `unacked_mutex`.
---
--- Better than kombu: a task with an eta counts as held since its eta, not since its delivery, or each one that is
--- more than a visibility timeout away would run twice. A message keeps its priority (kombu 5.2 puts it into the
--- list that is served first). One whose exchange has no queue is kept, and a topic is found by what is bound to
--- it (a worker that has not declared that exchange drops both). Nothing is pushed to a list that perhaps nobody
--- reads: where the transport's `sep` or `priority_steps` are set, name them.
---
--- For Celery 5 (5.2 and 5.5), while workers run. Server engine only: what decides is one field of `unacked`, which
--- changes with every message of all queues, so a WATCH would not come to its end. Never touched: messages in
--- queues, bindings, results. Facts from kombu/transport/redis.py.
local unacked = require "lib.celery_unacked"

return task {
  atomic = true,

  params = {
    prefix             = { type = "string",   default = "",   help = "the broker's global_keyprefix" },
    queues             = { type = "glob",     default = "*",  help = "which queues, by name" },
    visibility_timeout = { type = "duration", default = "1h", help = "the workers' visibility_timeout" },
    separator          = { type = "string",   default = "",   help = "the transport's `sep`, if it is set" },
    priority_steps     = { type = "integer",  default = { 0, 3, 6, 9 }, list = true, help = "its priority_steps" },
  },

  find = function(p, emit) unacked.each_stalled(p, emit) end,

  each = function(p, tag) return unacked.restore(p, tag) end,
}
