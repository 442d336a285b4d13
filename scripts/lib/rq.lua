--- What RQ 1 and 2 keep in Redis: names of keys, queues, jobs and their times.
-- Facts from the library's own source (rq/*.py), named where they are used. `p.prefix` is `rq` unless the
-- application has renamed everything. The field `data` (a pickle) is never read and never written.
local rq_time = require "lib.rq_time"

local rq = {}

function rq.key(p, ...) return p.prefix .. ":" .. table.concat({ ... }, ":") end

function rq.job_key(p, id) return rq.key(p, "job", id) end

--- The sets of a job: who waits for it, and what it waits for (job.py; the double colon is RQ's).
function rq.dependents_key(p, id) return rq.key(p, "job", id, "dependents") end
function rq.dependencies_key(p, id) return rq.key(p, "job", "", id, "dependencies") end

--- Where a worker of RQ 1.14 and later puts a job between the queue and its execution.
function rq.intermediate_key(p, queue) return rq.key(p, "queue", queue, "intermediate") end

--- Names of the queues that match `p.queues`. Members of the set `queues` are full keys (queue.py).
function rq.queues(p)
  local head, seen = rq.key(p, "queue") .. ":", {}
  local members = scan.set(rq.key(p, "queues"))
  return function()
    for member in members do
      local name = member:sub(#head + 1)
      if member:sub(1, #head) == head and not seen[name] then
        seen[name] = true
        if glob.match(p.queues, name) then return name end
      end
    end
  end
end

--- Lists of up to `size` of the iterator's values, each { first, second }: for one pipelined read.
function rq.batches(iterator, size)
  local done = false
  return function()
    local batch = {}
    while not done and #batch < size do
      local first, second = iterator()
      done = first == nil
      if not done then batch[#batch + 1] = { first, second } end
    end
    return #batch > 0 and batch or nil
  end
end

-- Jobs

local field_names = {
  "status", "origin", "created_at", "enqueued_at", "started_at", "ended_at", "timeout", "ttl", "failure_ttl",
  "retries_left", "retry_intervals", "enqueue_at_front", "allow_dependency_failures", "failure_callback_name",
  "group_id",
}

local function read_fields(key) return { "HMGET", key, unpack(field_names) } end

--- A job by its fields; `loads` tells whether RQ can load it: a hash without `data` is none (job.py restore).
local function to_job(id, key, values, has_data)
  local job = { id = id, key = key, loads = has_data == 1 }
  for i, name in ipairs(field_names) do
    if values[i] and values[i] ~= "" then job[name] = values[i] end
  end
  return job
end

function rq.job(p, id)
  local key = rq.job_key(p, id)
  local values, has_data = unpack(pipelined { read_fields(key), { "HEXISTS", key, "data" } })
  return to_job(id, key, values, has_data)
end

--- The jobs of a list of ids, read in one go.
function rq.jobs(p, ids)
  local commands, jobs = {}, {}
  for i, id in ipairs(ids) do
    local key = rq.job_key(p, id)
    commands[2 * i - 1], commands[2 * i] = read_fields(key), { "HEXISTS", key, "data" }
  end
  local replies = pipelined(commands)
  for i, id in ipairs(ids) do
    jobs[i] = to_job(id, rq.job_key(p, id), replies[2 * i - 1], replies[2 * i])
  end
  return jobs
end

local year = 31536000 -- seconds; how long RQ keeps a failure (defaults.py DEFAULT_FAILURE_TTL)

--- When a job of the registry `state` got there, in ms; nil if nothing says so. A finished or failed job
-- says so itself (`ended_at`), unless it was cut off: then that is the end of an earlier attempt, or none.
-- A failed one is also told by its score, which is the end plus the failure TTL, or -1; a canceled one by
-- its score alone.
function rq.ended(state, score, job)
  if state == "canceled" then return score * 1000 end
  local ended, started = rq_time.parse(job.ended_at), rq_time.parse(job.started_at)
  if ended and started and ended < started then ended = nil end
  if state == "failed" and score >= 0 then
    local scored = (score - (tonumber(job.failure_ttl) or year)) * 1000
    return ended and math.max(ended, scored) or scored
  end
  return ended
end

local states = {
  finished = { finished = true },
  failed = { failed = true, stopped = true },
  canceled = { canceled = true },
}

--- Whether the job says of itself that it is in that registry's state: a job that was enqueued again, or
-- that repeats (RQ 2), is in the registry of its last end and in a queue as well.
function rq.is_in_state(state, job) return states[state][job.status] or false end

-- Sets of jobs that wait for each other

--- Members of a set, page by page; for `each`, where `scan` is not at hand. None if the key is no set: a job
-- whose id is `17:dependents` has its hash there.
function rq.members(key)
  local members, cursor = {}, "0"
  if redis.call("TYPE", key).ok ~= "set" then return members end
  repeat
    local page = redis.call("SSCAN", key, cursor, "COUNT", 500)
    for _, member in ipairs(page[2]) do members[#members + 1] = member end
    cursor = page[1]
  until cursor == "0"
  return members
end

--- Whether another job waits in the deferred state for this one.
function rq.is_awaited(p, id, watch)
  for _, dependent in ipairs(rq.members(rq.dependents_key(p, id))) do
    local key = rq.job_key(p, dependent)
    watch(key)
    if redis.call("HGET", key, "status") == "deferred" then return true end
  end
  return false
end

-- Moves

--- Names the writes that put a job into a queue, as Queue.enqueue_job has it (queue.py): `more` are fields and
-- values besides. With a TTL of its own the job expires if it waits longer than that. What takes the job out of its
-- old place has to be named before: above maxmemory a script may write on once it has removed something.
function rq.enqueue(p, write, job, queue, at_front, more)
  redis.call("LLEN", rq.key(p, "queue", queue)) -- fails here and not halfway if it is no list
  write("SADD", rq.key(p, "queues"), rq.key(p, "queue", queue))
  local fields = { "status", "queued", "origin", queue, "enqueued_at", rq_time.format(p.now) }
  if not job.timeout then fields[7], fields[8] = "timeout", "180" end -- Queue.DEFAULT_TIMEOUT
  for _, value in ipairs(more or {}) do fields[#fields + 1] = value end
  write("HSET", job.key, unpack(fields))
  rq.expire(p, write, job, tonumber(job.ttl))
  write(at_front and "LPUSH" or "RPUSH", rq.key(p, "queue", queue), job.id)
end

--- Lets a job and its sets expire, as Job.cleanup has it; nothing if there is no TTL.
function rq.expire(p, write, job, ttl)
  if not ttl or ttl <= 0 then return end
  local seconds = string.format("%.0f", ttl)
  write("EXPIRE", job.key, seconds)
  for _, key in ipairs { rq.dependents_key(p, job.id), rq.dependencies_key(p, job.id) } do
    if redis.call("TYPE", key).ok == "set" then write("EXPIRE", key, seconds) end
  end
end

--- Names the writes that take a job away with all that is its own: what Job.delete takes, its results, which that
-- leaves behind, and its name among the dependents of the jobs that it depended on.
function rq.delete(p, write, job)
  local dependencies = rq.dependencies_key(p, job.id)
  for _, dependency in ipairs(rq.members(dependencies)) do
    local dependents = rq.dependents_key(p, dependency)
    if redis.call("TYPE", dependents).ok == "set" then write("SREM", dependents, job.id) end
  end
  local own = {
    { rq.dependents_key(p, job.id), "set" },
    { dependencies, "set" },
    { rq.key(p, "results", job.id), "stream" },
    { rq.key(p, "executions", job.id), "zset" },
  }
  for _, it in ipairs(own) do
    if redis.call("TYPE", it[1]).ok == it[2] then write("UNLINK", it[1]) end
  end
  if job.group_id then write("SREM", rq.key(p, "group", job.group_id), job.id) end -- job.py delete, RQ 2
  write("UNLINK", job.key)
end

return rq
