--- Puts jobs back into their queues that crashed Sidekiq processes were running.
---
--- Sidekiq takes a job out of Redis before it runs it (BRPOP), so a process that is killed loses its jobs. What is left
--- of them is the record that its last heartbeat made, for 60 s. Run this every minute: it lets the records of all
--- processes live for ten minutes, so that none is gone when its process is proven dead. Proof is what Sidekiq itself
--- goes by (api.rb, ProcessSet#cleanup): no heartbeat for 60 s, by the TTLs that Redis counts and no clock of another
--- machine; the record itself must be as old. A shorter `silent_for` is faster, and wrong about a process that only
--- stands still: its jobs run twice.
---
--- A job goes to the front of its queue, its bytes as they were, and leaves the record in the same step: it is put back
--- once. One that is known elsewhere stays: it has failed since (retry or dead set), or runs in another process, or
--- waits at the front of its queue, where a process that is shut down puts it. One that two dead processes had is put
--- back once.
---
--- Named limits: what was taken after the last heartbeat (up to 5 s before the end in Sidekiq 6, 10 s in 7) is in no
--- record and is lost, as without this task; what was finished in that time is in the record and runs again. Sidekiq
--- demands that of jobs: they run at least once. A job that kills its process would come back for ever, so after
--- `most_times` it goes to the dead set; it carries the member `requeued_after_crash` for that.
---
--- For Sidekiq 6 and 7, while workers run; not for super_fetch of Sidekiq Pro, which keeps its jobs itself. Both
--- engines. Never touched: jobs of processes that may live, retries, scheduled and dead jobs. Facts from launcher.rb,
--- processor.rb, fetch.rb and manager.rb.
local process = require "lib.sidekiq_process"
local crash = require "lib.sidekiq_crash"

return task {
  params = {
    prefix     = { type = "string",   default = "",    help = "the redis-namespace with its colon, such as app:" },
    queues     = { type = "glob",     default = "*",   help = "which queues, by name" },
    silent_for = { type = "duration", default = "60s", help = "a process without a heartbeat for so long is dead" },
    most_times = { type = "integer",  default = 3,     help = "put a job back so often, then into the dead set" },
  },

  find = function(p, emit)
    local dead = {}
    for record, identity in process.works(p) do
      if crash.is_dead(p, identity, record) then
        dead[#dead + 1] = record
      elseif crash.is_short_lived(record) or crash.is_silent(p, identity, record) then
        emit(record)
      end
    end
    if dead[1] then crash.each_lost_job(p, dead, emit) end
  end,

  each = function(p, record, thread, known)
    if not thread then return crash.preserve(p, record) end
    if known == crash.twice then return crash.forget(p, record, thread) end
    if known ~= "" then return "kept", known end
    return crash.requeue(p, record, thread)
  end,
}
