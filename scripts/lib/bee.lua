--- What Bee-Queue 1 and 2 keep in Redis, and how jobs are moved and removed.
-- All jobs of a queue are fields of one hash `jobs`: id -> JSON. The lists, sets and the sorted set beside it hold
-- ids. Facts from the library's own source (bee-queue lib/, lib/lua), named where they are used. What moves a job is
-- called in one script: `jobs` changes with every job, so there is nothing that could be watched for one of them.
local json = require "lib.json"
local pages = require "lib.bull_pages"

local bee = {}

local structures = {
  waiting = "list", active = "list", delayed = "zset", succeeded = "set", failed = "set", stalling = "set",
}
local structure_names = { "waiting", "active", "delayed", "succeeded", "failed", "stalling" }

--- Job.toData() has these members.
local function looks_like_a_job(text)
  return json.get(text, "status") and json.number(json.get(text, "options", "timestamp"))
end

--- Whether all at `base` is as Bee-Queue has it; one job stands for all.
function bee.is_known(base)
  local asked = {}
  for i, name in ipairs(structure_names) do asked[i] = { "TYPE", base .. name } end
  for i, reply in ipairs(pipelined(asked)) do
    if reply.ok ~= "none" and reply.ok ~= structures[structure_names[i]] then return false end
  end
  local _, text = scan.hash(base .. "jobs")()
  return text and looks_like_a_job(text)
end

