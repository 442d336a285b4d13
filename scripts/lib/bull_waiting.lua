--- How jobs of Bull 3 and 4 come to wait for a worker again: those of dead workers, failed and overdue ones.
-- Facts from the library's own scripts (bull lib/commands), named where they are used.
local bull = require "lib.bull"
local json = require "lib.json"
local pages = require "lib.bull_pages"

local waiting = {}

local function ms(number) return string.format("%.0f", number) end

--- The list where a waiting job goes now (getTargetQueueList.lua).
local function target_of(queue)
  return queue .. (redis.call("EXISTS", queue .. "meta-paused") == 1 and "paused" or "wait")
end

-- Stalled

-- Whatever takes a job into `active` or out of it sets one of these: the same at two looks, it has not moved.
local attempt_fields = { "processedOn", "attemptsMade", "stalledCounter", "finishedOn" }

local function attempt_of(fields)
  local words = {}
  for i = 1, #attempt_fields do words[i] = fields[i] or "" end
  return table.concat(words, "/")
end

local function ask_for_worker(queue, id)
  local job = queue .. id
  return {
    { "EXISTS", job .. ":lock" },
    { "HEXISTS", job, "data" },
    { "HMGET", job, unpack(attempt_fields) },
  }
end

--- Jobs in `active` without a lock: queue, id, and which attempt it is.
function waiting.unlocked(queues)
  local active = pages.each_of(queues, function(queue) return pages.list(queue .. "active") end)
  return pages.judged(active, ask_for_worker, function(replies, queue, id)
    local locked, is_job, fields = unpack(replies)
    if locked == 0 and is_job == 1 then return queue, id, attempt_of(fields) end
  end)
end

local too_often = "job stalled more than allowable limit"

--- Whether the job's own options say that it goes when it fails. What they say about other failed jobs (an age,
--- a number) is left to the next failure of a living worker.
local function goes_when_failed(opts)
  local wish = json.get(opts or "", "removeOnFail")
  if not wish then return false end
  return wish == "true" or wish == "0" or json.get(wish, "count") == "0"
end

--- A job that has stalled too often fails, as in moveStalledJobsToWait-7.lua.
local function fail(write, watch, queue, id, opts, debounce_id, now)
  local job = queue .. id
  bull.remove_debounce(write, watch, queue, id, debounce_id)
  if goes_when_failed(opts) then
    bull.remove_keys(write, job)
  else
    write("HSET", job, "failedReason", too_often, "finishedOn", ms(now))
    write("ZADD", queue .. "failed", ms(now), id)
  end
  local event = { '{"jobId":', json.quote(id), ', "val": "job stalled more than maxStalledCount"}' }
  write("PUBLISH", queue .. "failed", table.concat(event))
end

--- Puts a job of a dead worker back, next in turn; or into `failed` if it has stalled more than `max_stalled` times.
-- What takes a job out of `active` needs its lock or changes its hash, so these are what is watched; `active` itself
-- changes all the time.
function waiting.requeue(p, queue, id, attempt)
  local job, active = queue .. id, queue .. "active"
  return atomically({ job, job .. ":lock", queue .. "meta-paused" }, function(write, watch)
    local locked, is_job, fields = unpack(pipelined(ask_for_worker(queue, id)))
    if is_job == 0 then return "gone" end
    if locked == 1 then return "kept", "a worker holds its lock" end
    if attempt_of(fields) ~= attempt then return "kept", "it has moved since the first look" end
    if not redis.call("LPOS", active, id, "RANK", -1) then return "gone" end

    local stalled = (tonumber(fields[3]) or 0) + 1
    local more = redis.call("HMGET", job, "opts", "deid")
    write("LREM", active, -1, id)
    write("SREM", queue .. "stalled", id)
    write("HSET", job, "stalledCounter", stalled)
    if stalled > p.max_stalled then
      fail(write, watch, queue, id, more[1], more[2], p.now)
      return "exhausted", "it stalled too often, and is in failed now"
    end
    write("RPUSH", target_of(queue), id)
    write("PUBLISH", queue .. "stalled@", id)
    return "requeued"
  end)
