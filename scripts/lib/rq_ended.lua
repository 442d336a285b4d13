--- Jobs of RQ that have ended: in the registries `finished`, `failed` and `canceled` of each queue.
local rq = require "lib.rq"
local rq_text = require "lib.rq_text"
local rq_time = require "lib.rq_time"

local rq_ended = {}

local page = 200

--- The entries of a registry with their jobs: id, score (seconds), job.
function rq_ended.entries(p, queue, state)
  local pages = rq.batches(scan.zset(rq.key(p, state, queue), "-inf", "+inf"), page)
  local batch, jobs, at = {}, {}, 0
  return function()
    if at == #batch then
      batch, at = pages(), 0
      if not batch then batch = {} return nil end
      local ids = {}
      for i, entry in ipairs(batch) do ids[i] = entry[1] end
      jobs = rq.jobs(p, ids)
    end
    at = at + 1
    return batch[at][1], tonumber(batch[at][2]), jobs[at]
  end
end

-- Removal

--- The smallest of the `most` largest numbers that were given to `add`; -inf while there were fewer.
local function newest(most)
  local heap = {} -- the smallest on top
  local function sink(at)
    while true do
      local least = at
      for child = 2 * at, 2 * at + 1 do
        if heap[child] and heap[child] < heap[least] then least = child end
      end
      if least == at then return end
      heap[at], heap[least], at = heap[least], heap[at], least
    end
  end
  local function add(value)
    if #heap == most then
      if value <= heap[1] then return end
      heap[1] = value
      return sink(1)
    end
    local at = #heap + 1
    heap[at] = value
    while at > 1 and heap[at] < heap[math.floor(at / 2)] do
      local parent = math.floor(at / 2)
      heap[at], heap[parent], at = heap[parent], heap[at], parent
    end
  end
  return add, function() return #heap == most and heap[1] or -math.huge end
end

--- The end of the last of the newest `keep` jobs: what ended before it may go. The registry's own order does
-- not tell it: its scores are when a job expires, all the same where nothing does.
local function end_of_kept(p, queue, state, keep)
  if keep == 0 then return math.huge end
  local add, smallest = newest(keep)
  for _, score, job in rq_ended.entries(p, queue, state) do
    local ended = job.loads and rq.is_in_state(state, job) and rq.ended(state, score, job)
    if ended then add(ended) end
  end
  return smallest()
end

--- Whether an entry may go by its time; nil if that cannot be told. What has no job any more has ended before
-- it expired (or when it was canceled).
local function ended_before(limit, state, score, job)
  if not job.loads then return score >= 0 and score < math.huge and score * 1000 < limit end
  local ended = rq.ended(state, score, job)
  if not ended then return nil end
  return ended < limit
end

--- Ids of `state` that ended before `before` (ms) and are not among the newest `keep`, with the time that they must
-- have ended before; also ids of which nothing tells when they ended.
function rq_ended.before(p, queue, state, before, keep)
  local limit = math.min(before, end_of_kept(p, queue, state, keep))
  local entries = rq_ended.entries(p, queue, state)
  return function()
    for id, score, job in entries do
      local over = ended_before(limit, state, score, job)
      local is_here = not job.loads or rq.is_in_state(state, job)
      if is_here and over ~= false then return id, string.format("%.3f", limit) end
    end
  end
end

--- Whether it runs again at some time: by RQ 2 (repeat.py schedule), or by rq-scheduler, whose periodic jobs are the
-- same job each time.
local function is_scheduled(p, queue, id)
  return redis.call("ZSCORE", rq.key(p, "scheduled", queue), id)
    or redis.call("ZSCORE", rq.key(p, "scheduler", "scheduled_jobs"), id)
end

--- Takes one job that has ended out of its registry, with all that is its own, unless it has not ended before `limit`,
-- or is at work again, or another job waits for it. The registry's entry goes last.
-- Whatever moves a job changes its hash, so the hash is what is watched; the registry changes all the time.
function rq_ended.remove(p, queue, state, id, limit, keep)
  local registry, key = rq.key(p, state, queue), rq.job_key(p, id)
  return atomically({ key, rq.dependents_key(p, id), rq.dependencies_key(p, id) }, function(write, watch)
    local score = tonumber(redis.call("ZSCORE", registry, id))
    if not score then return "gone" end
    local job = rq.job(p, id)
    local over = ended_before(limit, state, score, job)
    if not job.loads then
      if not over then return "kept", "there is no such job any more" end
      write("ZREM", registry, id)
      return "removed", "it had expired"
    end
    if not rq.is_in_state(state, job) then return "kept", "its status is " .. (job.status or "not known") end
    if over == nil then return "kept", "nothing tells when it ended" end
    if not over then return "kept", "it has ended again" end
    if keep > 0 and redis.call("ZCARD", registry) <= keep then return "kept", "among the newest" end
    if is_scheduled(p, job.origin or queue, id) then return "kept", "it is scheduled to run again" end
    if rq.is_awaited(p, id, watch) then return "kept", "another job waits for it" end
    rq.delete(p, write, job)
    write("ZREM", registry, id)
    return "removed"
  end)
end

-- Failures

--- The text of the last failure, as Job.exc_info has it: from the newest result (results.py), or from the hash.
local function error_text(p, job)
  local results = rq.key(p, "results", job.id)
  local last = redis.call("TYPE", results).ok == "stream" and redis.call("XREVRANGE", results, "+", "-", "COUNT", 1)[1]
  local fields = last and last[2] or {}
  for i = 1, #fields, 2 do
    if fields[i] == "exc_string" then return rq_text.unpack(fields[i + 1]) end
  end
  local stored = redis.call("HGET", job.key, "exc_info")
  return stored and rq_text.decompress(stored) or ""
end

--- Whether a job failed since `since` and before this run, nor was queued by it: workers write the end by their own
-- clocks, which may be slow.
local function failed_within(since, now, score, job)
  if job.enqueued_at == rq_time.format(now) then return false end
  local failed = rq.ended("failed", score, job)
  if not failed then return not since end
  return failed < now and (not since or failed >= since)
end

--- Ids of jobs that failed since `p.since` and before this run, with an error that `p.error` matches. Whoever fails
-- during the run is left for the next one.
function rq_ended.failures(p, queue)
  local entries = rq_ended.entries(p, queue, "failed")
  return function()
    for id, score, job in entries do
      if job.loads and rq.is_in_state("failed", job) and failed_within(p.since, p.now, score, job)
        and (p.error == "*" or glob.match(p.error, error_text(p, job))) then
        return id
      end
    end
  end
end

--- Puts one failed job at the end of its queue, as registry.requeue has it. That takes the entry out of the
-- registry first and changes the hash later, so here the registry is watched as well: or both would queue it.
function rq_ended.retry(p, queue, id)
  local registry = rq.key(p, "failed", queue)
  return atomically({ registry, rq.job_key(p, id) }, function(write)
    local score = tonumber(redis.call("ZSCORE", registry, id))
    if not score then return "gone" end
    local job = rq.job(p, id)
    if not job.loads then return "kept", "there is no such job any more" end
    if not rq.is_in_state("failed", job) then return "kept", "its status is " .. (job.status or "not known") end
    if not failed_within(p.since, p.now, score, job) then return "kept", "it has failed again" end
    local cleared = { "started_at", "", "ended_at", "", "exc_info", "\120\156\3\0\0\0\0\1" } -- '' as zlib has it
    write("ZREM", registry, id)
    rq.enqueue(p, write, job, job.origin or queue, false, cleared)
    return "retried"
  end)
end

return rq_ended
