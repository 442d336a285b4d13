--- Jobs of RQ that are scheduled for a time.
local rq = require "lib.rq"

local rq_scheduled = {}

local function due_until(p) return math.floor((p.now - p.overdue_by) / 1000) end

--- Ids whose time came at least `p.overdue_by` ago.
function rq_scheduled.overdue(p, queue)
  return scan.zset(rq.key(p, "scheduled", queue), 0, string.format("%.0f", due_until(p)))
end

--- Puts one job whose time has come into its queue (RQScheduler.enqueue_scheduled_jobs). A scheduler holds a lock as
-- long as it lives; it reads first and writes later, so beside a living one a job could be queued twice.
function rq_scheduled.promote(p, queue, id)
  local registry, lock = rq.key(p, "scheduled", queue), rq.key(p, "scheduler-lock", queue)
  return atomically({ rq.job_key(p, id), registry, lock }, function(write)
    local score = redis.call("ZSCORE", registry, id)
    if not score then return "gone" end
    if tonumber(score) > due_until(p) then return "kept", "it was scheduled anew" end
    if redis.call("EXISTS", lock) == 1 then return "kept", "its scheduler lives" end
    local job = rq.job(p, id)
    if not job.loads then return "kept", "there is no such job any more" end
    write("ZREM", registry, id)
    rq.enqueue(p, write, job, queue, job.enqueue_at_front == "1")
    return "promoted"
  end)
end

return rq_scheduled
