--- Moves scheduled Sidekiq jobs and retries to their queues whose time came more than `overdue_by` ago.
---
--- What the poller of any running Sidekiq process does (scheduled.rb), the earliest first. Overdue jobs mean that no
--- process polls, or that all are too slow. A job is pushed byte for byte as it was, but for `enqueued_at`. Better
--- than the poller: leaving the set and entering the queue are one step, so a crash in between loses nothing; a member
--- that is no job stays and is reported (the poller takes it out and then fails). Other than the poller: client
--- middleware, which is Ruby, does not run.
---
--- For Sidekiq 6 and 7, while workers and pollers run. Both engines. Never touched: jobs whose time has not come, dead
--- jobs, what waits in queues. Facts from scheduled.rb and client.rb.
local sidekiq = require "lib.sidekiq"

return task {
  params = {
    prefix     = { type = "string",   default = "",   help = "the redis-namespace with its colon, such as app:" },
    queues     = { type = "glob",     default = "*",  help = "which queues, by name" },
    overdue_by = { type = "duration", default = "1m", help = "for how long at least its time has been over" },
  },

  find = function(p, emit)
    for _, set in ipairs { "retry", "schedule" } do
      for text in sidekiq.entries(p, set, nil, p.now - p.overdue_by) do
        if p.queues == "*" or sidekiq.is_wanted(p, (sidekiq.parse(text))) then emit(set, text) end
      end
    end
  end,

  each = function(p, set, text)
    return sidekiq.enqueue(p, set, text, "promoted", function(_, due)
      return due > (p.now - p.overdue_by) / 1000 and "it has a later time now" or nil
    end)
  end,
}
