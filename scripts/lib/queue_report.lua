--- Finds the queues of every job library on a server, and reads of each one how it is, by a few commands that do
-- not grow with it. What only looks like a queue by its name is none: a `meta` without BullMQ's own version, a counter
-- `id` beside nothing, a set `queues` without jobs or processes.
local bee = require "lib.bee"
local bullmq = require "lib.bullmq"
local iso_time = require "lib.iso_time"
local json = require "lib.json"
local owner = require "lib.owner"
local process = require "lib.sidekiq_process"
local workers = require "lib.queue_workers"
local report = {}

local minute = 60000

-- A state is { name, jobs }. A queue is { family, name, states, workers, oldest (age in ms of the job that is
-- next), per_minute (jobs that finished in the last minute), paused }, each but the first three nil if it cannot
-- be told; or { family, name, problem }.

local function score(ms) return string.format("%.0f", ms) end
local function seconds(ms) return string.format("%.3f", ms / 1000) end
local function exists(key) return redis.call("EXISTS", key) == 1 end
local function type_of(key) return redis.call("TYPE", key).ok end

--- Iterates over the base keys of the keys that `match` and end in `suffix`.
local function bases(match, kind, suffix)
  local keys = scan.keys { match = match, type = kind }
  return function()
    local key = keys()
    return key and key:sub(1, -#suffix - 1)
  end
end

local page_size = 200

--- The values of an iterator for which a command says yes; they are asked about in pages.
local function only(iterator, command, says_yes)
  local page, at, replies = {}, 0, {}
  return function()
    while true do
      if at == #page then
        page, at = {}, 0
        local commands = {}
        for value in iterator do
          page[#page + 1], commands[#page + 1] = value, command(value)
          if #page == page_size then break end
        end
        if #page == 0 then return nil end
        replies = pipelined(commands)
      end
      at = at + 1
      if says_yes(page[at], replies[at]) then return page[at] end
    end
  end
end

-- BullMQ and Bull: the same structures

--- Since when a job waits, at the earliest: since it was added, or was due, or ran the last time. A delay that is over
--- is only in its options (promoteDelayedJobs.lua).
local function since_when(job)
  local times = redis.call("HMGET", job, "timestamp", "delay", "processedOn", "opts")
  local added = tonumber(times[1] or nil)
  if not added then return nil end
  local delay = math.max(tonumber(times[2] or nil) or 0, json.number(json.get(times[4] or "", "delay")) or 0)
  return math.max(added + delay, tonumber(times[3] or nil) or 0)
end

local function is_marker(id) return id and bullmq.is_pseudo(id) or false end

--- How many ids at the two ends of a list of this length are no jobs.
local function markers(length, head, tail)
  return (is_marker(tail) and 1 or 0) + (length > 1 and is_marker(head) and 1 or 0)
end

local function age_of_next(base, now, tails)
  for _, id in ipairs(tails) do
    local since = id and not is_marker(id) and since_when(base .. id)
    if since then return now - since end
  end
  return nil
end

local function bull_like(family, base, now, seen)
  local wait, paused_jobs, prioritized, active, delayed, overdue, children, completed, failed, finished, failed_now,
    head, tail, before_tail, paused_head, paused_tail, is_paused, old_pause = unpack(pipelined {
    { "LLEN", base .. "wait" }, { "LLEN", base .. "paused" }, { "ZCARD", base .. "prioritized" },
    { "LLEN", base .. "active" }, { "ZCARD", base .. "delayed" },
    { "ZCOUNT", base .. "delayed", "-inf", "(" .. score((now + 1) * 4096) },
    { "ZCARD", base .. "waiting-children" }, { "ZCARD", base .. "completed" }, { "ZCARD", base .. "failed" },
    { "ZCOUNT", base .. "completed", score(now - minute), "+inf" },
    { "ZCOUNT", base .. "failed", score(now - minute), "+inf" },
    { "LINDEX", base .. "wait", 0 }, { "LINDEX", base .. "wait", -1 }, { "LINDEX", base .. "wait", -2 },
    { "LINDEX", base .. "paused", 0 }, { "LINDEX", base .. "paused", -1 },
    { "HEXISTS", base .. "meta", "paused" }, { "EXISTS", base .. "meta-paused" },
  })
  local no_jobs = markers(wait, head, tail) + markers(paused_jobs, paused_head, paused_tail)
  return {
    family = family, name = base:sub(1, -2), paused = is_paused == 1 or old_pause == 1,
    states = {
      { "waiting", wait + paused_jobs + prioritized - no_jobs }, { "active", active }, { "delayed", delayed },
      { "overdue", overdue }, { "waiting for children", children }, { "completed", completed }, { "failed", failed },
    },
    oldest = age_of_next(base, now, { tail, before_tail, paused_tail }), per_minute = finished + failed_now,
    workers = workers.named(seen, base),
  }
end

local function each_bullmq(visit, now, seen)
  local metas = only(bases("*:meta", "hash", "meta"), function(base)
    return { "HMGET", base .. "meta", "version", "opts.maxLenEvents" }
  end, function(_, meta) return meta[1] and meta[1]:find("^bullmq") or meta[2] and meta[2]:find("^%d+$") end)
  for base in metas do
    visit("bullmq", base:sub(1, -2), function() return bull_like("bullmq", base, now, seen) end)
  end
end

--- A counter alone is anybody's, unless a worker is named after it: what finished may all be removed.
local function each_bull(visit, now, seen)
  local beside = { "wait", "paused", "active", "completed", "failed", "delayed", "priority", "repeat", "meta-paused" }
  local counters = only(bases("*:id", "string", "id"), function(base)
    local command = { "EXISTS" }
    for _, name in ipairs(beside) do command[#command + 1] = base .. name end
    return command
  end, function(base, found) return found > 0 or (workers.named(seen, base) or 0) > 0 end)
  for base in counters do
    local library = owner.queue_at(base)
    local is_bull = not library and (exists(base .. "meta-paused") or (workers.named(seen, base) or 0) > 0)
    if library == "Bull" or is_bull then
      visit("bull", base:sub(1, -2), function() return bull_like("bull", base, now, seen) end)
    end
  end
end

-- Bee-Queue

local function bee_queue(base, now)
  local waiting, active, delayed, overdue, succeeded, failed, tail = unpack(pipelined {
    { "LLEN", base .. "waiting" }, { "LLEN", base .. "active" }, { "ZCARD", base .. "delayed" },
    { "ZCOUNT", base .. "delayed", "-inf", score(now) }, { "SCARD", base .. "succeeded" },
    { "SCARD", base .. "failed" }, { "LINDEX", base .. "waiting", -1 },
  })
  local options = tail and json.get(redis.call("HGET", base .. "jobs", tail) or "", "options") or ""
  local since = json.number(json.get(options, "timestamp"))
  return {
    family = "bee", name = base:sub(1, -2),
    oldest = since and now - math.max(since, json.number(json.get(options, "delay")) or 0),
    states = {
      { "waiting", waiting }, { "active", active }, { "delayed", delayed }, { "overdue", overdue },
      { "completed", succeeded }, { "failed", failed },
    },
  }
end

local function each_bee(visit, now)
  for base in bases("*:jobs", "hash", "jobs") do
    if bee.is_known(base) then visit("bee", base:sub(1, -2), function() return bee_queue(base, now) end) end
  end
end

-- RQ

local rq = "rq:" -- always

--- A set of workers names their keys, also of those that are gone (worker_registration.py).
local function count_alive(set)
  local count = 0
  for _ in only(scan.set(set), function(key) return { "EXISTS", key } end, function(_, found) return found == 1 end) do
    count = count + 1
  end
  return count
end

local function rq_queue(name, now)
  local function key(registry) return rq .. registry .. ":" .. name end
  local waiting, started, scheduled, overdue, deferred, finished, failed, head, suspended = unpack(pipelined {
    { "LLEN", key("queue") }, { "ZCARD", key("wip") }, { "ZCARD", key("scheduled") },
    { "ZCOUNT", key("scheduled"), "-inf", seconds(now) }, { "ZCARD", key("deferred") }, { "ZCARD", key("finished") },
    { "ZCARD", key("failed") }, { "LINDEX", key("queue"), 0 }, { "EXISTS", rq .. "suspended" },
  })
  local enqueued = head and iso_time.parse(redis.call("HGET", rq .. "job:" .. head, "enqueued_at") or nil)
  return {
    family = "rq", name = key("queue"), paused = suspended == 1, oldest = enqueued and now - enqueued,
    states = {
      { "waiting", waiting }, { "active", started }, { "delayed", scheduled }, { "overdue", overdue },
      { "deferred", deferred }, { "completed", finished }, { "failed", failed },
    },
    workers = count_alive(key("workers")),
  }
end

local function each_rq(visit, now)
  if type_of(rq .. "queues") ~= "set" then return end
  local head = rq .. "queue:"
  for key in scan.set(rq .. "queues") do
    if key:sub(1, #head) == head then visit("rq", key, function() return rq_queue(key:sub(#head + 1), now) end) end
  end
end

-- Sidekiq

--- A queue whose jobs say themselves when they were enqueued, in seconds or, since 8, in milliseconds.
local function sidekiq_queue(prefix, name, now, shared)
  local list = prefix .. "queue:" .. name
  local waiting, tail = unpack(pipelined { { "LLEN", list }, { "LINDEX", list, -1 } })
  local paused = type_of(prefix .. "paused") == "set" and redis.call("SISMEMBER", prefix .. "paused", name) == 1
  local enqueued = tail and json.number(json.get(tail, "enqueued_at"))
  if enqueued and enqueued < 1e11 then enqueued = enqueued * 1000 end
  return {
    family = "sidekiq", name = list, paused = paused, oldest = enqueued and now - enqueued,
    states = { { "waiting", waiting }, unpack(shared.states) }, workers = shared.workers[name] or 0,
  }
end

--- How many processes that live, and are not quiet, work on each queue.
local function sidekiq_workers(prefix)
  local working = {}
  for identity in scan.set(prefix .. "processes") do
    if type_of(prefix .. identity) == "hash" and redis.call("HGET", prefix .. identity, "quiet") ~= "true" then
      local info = process.info({ prefix = prefix }, identity)
      for _, queue in ipairs(info and type(info.queues) == "table" and info.queues or {}) do
        if type(queue) == "string" then working[queue] = (working[queue] or 0) + 1 end
      end
    end
  end
  return working
end

local function size_of(set, max)
  if type_of(set) ~= "zset" then return 0 end
  return redis.call("ZCOUNT", set, "-inf", max)
end

--- What all queues of a Sidekiq share.
local function sidekiq_shared(prefix, now)
  local retry, schedule, now_in_seconds = prefix .. "retry", prefix .. "schedule", seconds(now)
  return {
    states = {
      { "in retry of all queues", size_of(retry, "+inf") }, { "scheduled", size_of(schedule, "+inf") },
      { "overdue", size_of(retry, now_in_seconds) + size_of(schedule, now_in_seconds) },
      { "dead", size_of(prefix .. "dead", "+inf") },
    },
    workers = type_of(prefix .. "processes") == "set" and sidekiq_workers(prefix) or {},
  }
end

--- Whether a Sidekiq lives, or has run, under this prefix; Resque has a set `queues` as well, and `workers`.
local function has_sidekiq(prefix)
  if type_of(prefix .. "workers") == "set" then return false end
  return type_of(prefix .. "processes") == "set" or type_of(prefix .. "retry") == "zset"
    or type_of(prefix .. "schedule") == "zset" or type_of(prefix .. "dead") == "zset"
    or exists(prefix .. "stat:processed")
end

local function holds_sidekiq_jobs(list)
  local tail = redis.call("LINDEX", list, -1)
  return tail and json.string(json.get(tail, "jid")) and json.string(json.get(tail, "class")) and true or false
end

--- The lists that a set `queues` names; of one that is empty there is no list.
local function sidekiq_lists(prefix)
  local is_sidekiq = has_sidekiq(prefix)
  return only(scan.set(prefix .. "queues"), function(name)
    return { "TYPE", prefix .. "queue:" .. name }
  end, function(name, kind)
    return kind.ok == "none" and is_sidekiq
      or kind.ok == "list" and (is_sidekiq or holds_sidekiq_jobs(prefix .. "queue:" .. name))
  end)
end

local function each_sidekiq(visit, now)
  for prefix in bases("*queues", "set", "queues") do
    if prefix == "" or prefix:sub(-1) == ":" and prefix ~= rq then
      local shared
      for name in sidekiq_lists(prefix) do
        shared = shared or sidekiq_shared(prefix, now)
        visit("sidekiq", prefix .. "queue:" .. name, function() return sidekiq_queue(prefix, name, now, shared) end)
      end
    end
  end
end

-- Celery

local separator = "\6\22"

--- Exchanges of the workers' own: commands, their replies and events (kombu/pidbox.py, celery/events).
local function is_for_jobs(exchange) return exchange ~= "celeryev" and not exchange:find("%.pidbox$") end

--- Broadcasts pass by lists: their queues are named after nobody (kombu/common.py Broadcast).
local function is_broadcast(queue) return queue:find("%.%x+%-%x+%-%x+%-%x+%-%x+$") ~= nil end

--- Celery's queues are lists, one for each priority (kombu/transport/redis.py); messages that workers hold are of all
-- queues together.
local function celery_queue(prefix, list, seen)
  local lengths = { { "LLEN", list } }
  for priority = 1, 9 do lengths[priority + 1] = { "LLEN", list .. separator .. priority } end
  local waiting = 0
  for _, length in ipairs(pipelined(lengths)) do waiting = waiting + length end
  return {
    family = "celery", name = list, workers = workers.celery(seen, prefix),
    states = { { "waiting", waiting }, { "held by workers of all queues", redis.call("HLEN", prefix .. "unacked") } },
  }
end

local function each_celery(visit, seen)
  for key in scan.keys { match = "*_kombu.binding.*", type = "set" } do
    local prefix, exchange = key:match("^(.-)_kombu%.binding%.(.*)$")
    for member in is_for_jobs(exchange) and scan.set(key) or function() end do
      local queue = member:match(".*" .. separator .. "(.*)$")
      if queue and queue ~= "" and not is_broadcast(queue) then
        visit("celery", prefix .. queue, function() return celery_queue(prefix, prefix .. queue, seen) end)
      end
    end
  end
end

--- Calls visit(queue) for each queue of each library on the server, once. One that has a key of another type is told
--- with its problem.
function report.each_queue(now, visit)
  local seen, told = workers.look(), {}

  local function tell(family, name, read)
    local id = family .. " " .. name
    if told[id] then return end
    told[id] = true
    local done, queue = pcall(read)
    if not done and not tostring(queue):find("WRONGTYPE", 1, true) then error(queue, 0) end
    visit(done and queue or { family = family, name = name, problem = tostring(queue):match("WRONGTYPE.*") })
  end

  each_bullmq(tell, now, seen)
  each_bull(tell, now, seen)
  each_bee(tell, now)
  each_rq(tell, now)
  each_sidekiq(tell, now)
  each_celery(tell, seen)
end

return report
