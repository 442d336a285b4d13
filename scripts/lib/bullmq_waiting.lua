--- How failed and overdue jobs of BullMQ 3 to 6 come to wait for a worker again.
-- Facts from the library's own scripts (bullmq dist/cjs/commands), named where they are used.
local bullmq = require "lib.bullmq"
local in_turn = require "lib.in_turn"
local waiting = {}

--- The number that the next prioritized job of a queue gets (getPriorityScore.lua); nil if this one needs none.
-- It is drawn ahead of the transaction that uses it: a number that stays unused does no harm. Above maxmemory,
-- where nothing may be added before something was removed, the job becomes the first of its priority.
local function draw_number(queue, job)
  local priority = tonumber(redis.call("HGET", job, "priority")) or 0
  if priority == 0 then return nil end
  local facts = bullmq.facts(queue)
  if facts.unknown or facts.priorities ~= "zset" then return nil end
  local number = redis.pcall("INCR", queue .. "pc")
  return type(number) == "number" and number or 0
end

--- BullMQ 3 keeps its prioritized jobs at the right end of the list, by priority (addJobWithPriority.lua).
local function insert_at_place(write, watch, queue, facts, id, priority)
  watch(queue .. "priority", facts.list)
  local ahead, length = unpack(pipelined {
    { "ZCOUNT", queue .. "priority", 0, priority },
    { "LLEN", facts.list },
  })
  local beside = ahead > 0 and redis.call("LINDEX", facts.list, math.max(0, length - ahead))
  write("ZADD", queue .. "priority", priority, id)
  if beside then write("LINSERT", facts.list, "BEFORE", beside, id) else write("RPUSH", facts.list, id) end
end

--- Where a prioritized job stands among those of its priority: behind the ones with a lower number.
local function priority_score(priority, number)
  return string.format("%.0f", priority * 0x100000000 + number % 0x100000000)
end

--- Puts a job that is in no index where workers find it. `push` is for jobs without a priority.
local function put(write, watch, queue, facts, id, priority, number, push)
  if priority > 0 and facts.priorities == "zset" then
    redis.call("ZCARD", queue .. "prioritized") -- fails here and not halfway if it is no sorted set
    write("ZADD", queue .. "prioritized", priority_score(priority, number or 0), id)
    bullmq.add_zero_marker(write, facts)
  elseif priority > 0 and facts.priorities == "place" then
    insert_at_place(write, watch, queue, facts, id, priority)
  else
    write(push, facts.list, id) -- commands: LPUSH, RPUSH
  end
  bullmq.add_marker(write, queue, facts)
end

--- Moves a job out of `failed` or `delayed`, where it still has to stand with `score`. `prepare` writes what
-- changes in the job itself, and says how it is pushed, and the outcome.
-- Whatever else takes a job out of these indexes changes or removes its hash, so the hash is what is watched.
-- The index entry goes first: above maxmemory a script may write on once it has removed something.
local function move(queue, state, id, score, prepare)
  local job = queue .. id
  local number = draw_number(queue, job)
  return in_turn({ job, queue .. "meta" }, function(write, watch, claim)
    local stands, fields = unpack(pipelined {
      { "ZSCORE", queue .. state, id },
      { "HMGET", job, "name", "priority", "parentKey", "opts" },
    })
    if stands ~= score then return "gone" end
    if not fields[1] then return "kept", "it has no hash" end
    local facts = bullmq.facts(queue)
    if facts.unknown then return "kept", "written by " .. facts.unknown .. ", which is not known here" end

    local priority = tonumber(fields[2]) or 0
    if priority > 0 and facts.priorities == "place" then claim(facts.list) end -- where others find their places

    write("ZREM", queue .. state, id)
    local push, outcome = prepare(write, watch, job, fields[3], fields[4])
    put(write, watch, queue, facts, id, priority, number, push)
    bullmq.event(write, queue, facts, "waiting", "jobId", id, "prev", state)
    return outcome
  end)
end

--- A child that is retried is one of those again that its parent waits for (moveChildBackToParentDependencies.lua).
-- A parent that has failed or completed stays where it is.
local function give_back_to_parent(write, watch, parent, job)
  local unsuccessful, failed = parent .. ":unsuccessful", parent .. ":failed"
  watch(parent, unsuccessful, failed)
  local exists, abandoned, forgiven = unpack(pipelined {
    { "EXISTS", parent },
    { "ZSCORE", unsuccessful, job },
    { "HEXISTS", failed, job },
  })
  if exists == 0 then return end
  if abandoned then
    write("ZREM", unsuccessful, job)
  elseif forgiven == 1 then
    write("HDEL", failed, job)
  else
    return
  end
  write("SADD", parent .. ":dependencies", job)
end

--- Whether a job was added to be the next one out, whatever waits.
local function is_lifo(opts)
  local decoded, options = pcall(cjson.decode, opts or "")
  return decoded and type(options) == "table" and options.lifo == true
end

--- Gives a failed job one more attempt, as the library does (reprocessJob.lua), but keeps its priority.
function waiting.retry(queue, id, score, reset_attempts)
  return move(queue, "failed", id, score, function(write, watch, job, parent, opts)
    local gone = { "finishedOn", "processedOn", "failedReason" }
    if reset_attempts then
      gone[#gone + 1] = "atm"
      gone[#gone + 1] = "attemptsMade"
    end
    write("HDEL", job, unpack(gone))
    if parent then give_back_to_parent(write, watch, parent, job) end
    return is_lifo(opts) and "RPUSH" or "LPUSH", "retried"
  end)
end

--- Lets a delayed job wait for a worker now (promoteDelayedJobs.lua).
function waiting.promote(queue, id, score)
  return move(queue, "delayed", id, score, function(write, _, job)
    write("HSET", job, "delay", 0)
    return "LPUSH", "promoted"
  end)
end

local newest = {}

--- The time of the newest failure of a queue when the run first looked; not after `now`. Workers write it by their own
-- clocks, which may be slow: `now` alone would not tell what fails again during the run.
local function newest_failure(queue, now)
  if not newest[queue] then
    local last = redis.pcall("ZREVRANGE", queue .. "failed", 0, 0, "WITHSCORES") -- another type is told by the walk
    newest[queue] = math.min(now, tonumber(last[2]) or 0)
  end
  return newest[queue]
end

--- Ids and scores of the jobs that failed at `since` (ms) or later, and before this run, with an error like `error`,
-- oldest first. So one that fails again at once is not retried twice in a run.
function waiting.failed_since(queue, since, now, error)
  local from, to = since and string.format("%.0f", since) or "-inf", string.format("%.0f", newest_failure(queue, now))
  local walk = scan.zset(queue .. "failed", from, to)
  return bullmq.examine(walk, function(id)
    return { { "HMGET", queue .. id, "name", "failedReason" } }
  end, function(_, score, fields)
    return fields[1] and glob.match(error, fields[2] or "") and score
  end)
end

--- Ids and scores of the jobs whose time came at `before` (ms) or earlier, the longest overdue first. A score
-- is that time * 4096 + n (getDelayedScore.lua).
function waiting.overdue(queue, before)
  local walk = scan.zset(queue .. "delayed", "-inf", string.format("(%.0f", (before + 1) * 4096))
  return bullmq.examine(walk, function(id)
    return { { "HEXISTS", queue .. id, "name" } }
  end, function(_, score, exists)
    return exists == 1 and score
  end)
end

return waiting
