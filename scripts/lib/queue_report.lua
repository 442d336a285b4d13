--- Finds the queues of every job library on a server, and reads of each one how it is, by a few commands that do
-- not grow with it. What tells a library apart, and where it keeps what, stands in its own module.
local base64 = require "lib.base64"
local bee = require "lib.bee"
local bull = require "lib.bull"
local bullmq = require "lib.bullmq"
local rq_time = require "lib.rq_time"
local report = {}

local minute = 60000

-- A state is { name, jobs }. A queue is { family, name, states, workers, oldest (age in ms of the job that is
-- next), per_minute (jobs that finished in the last minute), paused }, each but the first three nil if it cannot
-- be told.

local function score(ms) return string.format("%.0f", ms) end

--- How many clients have a name: that of BullMQ's and Bull's workers is made of prefix and queue (queue-base.js
-- clientName, with `:w` since 5; bull worker.js).
local function count_named(clients, name)
  local count = 0
  for _, suffix in ipairs { "", ":w" } do count = count + (clients[name .. suffix] or 0) end
  return count
end

--- Names of all clients, and how many have each. Those of BullMQ's workers with a name of their own are cut to `:w`.
local function client_names()
  local counts = {}
  for line in redis.call("CLIENT", "LIST"):gmatch("[^\n]+") do
    local name = line:match(" name=(%S+)")
    if name then
      name = name:match("^(.-:w):") or name
      counts[name] = (counts[name] or 0) + 1
    end
  end
  return counts
end

--- Workers of BullMQ and Bull on the queue at `base`, whose name may be any of its last segments.
local function workers_at(base, clients)
  local whole, count, at = base:sub(1, -2), 0, nil
  repeat
    at = whole:find(":", (at or 0) + 1, true)
    if at then count = count + count_named(clients, whole:sub(1, at) .. base64.encode(whole:sub(at + 1))) end
  until not at
  return count
end

local function age_of(base, now, ids)
  for _, id in ipairs(ids) do
    if id and not bullmq.is_pseudo(id) then
      local times = redis.call("HMGET", base .. id, "timestamp", "delay")
      if times[1] then return now - tonumber(times[1]) - (tonumber(times[2]) or 0) end
    end
  end
  return nil
end

--- BullMQ and Bull: the same structures.
local function bull_like(family, base, now, clients)
  local wait, paused_jobs, prioritized, active, delayed, overdue, children, completed, failed, finished, failed_now,
    head, tail, paused_tail, is_paused, old_pause = unpack(pipelined {
    { "LLEN", base .. "wait" }, { "LLEN", base .. "paused" }, { "ZCARD", base .. "prioritized" },
    { "LLEN", base .. "active" }, { "ZCARD", base .. "delayed" },
    { "ZCOUNT", base .. "delayed", "-inf", "(" .. score((now + 1) * 4096) },
    { "ZCARD", base .. "waiting-children" }, { "ZCARD", base .. "completed" }, { "ZCARD", base .. "failed" },
    { "ZCOUNT", base .. "completed", score(now - minute), "+inf" },
    { "ZCOUNT", base .. "failed", score(now - minute), "+inf" },
    { "LINDEX", base .. "wait", 0 }, { "LINDEX", base .. "wait", -1 }, { "LINDEX", base .. "paused", -1 },
    { "HEXISTS", base .. "meta", "paused" }, { "EXISTS", base .. "meta-paused" },
  })
  local markers = 0
  for _, id in ipairs { head or "", tail or "" } do
    if bullmq.is_pseudo(id) then markers = 1 end
  end
  return {
    family = family, name = base:sub(1, -2), paused = is_paused == 1 or old_pause == 1,
    states = {
      { "waiting", wait + paused_jobs + prioritized - markers }, { "active", active }, { "delayed", delayed },
      { "overdue", overdue }, { "waiting for children", children }, { "completed", completed }, { "failed", failed },
    },
    oldest = age_of(base, now, { tail, paused_tail }), per_minute = finished + failed_now,
    workers = workers_at(base, clients),
  }
