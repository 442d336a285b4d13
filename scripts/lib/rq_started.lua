--- Jobs of RQ whose worker is gone: started and never ended, or taken from the queue and never started.
--
-- RQ 1 keeps a job's id in `wip`; RQ 2 keeps `<job id>:<execution id>` there, where an execution has a hash
-- of its own and an entry in the job's `executions` (registry.py, executions.py). Which it is, the job's hash tells.
local in_turn = require "lib.in_turn"
local rq = require "lib.rq"
local rq_text = require "lib.rq_text"
local rq_time = require "lib.rq_time"

local rq_started = {}

--- The id of the job and of the execution (nil in RQ 1) that an entry of `wip` names. Ids may look like that, too;
-- where the job stands there by its id alone, it is RQ 1.
local function split(p, queue, entry)
  local id, execution = entry:match("^(.+):(%x+)$")
  if not id or #execution ~= 32 or redis.call("EXISTS", rq.job_key(p, entry)) == 1 then return entry end
  if redis.call("ZSCORE", rq.key(p, "wip", queue), id) then return entry end
  return id, execution
end

--- Entries of `wip` whose heartbeat is overdue (StartedJobRegistry.cleanup).
function rq_started.overdue(p, queue)
  return scan.zset(rq.key(p, "wip", queue), 0, string.format("%.0f", math.floor(p.now / 1000)))
end

--- Whether another worker is at the job by now: it has another execution whose heartbeat is not overdue.
local function runs_elsewhere(p, queue, id, execution)
  local from = 0
  repeat
    local page = redis.call("ZRANGE", rq.key(p, "executions", id), from, from + 99)
    for _, other in ipairs(page) do
      local score = other ~= execution and redis.call("ZSCORE", rq.key(p, "wip", queue), id .. ":" .. other)
      if score and tonumber(score) > p.now / 1000 then return true end
    end
    from = from + #page
  until #page < 100
  return false
end

-- What becomes of the job