end

-- Failed and delayed. These are called in one script, where nothing comes in between.

--- Behind all jobs of the same priority, ahead of those without one (addJobWithPriority.lua).
local function push_by_priority(write, queue, list, id, priority)
  local ahead = redis.call("ZCOUNT", queue .. "priority", 0, priority)
  local score = redis.call("ZSCORE", queue .. "priority", id)
  if score and tonumber(score) <= priority then ahead = ahead - 1 end -- that is the job itself
  local beside = redis.call("LINDEX", list, redis.call("LLEN", list) - ahead)
  write("ZADD", queue .. "priority", priority, id)
  if beside then write("LINSERT", list, "BEFORE", beside, id) else write("RPUSH", list, id) end
end

local function push(write, queue, id, priority, command)
  local list = target_of(queue)
  priority = tonumber(priority or "") or 0
  if priority == 0 then
    write(command, list, id) -- commands: LPUSH, RPUSH
  else
    push_by_priority(write, queue, list, id, priority)
  end
  write("PUBLISH", queue .. "waiting@", id)
end

--- Raises now, before the first write, what would raise between two of them.
local function require_types(queue)
  redis.call("LLEN", queue .. "wait")
  redis.call("LLEN", queue .. "paused")
  redis.call("ZCARD", queue .. "priority")
end

--- Jobs that failed at `since` or later (nil: at any time), and not after `now`, with a reason like `error`: queue,
--- id, and the score in `failed`, which names this failure and no later one.
function waiting.failed(queues, since, now, error)
  local from = since and ms(since) or "-inf"
  local all = pages.each_of(queues, function(queue) return scan.zset(queue .. "failed", from, ms(now)) end)
  if error == "*" then return all end
  return pages.judged(all, function(queue, id)
    return { { "HGET", queue .. id, "failedReason" } }
  end, function(replies, queue, id, score)
    if glob.match(error, replies[1] or "") then return queue, id, score end
  end)
end

--- Gives a failed job another attempt (reprocessJob-6.lua), at the place of its priority.
function waiting.retry(queue, id, score, now)
  local job = queue .. id
  if redis.call("ZSCORE", queue .. "failed", id) ~= score then return "gone" end
  local fields = redis.call("HMGET", job, "data", "opts", "priority")
  if not fields[1] then return "kept", "its hash is missing" end
  if redis.call("EXISTS", job .. ":lock") == 1 then return "kept", "a worker holds its lock" end
  require_types(queue)

  return atomically({ job }, function(write)
    write("ZREM", queue .. "failed", id)
    write("HDEL", job, "finishedOn", "processedOn", "failedReason")
    write("HSET", job, "retriedOn", ms(now))
    local is_lifo = json.get(fields[2] or "", "lifo") == "true"
    push(write, queue, id, fields[3], is_lifo and "RPUSH" or "LPUSH")
    return "retried"
  end)
end

-- A score in `delayed` is ms * 4096 and 12 bits of a counter (addJob-6.lua).
local ticks = 4096

--- Jobs that were due at `before` (ms) or earlier: queue, id.
function waiting.overdue(queues, before)
  return pages.each_of(queues, function(queue)
    return scan.zset(queue .. "delayed", "-inf", string.format("(%.0f", (before + 1) * ticks))
  end)
end

--- Lets a delayed job wait for a worker now (promote-5.lua).
function waiting.promote(queue, id, before)
  local job = queue .. id
  local score = redis.call("ZSCORE", queue .. "delayed", id)
  if not score then return "gone" end
  if tonumber(score) >= (before + 1) * ticks then return "kept", "it was delayed again" end
  local fields = redis.call("HMGET", job, "data", "priority")
  if not fields[1] then return "kept", "its hash is missing" end
  require_types(queue)

  return atomically({ job }, function(write)
    write("ZREM", queue .. "delayed", id)
    write("HSET", job, "delay", "0")
    push(write, queue, id, fields[2], "LPUSH")
    return "promoted"
  end)
end

return waiting