end

--- Base keys of the keys that `match` and end in `suffix`, each once.
local function bases(match, kind, suffix)
  local seen, keys = {}, scan.keys { match = match, type = kind }
  return function()
    for key in keys do
      local base = key:sub(1, -#suffix - 1)
      if not seen[base] then
        seen[base] = true
        return base
      end
    end
  end
end

local function each_bullmq(visit, now, clients)
  for base in bases("*:meta", "hash", "meta") do
    local meta = redis.call("HMGET", base .. "meta", "version", "opts.maxLenEvents")
    if meta[1] or meta[2] then visit(bull_like("bullmq", base, now, clients)) end
  end
end

local function each_bull(visit, now, clients)
  for base in bases("*:id", "string", "id") do
    if bull.layout(base:match("^[^:]*"), base) == "known" then visit(bull_like("bull", base, now, clients)) end
  end
end

local function each_bee(visit, now)
  for base in bases("*:jobs", "hash", "jobs") do
    if bee.is_known(base) then
      local waiting, active, delayed, overdue, succeeded, failed, tail = unpack(pipelined {
        { "LLEN", base .. "waiting" }, { "LLEN", base .. "active" }, { "ZCARD", base .. "delayed" },
        { "ZCOUNT", base .. "delayed", "-inf", score(now) }, { "SCARD", base .. "succeeded" },
        { "SCARD", base .. "failed" }, { "LINDEX", base .. "waiting", -1 },
      })
      local since = tail and bee.created(base, tail)
      visit {
        family = "bee", name = base:sub(1, -2), oldest = since and now - since,
        states = {
          { "waiting", waiting }, { "active", active }, { "delayed", delayed }, { "overdue", overdue },
          { "completed", succeeded }, { "failed", failed },
        },
      }
    end
  end
end

--- Members of a set, as far as `exists(member)`; what a set of processes names may be gone.
local function count_alive(set, exists)
  local count = 0
  for member in scan.set(set) do
    if exists(member) then count = count + 1 end
  end
  return count
end

local function exists(key) return redis.call("EXISTS", key) == 1 end

--- RQ's worker names in the sets are full keys (worker_registration.py).
local function rq_queue(prefix, name, now)
  local function key(registry) return prefix .. registry .. ":" .. name end
  local seconds = score(now / 1000)
  local waiting, started, scheduled, overdue, deferred, finished, failed, head, suspended = unpack(pipelined {
    { "LLEN", key("queue") }, { "ZCARD", key("wip") }, { "ZCARD", key("scheduled") },
    { "ZCOUNT", key("scheduled"), "-inf", seconds }, { "ZCARD", key("deferred") }, { "ZCARD", key("finished") },
    { "ZCARD", key("failed") }, { "LINDEX", key("queue"), 0 }, { "EXISTS", prefix .. "suspended" },
  })
  local enqueued = head and rq_time.parse(redis.call("HGET", prefix .. "job:" .. head, "enqueued_at") or nil)
  return {
    family = "rq", name = key("queue"), paused = suspended == 1, oldest = enqueued and now - enqueued,
    states = {
      { "waiting", waiting }, { "active", started }, { "delayed", scheduled }, { "overdue", overdue },
      { "deferred", deferred }, { "completed", finished }, { "failed", failed },
    },
    workers = count_alive(key("workers"), exists),
  }
end

--- Sidekiq's queue, whose jobs say themselves when they were enqueued, in seconds or, since 8, in milliseconds.
local function sidekiq_queue(prefix, name, now, shared)
  local waiting, tail, paused = unpack(pipelined {
    { "LLEN", prefix .. "queue:" .. name }, { "LINDEX", prefix .. "queue:" .. name, -1 },
    { "SISMEMBER", prefix .. "paused", name },
  })
  local decoded, job = pcall(cjson.decode, tail or "")
  local enqueued = decoded and type(job) == "table" and tonumber(job.enqueued_at)
  if enqueued and enqueued < 1e11 then enqueued = enqueued * 1000 end
  return {
    family = "sidekiq", name = prefix .. "queue:" .. name, paused = paused == 1, oldest = enqueued and now - enqueued,
    states = { { "waiting", waiting }, unpack(shared.states) }, workers = shared.workers,
  }
end

--- What all queues of a Sidekiq share.
local function sidekiq_shared(prefix, now)
  local seconds = score(now / 1000)
  local retry, retry_overdue, schedule, schedule_overdue, dead = unpack(pipelined {
    { "ZCARD", prefix .. "retry" }, { "ZCOUNT", prefix .. "retry", "-inf", seconds },
    { "ZCARD", prefix .. "schedule" }, { "ZCOUNT", prefix .. "schedule", "-inf", seconds }, { "ZCARD", prefix .. "dead" },
  })
  return {
    states = {
      { "in retry of all queues", retry }, { "scheduled", schedule }, { "overdue", retry_overdue + schedule_overdue },
      { "dead", dead },
    },
    workers = count_alive(prefix .. "processes", function(name) return exists(prefix .. name) end),
  }
end

--- RQ's set has full keys, Sidekiq's the names of the queues.
local function each_rq_and_sidekiq(visit, now)
  for prefix in bases("*queues", "set", "queues") do
    local shared
    if prefix == "" or prefix:sub(-1) == ":" then
      for member in scan.set(prefix .. "queues") do
        local head = prefix .. "queue:"
        if prefix ~= "" and member:sub(1, #head) == head then
          visit(rq_queue(prefix, member:sub(#head + 1), now))
        elseif exists(prefix .. "processes") or exists(prefix .. "queue:" .. member) then
          shared = shared or sidekiq_shared(prefix, now)
          visit(sidekiq_queue(prefix, member, now, shared))
        end
      end
    end
  end
end

local separator = "\6\22"
local own_exchanges = { "celery.pidbox", "reply.celery.pidbox", "celeryev" }

local function is_own_exchange(key)
  for _, name in ipairs(own_exchanges) do
    if key:sub(-#name) == name then return true end
  end
  return false
end

--- Workers that listen to commands (kombu/pidbox.py), in whichever database.
local function celery_workers()
  local channels, count = redis.call("PUBSUB", "CHANNELS", "*celery.pidbox"), 0
  for _, channel in ipairs(channels) do
    if not channel:find("reply", 1, true) then count = count + redis.call("PUBSUB", "NUMSUB", channel)[2] end
  end
  return count
end

--- Celery's queues are lists, one for each priority (kombu/transport/redis.py); messages that workers hold are of all
-- queues together.
local function each_celery(visit)
  local seen, workers = {}, nil
  for key in scan.keys { match = "*_kombu.binding.*", type = "set" } do
    local prefix = key:match("^(.-)_kombu%.binding%.")
    if not is_own_exchange(key) then
      for member in scan.set(key) do
        local queue = member:match(".*" .. separator .. "(.*)$")
        if queue and not seen[prefix .. queue] then
          seen[prefix .. queue] = true
          local list = prefix .. queue
          local first, third, sixth, ninth, held = unpack(pipelined {
            { "LLEN", list }, { "LLEN", list .. separator .. "3" }, { "LLEN", list .. separator .. "6" },
            { "LLEN", list .. separator .. "9" }, { "HLEN", prefix .. "unacked" },
          })
          workers = workers or celery_workers()
          visit {
            family = "celery", name = list, workers = workers,
            states = { { "waiting", first + third + sixth + ninth }, { "held by workers of all queues", held } },
          }
        end
      end
    end
  end
end

--- Calls visit(queue) for each queue of each library on the server.
function report.each_queue(now, visit)
  local clients = client_names()
  each_bullmq(visit, now, clients)
  each_bull(visit, now, clients)
  each_bee(visit, now)
  each_rq_and_sidekiq(visit, now)
  each_celery(visit)
end

return report