--- Seconds until the next attempt (Job.get_retry_interval): the intervals are used from the left, once each.
local function retry_interval(job, retries_left)
  local parsed, intervals = pcall(cjson.decode, job.retry_intervals or "[]")
  if not parsed or type(intervals) ~= "table" then return 0 end
  return tonumber(intervals[math.max(#intervals - retries_left, 0) + 1]) or 0
end

--- Uses up one retry (Job.retry): at once, or after the interval.
local function retry(p, write, queue, job, retries_left)
  local left = { "retries_left", string.format("%.0f", retries_left - 1) }
  local interval = retry_interval(job, retries_left)
  if interval == 0 then return rq.enqueue(p, write, job, queue, false, left) end
  redis.call("ZCARD", rq.key(p, "scheduled", queue)) -- fails here and not halfway if it is no sorted set
  write("SADD", rq.key(p, "queues"), rq.key(p, "queue", queue))
  write("HSET", job.key, "status", "scheduled", unpack(left))
  write("ZADD", rq.key(p, "scheduled", queue), string.format("%.0f", math.floor(p.now / 1000) + interval), job.id)
end

--- Whether a deferred job can run now that `failed` has failed: it allows that, and all else that it waits for has
-- ended; what is gone counts as met (Job.dependencies_are_met).
local function is_released(p, dependent, failed, watch)
  if dependent.status ~= "deferred" or dependent.allow_dependency_failures ~= "1" then return false end
  watch(rq.dependencies_key(p, dependent.id))
  for _, id in ipairs(rq.members(rq.dependencies_key(p, dependent.id))) do
    if id ~= failed then
      watch(rq.job_key(p, id))
      local status = redis.call("HGET", rq.job_key(p, id), "status")
      if status and status ~= "finished" and status ~= "failed" then return false end
    end
  end
  return true
end

--- Queues the jobs that waited for `failed` and allow its failure (Queue.enqueue_dependents).
local function release_dependents(p, write, watch, failed)
  local dependents = rq.dependents_key(p, failed)
  watch(dependents)
  for _, id in ipairs(rq.members(dependents)) do
    watch(rq.job_key(p, id))
    local dependent = rq.job(p, id)
    if dependent.loads and dependent.origin and is_released(p, dependent, failed, watch) then
      write("ZREM", rq.key(p, "deferred", dependent.origin), id)
      rq.enqueue(p, write, dependent, dependent.origin, dependent.enqueue_at_front == "1")
      write("SREM", dependents, id)
    end
  end
end

local year = 31536000 -- seconds; defaults.py DEFAULT_FAILURE_TTL

--- Moves the job to the failed registry for as long as its failure TTL says (FailedJobRegistry.add). The reason is
-- where its RQ looks for it: in a result (RQ 2), or in the hash.
local function fail(p, write, watch, queue, job, is_rq_2)
  redis.call("ZCARD", rq.key(p, "failed", queue)) -- fails here and not halfway if it is no sorted set
  local ttl = tonumber(job.failure_ttl) or year
  local at = rq_time.format(p.now)
  release_dependents(p, write, watch, job.id)
  if ttl == 0 then return rq.delete(p, write, job) end
  if is_rq_2 then
    local results = rq.key(p, "results", job.id)
    local text = "Moved to FailedJobRegistry, due to AbandonedJobError, at " .. at
    write("HSET", job.key, "status", "failed")
    write("XADD", results, "MAXLEN", "10", "*", "type", "2", "exc_string", rq_text.pack(text))
    if job.failure_ttl and ttl > 0 then write("EXPIRE", results, job.failure_ttl) end
    if job.failure_ttl and ttl < 0 then write("PERSIST", results) end
  else
    write("HSET", job.key, "status", "failed", "exc_info", rq_text.compress("Moved to FailedJobRegistry at " .. at))
  end
  rq.expire(p, write, job, ttl)
  local score = ttl < 0 and ttl or math.floor(p.now / 1000) + ttl
  write("ZADD", rq.key(p, "failed", queue), string.format("%.0f", score), job.id)
end

--- Workers clean a queue one at a time, by this lock (Queue.acquire_cleaning_lock). While one of them may be at it,
-- hands off: it reads first and writes later, and would requeue what was requeued here. While we are, it is ours.
-- RQ 1 leaves the lock behind for 15 minutes; a worker that took it a minute ago has long read.
local lock_seconds, busy_seconds = 899, 60

local function lock_of(p, queue) return rq.key(p, "clean_registries", queue) end

local function is_being_cleaned(p, queue)
  local holder, ttl = unpack(pipelined { { "GET", lock_of(p, queue) }, { "PTTL", lock_of(p, queue) } })
  return holder and holder ~= "moonshift" and ttl > (lock_seconds - busy_seconds) * 1000
end

local function take_lock(p, write, queue)
  local holder = redis.call("GET", lock_of(p, queue))
  if not holder or holder == "moonshift" then write("SET", lock_of(p, queue), "moonshift", "EX", busy_seconds) end
end

--- Names the writes that end the execution.
local function forget(p, write, queue, entry, id, execution)
  if execution then
    write("UNLINK", rq.key(p, "execution", entry))
    write("ZREM", rq.key(p, "executions", id), execution)
    write("LREM", rq.intermediate_key(p, queue), 1, id)
  end
  write("ZREM", rq.key(p, "wip", queue), entry)
end

--- Whether the job is still where the worker that died had it. Between taking and starting it, RQ 2 has an
-- execution already, though the status is that of a waiting job; but one that is in the queue waits.
local function is_under_way(p, queue, job, execution)
  if job.status == "started" then return true end
  if not execution or job.status ~= "queued" then return false end
  return not redis.call("LPOS", rq.key(p, "queue", queue), job.id, "MAXLEN", 10000)
end

--- Gives one job of a dead worker back: retried if it has retries left, else failed, as StartedJobRegistry.cleanup
-- has it. A heartbeat changes the job's hash along with `wip`, so the hash is what is watched. One at a time are those
-- that another job may wait for, and the entries of the same job.
function rq_started.recover(p, queue, entry)
  local id, execution = split(p, queue, entry)
  local keys = { rq.job_key(p, id), lock_of(p, queue) }
  if execution then
    keys[3], keys[4], keys[5] = rq.job_key(p, entry), rq.key(p, "executions", id), rq.key(p, "execution", entry)
  end
  return in_turn(keys, function(write, watch, claim)
    local score, dependents = unpack(pipelined {
      { "ZSCORE", rq.key(p, "wip", queue), entry },
      { "EXISTS", rq.dependents_key(p, id) },
    })
    if not score then return "gone" end
    if tonumber(score) * 1000 > p.now then return "kept", "its worker lives" end
    if is_being_cleaned(p, queue) then return "kept", "a worker is cleaning this queue" end
    claim(dependents == 1 and "jobs with dependents" or rq.job_key(p, id))
    local job = rq.job(p, id)
    if not job.loads then
      forget(p, write, queue, entry, id, execution)
      return "removed", "there is no such job any more"
    end
    if not is_under_way(p, queue, job, execution) or (execution and runs_elsewhere(p, queue, id, execution)) then
      forget(p, write, queue, entry, id, execution)
      return "removed", "the job is no longer with that worker"
    end
    if execution and job.failure_callback_name then
      return "kept", "it has a failure callback, which only a worker can run"
    end

    forget(p, write, queue, entry, id, execution)
    take_lock(p, write, queue)
    local retries_left = tonumber(job.retries_left) or 0
    if retries_left > 0 then
      retry(p, write, queue, job, retries_left)
    else
      fail(p, write, watch, queue, job, execution)
    end
    if retries_left > 0 then return "requeued" end
    return "moved", "to the failed registry: no retries left"
  end)
end

-- Taken and never started

--- Ids between the queue and an execution. A queue may itself be named like that list.
function rq_started.taken(p, queue)
  local list = rq.intermediate_key(p, queue)
  if redis.call("SISMEMBER", rq.key(p, "queues"), list) == 1 then return function() end end
  return scan.list(list)
end

local function has_execution(p, queue, id)
  if redis.call("ZSCORE", rq.key(p, "wip", queue), id) then return true end
  return redis.call("ZCARD", rq.key(p, "executions", id)) > 0
end

--- When the job was first seen there since it was queued (seconds); nil if never. RQ's own mark of that outlives the
-- job's next run (intermediate_queue.py), and RQ may fail a job for such an old mark; so ours is another key, and a
-- mark that is older than the job's place in the queue is none.
local function first_seen(job, marks)
  local queued = rq_time.parse(job.enqueued_at)
  for _, mark in ipairs(marks) do
    local seen = tonumber(redis.call("GET", mark))
    if seen and queued and seen * 1000 > queued then return seen end
  end
end

--- Gives one job back that a worker took and never started, at the head of its queue: it was next. The rule is RQ's,
-- a minute since it was first seen. RQ fails such a job; here it runs: it never has.
function rq_started.give_back(p, queue, id)
  local list, key = rq.intermediate_key(p, queue), rq.job_key(p, id)
  local ours, theirs = list .. ":seen_by_moonshift:" .. id, list .. ":first_seen:" .. id
  local keys = { list, key, ours, theirs, lock_of(p, queue), rq.key(p, "executions", id) }
  return atomically(keys, function(write)
    if not redis.call("LPOS", list, id, "MAXLEN", 10000) then return "gone" end
    if is_being_cleaned(p, queue) then return "kept", "a worker is cleaning this queue" end
    if has_execution(p, queue, id) then return "kept", "its execution has begun" end
    local job = rq.job(p, id)
    if not job.loads or job.status ~= "queued" then
      write("UNLINK", ours)
      write("LREM", list, 1, id)
      return "removed", job.loads and "the job is no longer with that worker" or "there is no such job any more"
    end
    local seen = first_seen(job, { ours, theirs })
    if not seen then
      write("SET", ours, string.format("%.3f", p.now / 1000), "EX", 86400)
      return "kept", "seen for the first time; it goes back after a minute"
    end
    if p.now - seen * 1000 <= 60000 then return "kept", "seen less than a minute ago" end
    write("UNLINK", ours)
    write("LREM", list, 1, id)
    take_lock(p, write, queue)
    rq.enqueue(p, write, job, queue, true)
    return "requeued", "taken from the queue and never started"
  end)
end

return rq_started