--- Base keys (`bq:mail:`) of the queues under `p.prefix` whose name matches `p.queues`. One whose layout is not known
--- is emitted alone, for bee.unknown().
function bee.queues(p, emit)
  local head, seen = p.prefix .. ":", {}
  local keys = scan.keys { match = glob.escape(head) .. "*:jobs", type = "hash" }
  return function()
    for key in keys do
      local base = key:sub(1, -#"jobs" - 1)
      if not seen[base] and glob.match(p.queues, base:sub(#head + 1, -2)) then
        seen[base] = true
        if bee.is_known(base) then return base end
        emit(base)
      end
    end
  end
end

--- What each answers for a queue that stands alone.
function bee.unknown() return "kept", "its layout is not that of Bee-Queue" end

--- The JSON of a job, or nil.
local function read(queue, id) return redis.call("HGET", queue .. "jobs", id) or nil end

--- When a job was created (ms), or nil.
function bee.created(queue, id) return json.number(json.get(read(queue, id) or "", "options", "timestamp")) end

local function is_member(set, id) return redis.call("SISMEMBER", set, id) == 1 end

--- When a job was created; or when it was due, if it was delayed (ms). nil if its layout is not known.
local function start_of(text)
  local options = json.get(text or "", "options") or ""
  local created = json.number(json.get(options, "timestamp"))
  if not created then return nil end
  return math.max(created, json.number(json.get(options, "delay")) or 0)
end

--- The error of the last attempt (Queue._finishJob puts it first).
local function error_of(text)
  local decoded, options = pcall(cjson.decode, json.get(text or "", "options") or "")
  local first = decoded and type(options) == "table" and type(options.stacktraces) == "table" and options.stacktraces[1]
  return type(first) == "string" and first or ""
end

--- Ids in a set with the JSON of their jobs, as far as accept(text) has them: queue, id.
local function in_set(queues, name, accept)
  local all = pages.each_of(queues, function(queue) return scan.set(queue .. name) end)
  return pages.judged(all, function(queue, id)
    return { { "HGET", queue .. "jobs", id } }
  end, function(replies, queue, id)
    if replies[1] and accept(replies[1]) then return queue, id end
  end)
end

-- Finished jobs

--- Jobs in `succeeded` or `failed` that were created (or due) before `before` (ms).
function bee.started_before(queues, state, before)
  return in_set(queues, state, function(text)
    local start = start_of(text)
    return start and start < before
  end)
end

-- A job of `succeeded` for which Job.retry() was called is pushed to the left end of `waiting`, and stays there too.
--- Both commands, or none if the first cannot be done or one is not allowed.
local function move(from, to, outcome)
  return atomically({ from[2] }, function(write)
    write(unpack(from)) -- commands: HDEL, SREM, ZREM
    write(unpack(to)) -- commands: SREM, LPUSH
    return outcome
  end)
end

local most_looked_at = 1000

local function waits_again(queue, id)
  if redis.call("LPOS", queue .. "active", id) then return true end
  return redis.call("LPOS", queue .. "waiting", id, "MAXLEN", most_looked_at)
end

--- Takes one finished job out of its queue: the entry in `jobs` first, the one in the set last.
function bee.remove_finished(queue, state, id, before)
  if not is_member(queue .. state, id) then return "gone" end
  local start = start_of(read(queue, id))
  if not start then return "kept", "its time is not known" end
  if start >= before then return "kept", "it was added again" end
  if waits_again(queue, id) then return "kept", "it waits for another attempt" end
  return move({ "HDEL", queue .. "jobs", id }, { "SREM", queue .. state, id }, "removed")
end

-- Failed and delayed jobs

--- Failed jobs that were created (or due) at `since` or later (nil: at any time), with an error like `error`.
function bee.failed(queues, since, error)
  return in_set(queues, "failed", function(text)
    local start = start_of(text)
    return start and start >= (since or 0) and (error == "*" or glob.match(error, error_of(text)))
  end)
end

--- Job.retry(), for a job that is in `failed`.
function bee.retry(queue, id)
  if not is_member(queue .. "failed", id) then return "gone" end
  if not read(queue, id) then return "kept", "its entry in jobs is missing" end
  redis.call("LLEN", queue .. "waiting")
  return move({ "SREM", queue .. "failed", id }, { "LPUSH", queue .. "waiting", id }, "retried")
end

--- Jobs that were due at `before` (ms) or earlier: queue, id.
function bee.overdue(queues, before)
  return pages.each_of(queues, function(queue)
    return scan.zset(queue .. "delayed", "-inf", string.format("%.0f", before))
  end)
end

--- raiseDelayedJobs.lua, for one job.
function bee.promote(queue, id, before)
  local score = redis.call("ZSCORE", queue .. "delayed", id)
  if not score then return "gone" end
  if tonumber(score) > before then return "kept", "it was delayed again" end
  if not read(queue, id) then return "kept", "its entry in jobs is missing" end
  redis.call("LLEN", queue .. "waiting")
  return move({ "ZREM", queue .. "delayed", id }, { "LPUSH", queue .. "waiting", id }, "promoted")
end

-- Stalled jobs

--- Jobs in `active`: queue, what is to be done, id. One that no check has marked in `stalling` yet is to be marked.
function bee.active(queues, action)
  local all = pages.each_of(queues, function(queue) return pages.list(queue .. "active") end)
  return pages.judged(all, function(queue, id)
    return { { "SISMEMBER", queue .. "stalling", id }, { "HEXISTS", queue .. "jobs", id } }
  end, function(replies, queue, id)
    local wanted = replies[1] == 1 and "requeue" or "mark"
    if replies[2] == 1 and wanted == action then return queue, wanted, id end
  end)
end

--- The first half of checkStalledJobs.lua, for one job: a living worker takes the mark away within half its
--- stallInterval. As long as `stallBlock` is there no check looks at the marks.
function bee.mark(queue, id, grace)
  if not redis.call("LPOS", queue .. "active", id) or not read(queue, id) then return "gone" end
  if is_member(queue .. "stalling", id) then return "gone" end
  if redis.call("PTTL", queue .. "stallBlock") < grace then
    redis.call("SET", queue .. "stallBlock", "1", "PX", string.format("%.0f", grace))
  end
  redis.call("SADD", queue .. "stalling", id)
  return "kept", "marked: it goes back if its worker does not object"
end

--- The second half: a mark that is still there when `stallBlock` has run out is that of a dead worker.
function bee.requeue(queue, id)
  if redis.call("EXISTS", queue .. "stallBlock") == 1 then
    return "kept", "a check has just marked it: its worker may still object"
  end
  if not is_member(queue .. "stalling", id) then return "gone" end
  if not read(queue, id) then return "kept", "its entry in jobs is missing" end
  redis.call("LLEN", queue .. "waiting")
  if not redis.call("LPOS", queue .. "active", id) then return "gone" end
  return atomically({ queue .. "active" }, function(write)
    write("LREM", queue .. "active", 0, id)
    write("SREM", queue .. "stalling", id)
    write("LPUSH", queue .. "waiting", id)
    return "requeued"
  end)
end

return bee
