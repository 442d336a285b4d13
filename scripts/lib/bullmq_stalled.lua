--- Jobs of BullMQ 3 to 6 whose worker is dead, and how they come to wait again.
-- Facts from the library's own scripts (bullmq dist/cjs/commands), named where they are used.
local bullmq = require "lib.bullmq"
local stalled = {}

-- Set or counted up whenever a worker takes the job (prepareJobForProcessing.lua; `ats` in 5 and 6,
-- `attemptsMade` in 3 and 4): the same values at two looks are the same attempt.
local function attempt_of(processed_on, started, made)
  return (processed_on or "") .. "/" .. (started or "") .. "/" .. (made or "")
end

--- What is in `active` without a lock: its id, and the attempt. A marker of BullMQ 3 and 4 that a worker took with
-- it has the attempt "marker"; an id without a hash is no job.
local function without_lock(queue)
  return bullmq.examine(scan.list(queue .. "active"), function(id)
    local job = queue .. id
    return {
      { "EXISTS", job .. ":lock" },
      { "HMGET", job, "name", "processedOn", "ats", "attemptsMade" },
    }
  end, function(id, _, locked, fields)
    if locked == 1 then return nil end
    if fields[1] then return attempt_of(fields[2], fields[3], fields[4]) end
    return bullmq.is_pseudo(id) and "marker" or nil
  end)
end

--- The same for all queues: queue, id, attempt.
function stalled.candidates(p)
  local queues, queue = bullmq.queues(p), nil
  local walk = function() end
  return function()
    while true do
      local id, attempt = walk()
      if id then return queue, id, attempt end
      queue = queues()
      if not queue then return nil end
      walk = without_lock(queue)
    end
  end
end

local function remove_marker(queue, id)
  return atomically({ queue .. id }, function(write)
    if redis.call("EXISTS", queue .. id) == 1 then return "kept", "a job has the id of a marker" end
    write("LREM", queue .. "active", -1, id)
    return "removed"
  end)
end

--- Whether a job belongs to a scheduler that still exists: it never fails for having stalled.
local function is_scheduled(queue, scheduler)
  if not scheduler then return false end
  if redis.call("EXISTS", queue .. "repeat:" .. scheduler) == 1 then return true end
  return redis.call("ZSCORE", queue .. "repeat", scheduler) and true or false
end

local too_often = "job stalled more than allowable limit"

--- BullMQ 3 and 4 fail a job that stalled too often (checkStalledJobs.lua).
local function fail(write, queue, facts, id, now)
  local at = string.format("%.0f", now)
  write("HSET", queue .. id, "failedReason", too_often, "finishedOn", at)
  write("ZADD", queue .. "failed", at, id)
  bullmq.event(write, queue, facts, "failed", "jobId", id, "prev", "active", "failedReason", too_often)
  return "exhausted", "it stalled too often, and is in failed now"
end

--- Next out again; a prioritized job ahead of those of its own priority (pushBackJobWithPriority.lua).
local function put_back(write, queue, facts, id, priority)
  if priority > 0 and facts.priorities == "zset" then
    redis.call("ZCARD", queue .. "prioritized") -- fails here and not halfway if it is no sorted set
    write("ZADD", queue .. "prioritized", string.format("%.0f", priority * 0x100000000), id)
    bullmq.add_zero_marker(write, facts)
  else
    write("RPUSH", facts.list, id)
  end
  bullmq.add_marker(write, queue, facts)
  bullmq.event(write, queue, facts, "waiting", "jobId", id, "prev", "active")
  bullmq.event(write, queue, facts, "stalled", "jobId", id)
end

--- Puts a job back that is in `active` without a lock, still in the same attempt as before.
-- Nobody can finish that attempt any more: a lock that is gone is never renewed (extendLock.lua). What else
-- takes a job out of `active` changes its hash or its lock, so these are watched. One thing does not: a worker
-- of BullMQ 3 or 4 that meets the rate limit puts back what it has just taken; there `active` is watched, too.
function stalled.requeue(queue, id, attempt, max_stalled, now)
  if attempt == "marker" then return remove_marker(queue, id) end
  local job, active = queue .. id, queue .. "active"
  return atomically({ job, job .. ":lock", queue .. "meta" }, function(write, watch)
    local facts = bullmq.facts(queue)
    if facts.unknown then return "kept", "written by " .. facts.unknown .. ", which is not known here" end
    if not facts.has_marker then watch(active) end
    local locked, fields, place = unpack(pipelined {
      { "EXISTS", job .. ":lock" },
      { "HMGET", job, "name", "processedOn", "ats", "attemptsMade", "rjk", "priority", "stc", "stalledCounter" },
      { "LPOS", active, id, "RANK", -1 }, -- bounded: from the old end, where the dead are
    })
    if not place or not fields[1] then return "gone" end
    if locked == 1 then return "kept", "a worker has it" end
    if attempt_of(fields[2], fields[3], fields[4]) ~= attempt then return "kept", "a worker took it meanwhile" end

    local counter, count = "stalledCounter", fields[8]
    if facts.has_marker then counter, count = "stc", fields[7] end
    local exhausted = (tonumber(count) or 0) >= max_stalled
    if facts.has_marker and is_scheduled(queue, fields[5]) then exhausted = false end
    if exhausted and facts.has_marker and not bullmq.defers_failures(facts) then
      return "kept", "it stalled too often, which its own workers have to tell it"
    end

    write("LREM", active, -1, id)
    write("SREM", queue .. "stalled", id)
    write("HINCRBY", job, counter, 1)
    if exhausted and not facts.has_marker then return fail(write, queue, facts, id, now) end
    if exhausted then write("HSET", job, "defa", too_often) end
    put_back(write, queue, facts, id, exhausted and 0 or tonumber(fields[6]) or 0)
    return "requeued", exhausted and "it stalled too often: the next worker fails it" or nil
  end)
end

return stalled
