--- Reports what is out of joint in RQ's keys, and with `repair` mends what can be mended without loss.
---
--- Removed: entries of registries and queues whose job is gone; results, dependents and dependencies without a TTL
--- of jobs that are gone (RQ's Job.delete and Queue.empty leave them, and every failed job's results outlive it);
--- names of workers that are gone; what a late heartbeat wrote of a deleted job. Put back in place: jobs that have
--- ended and are in no registry, so that rq/clean sees them; jobs that wait and are in no queue, which a worker
--- took and never started (looked for in queues of up to 10,000 jobs); queues with jobs that are not in the set of
--- queues. Only reported: deferred jobs with nothing left to wait for, jobs that are started or scheduled and in no
--- index, an interrupted Queue.compact, hashes that are no job. Whatever looks orphaned is looked at again after
--- `grace`: between the steps of a worker much does. The default is the minute that RQ itself waits for a job in
--- its intermediate queue.
---
--- For RQ 1 and 2, while workers run, in either engine. Never touched: jobs that are where their status says, keys
--- with a TTL, groups, locks, rq-scheduler's keys. Facts from registry.py, job.py, results.py, queue.py,
--- worker_registration.py.
local rq_orphans = require "lib.rq_orphans"
local rq_repair = require "lib.rq_repair"

return task {
  params = {
    prefix = { type = "string",   default = "rq",  help = "what all keys begin with" },
    grace  = { type = "duration", default = "60s", help = "how long something must look orphaned" },
    repair = { type = "boolean",  default = false, help = "mend it; else it is only reported" },
  },

  find = function(p, emit)
    for kind, key, where, what in scan.after(p.grace, rq_orphans.candidates(p)) do
      if what then
        emit(kind, key, where, what)
      elseif where then
        emit(kind, key, where)
      else
        emit(kind, key)
      end
    end
  end,

  each = function(p, kind, key, where, what)
    return rq_repair.settle(p, kind, key, where, what)
  end,
}
