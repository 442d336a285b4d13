--- Finds what Sidekiq left behind and no longer uses: reports it, or with `repair` puts it right.
---
--- Processes in `processes` whose hash is gone go, as in Sidekiq's own cleanup (api.rb, ProcessSet#cleanup), but not
--- between two heartbeats. A list `queue:<name>` with jobs that `queues` does not name, which the web UI does not show,
--- is made known. The name of an empty queue that no process works on goes, provided that some process lives.
--- `<identity>-signals` without a TTL, of a process that is gone, goes; the hash of a process without a TTL, which no
--- heartbeat leaves behind, gets one. Members of `retry` and `schedule` that are no jobs are reported only: a poller
--- that meets one loses it. Each finding has a second look after `grace`.
---
--- For Sidekiq 6 and 7, while workers run. Both engines. Never touched: jobs, the records of what crashed processes
--- were running (sidekiq/requeue-stalled), counters, the state of iterable jobs. Facts from api.rb and launcher.rb.
local orphans = require "lib.sidekiq_orphans"

return task {
  params = {
    prefix = { type = "string",   default = "",    help = "the redis-namespace with its colon, such as app:" },
    grace  = { type = "duration", default = "10s", help = "time between the first and the second look" },
    repair = { type = "boolean",  default = false, help = "repair, not only report" },
  },

  find = function(p, emit)
    for kind, name, text in scan.after(p.grace, orphans.candidates(p)) do
      if text then emit(kind, name, text) else emit(kind, name) end
    end
  end,

  each = function(p, kind, name, text) return orphans.treat(p, kind, name, text) end,
}
