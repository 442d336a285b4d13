--- The second look at what seemed orphaned in the keys of RQ, and its repair where there is one without loss.
local rq = require "lib.rq"
local rq_places = require "lib.rq_places"

local rq_repair = {}

local second_look = {}

--- Each says "gone" if all is well by now; else what it is, and the repair if there is a safe one.
function second_look.entry(p, watch, _, registry, entry)
  watch(rq_places.job_keys(p, registry, entry))
  if redis.call("EXISTS", rq_places.job_keys(p, registry, entry)) > 0 then return "gone" end
  if not redis.call("ZSCORE", registry, entry) then return "gone" end
  return "in " .. select(2, rq_places.queue_of_registry(p, registry)) .. " without its job", function(write)
    write("ZREM", registry, entry)
    return "removed"
  end
end

function second_look.stranded(p, _, _, id)
  if not rq_places.waits_for_nothing(p, id) then return "gone" end
  return "deferred, with nothing left to wait for"
end

function second_look.compact(_, _, list)
  if redis.call("EXISTS", list) == 0 then return "gone" end
  return "left by a Queue.compact that was interrupted: its jobs are in no queue"
end

function second_look.waiting(_, _, job, list, id)
  if redis.call("EXISTS", job) == 1 or not redis.call("LPOS", list, id) then return "gone" end
  local what = "in a queue without its job"
  if redis.call("LLEN", list) > rq_places.most_waiting then return what .. " (a long queue: left to the workers)" end
  return what, function(write)
    write("LREM", list, 1, id)
    return "removed"
  end
end

function second_look.unlisted(p, _, key)
  local name = rq_places.queue_of_registry(p, key) or rq_places.after(key, rq.key(p, "queue") .. ":")
  local queue = rq.key(p, "queue", name)
  local queues = rq.key(p, "queues")
  if redis.call("EXISTS", key) == 0 or redis.call("SISMEMBER", queues, queue) == 1 then return "gone" end
  return "jobs of a queue that is not in the set of queues", function(write)
    write("SADD", queues, queue)
    return "repaired"
  end
end

function second_look.left(p, watch, key)
  local id = rq_places.owner(p, key)
  watch(rq.job_key(p, id))
  if redis.call("EXISTS", key) == 0 or redis.call("EXISTS", rq.job_key(p, id)) == 1 then return "gone" end
  if key == rq.dependents_key(p, id) and rq.is_awaited(p, id, watch) then return "jobs wait for a job that is gone" end
  local what = key:sub(1, #rq.key(p, "results")) == rq.key(p, "results") and "results" or "dependencies"
  return what .. " of a job that is gone", function(write)
    write("UNLINK", key)
    return "removed"
  end
end

function second_look.worker(_, _, worker, set)
  if redis.call("EXISTS", worker) == 1 or redis.call("SISMEMBER", set, worker) == 0 then return "gone" end
  return "a worker that is gone", function(write)
    write("SREM", set, worker)
    return "removed"
  end
end

--- The fields that a worker or a heartbeat may still write to a job that was deleted (worker.py maintain_heartbeats).
local late_fields = {
  status = true, last_heartbeat = true, started_at = true, ended_at = true, worker_name = true, meta = true,
}

local function has_late_fields_only(key)
  if redis.call("HLEN", key) > 6 then return false end
  for _, field in ipairs(redis.call("HKEYS", key)) do -- bounded: six fields
    if not late_fields[field] then return false end
  end
  return true
end

function second_look.remains(p, _, _, id)
  local job = rq.job(p, id)
  if job.loads or redis.call("EXISTS", job.key) == 0 then return "gone" end
  if not has_late_fields_only(job.key) then return "a hash that is no job of RQ" end
  return "remains of a deleted job", function(write)
    write("UNLINK", job.key)
    return "removed"
  end
end

local scores = { finished = "+inf", failed = "-1" }

function second_look.stray(p, _, _, id, seen)
  local job = rq.job(p, id)
  if not job.loads or rq_places.is_in_place(p, job) then return "gone" end
  local status = job.status
  if status .. " " .. (job.enqueued_at or "") ~= seen then return "gone" end
  local what = status .. ", but in no index"
  if status == "queued" then
    return what, function(write)
      write("LPUSH", rq.key(p, "queue", job.origin), id) -- whoever else queues it changes its hash, which is watched
      return "repaired"
    end
  end
  local registry = rq_places.registry_of[status]
  if registry == "finished" or registry == "failed" or registry == "canceled" then
    return what, function(write)
      write("ZADD", rq.key(p, registry, job.origin), scores[registry] or string.format("%.0f", p.now / 1000), id)
      return "repaired"
    end
  end
  return what
end

--- Looks again at one candidate, and mends it if `p.repair` says so and there is a safe way.
function rq_repair.settle(p, kind, key, ...)
  local names = { key, ... }
  return atomically({ key }, function(write, watch)
    local what, repair = second_look[kind](p, watch, unpack(names))
    if what == "gone" then return "gone" end
    if not p.repair or not repair then return "kept", what end
    return repair(write), what
  end)
end

return rq_repair
