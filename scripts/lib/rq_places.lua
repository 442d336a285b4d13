--- Where a job of RQ has its place by its status, and which keys are whose.
local rq = require "lib.rq"

local rq_places = {}

local registries = { "finished", "failed", "canceled", "deferred", "scheduled", "wip" }

--- What follows `head` in a text; nil if it begins otherwise.
function rq_places.after(text, head) return text:sub(1, #head) == head and text:sub(#head + 1) or nil end

--- The queue and the kind of a registry's key; nil if it is none.
function rq_places.queue_of_registry(p, key)
  for _, kind in ipairs(registries) do
    local queue = rq_places.after(key, rq.key(p, kind) .. ":")
    if queue then return queue, kind end
  end
end

--- The job keys that an entry may name: RQ 2 has `<job id>:<execution id>` in `wip`.
function rq_places.job_keys(p, registry, entry)
  local id = rq_places.after(registry, rq.key(p, "wip") .. ":") and entry:match("^(.+):%x+$")
  return rq.job_key(p, entry), rq.job_key(p, id or entry)
end

--- The job that a key belongs to besides its hash.
function rq_places.owner(p, key)
  local id = rq_places.after(key, rq.key(p, "results") .. ":")
  if id then return id end
  local rest = rq_places.after(key, rq.key(p, "job") .. ":")
  if not rest then return nil end
  return rest:match("^:(.+):dependencies$") or rest:match("^(.+):dependents$")
end

--- Deferred jobs for which nothing is left to wait for: nobody will ever queue them.
function rq_places.waits_for_nothing(p, id)
  for _, dependency in ipairs(rq.members(rq.dependencies_key(p, id))) do
    local status = redis.call("HGET", rq.job_key(p, dependency), "status")
    if status and status ~= "finished" then return false end
  end
  return redis.call("HGET", rq.job_key(p, id), "status") == "deferred"
end

rq_places.registry_of = {
  finished = "finished", failed = "failed", stopped = "failed", canceled = "canceled", deferred = "deferred",
  scheduled = "scheduled", started = "wip",
}
rq_places.most_waiting = 10000

--- Whether a job that says it waits is in its queue, or on its way from it. In a longer queue that is not looked for.
function rq_places.is_queued(p, job)
  local list, taken = rq.key(p, "queue", job.origin), rq.intermediate_key(p, job.origin)
  local is_long = redis.call("LLEN", list) > rq_places.most_waiting
  if is_long or redis.call("LLEN", taken) > rq_places.most_waiting then return true end
  return redis.call("LPOS", list, job.id) or redis.call("LPOS", taken, job.id)
    or redis.call("ZSCORE", rq.key(p, "wip", job.origin), job.id)
    or redis.call("EXISTS", rq.key(p, "executions", job.id)) == 1
end

--- Whether a job is where its status says; one in an unknown state, or with a TTL after its end, is no concern.
function rq_places.is_in_place(p, job)
  local registry = rq_places.registry_of[job.status]
  if not job.origin or not (registry or job.status == "queued") then return true end
  if job.status == "queued" then return rq_places.is_queued(p, job) end
  if redis.call("ZSCORE", rq.key(p, registry, job.origin), job.id) then return true end
  if job.status == "started" then return redis.call("EXISTS", rq.key(p, "executions", job.id)) == 1 end
  if job.status == "scheduled" then return redis.call("ZSCORE", rq.key(p, "scheduler", "scheduled_jobs"), job.id) end
  return job.status ~= "deferred" and redis.call("PTTL", job.key) ~= -1
end

return rq_places
