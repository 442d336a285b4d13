-- Fills Redis with what job libraries and applications leave there, item by item.
-- ARGV: which data, the numbers of the first and the last item of this call, how many jobs are known to their
-- queue (those behind are orphans), the time in ms, and a time ten days ago as Python writes it.
local kind, first, last, known = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now, past = tonumber(ARGV[5]), ARGV[6]

local hour, day = 3600000, 86400000

--- The age of item i: from 38 days down to 8.
local function age(i) return math.floor(38 * day - 30 * day * i / last) end

local function number(value) return string.format("%.0f", value) end

local function uuid(i) return string.format("5b1d0c3e-7a52-4f0e-9c11-%012x", i) end

local body = string.rep("Dear customer, your order is on its way. ", 6)

-- BullMQ 6

local queue = "bull:mail:"

--- A job's hash; `more` are its fields beyond those that a new one has.
local function add_job(i, ...)
  redis.call("HSET", queue .. i, "name", "send", "opts", '{"attempts":3}', "priority", 0, "delay", 0,
    "timestamp", number(now - 40 * day), "data", '{"to":"user' .. i .. '@mail.example","body":"' .. body .. '"}', ...)
end

local function describe_queue()
  redis.call("HSET", queue .. "meta", "version", "bullmq:6.7.0", "opts.maxLenEvents", 10000)
  redis.call("SET", queue .. "id", last)
end

local function add_completed(i)
  local finished = number(now - age(i))
  add_job(i, "processedOn", finished, "finishedOn", finished, "ats", 1, "atm", 1, "returnvalue", '{"accepted":true}')
  if i % 4 == 0 then redis.call("RPUSH", queue .. i .. ":logs", "accepted by the relay") end
  if i <= known then redis.call("ZADD", queue .. "completed", finished, i) end
end

local function add_failed(i)
  local finished = number(now - age(i))
  add_job(i, "processedOn", finished, "finishedOn", finished, "ats", 3, "atm", 3,
    "failedReason", "connect ETIMEDOUT", "stacktrace", '["Error: connect ETIMEDOUT\\n    at send (mail.js:17:9)"]')
  redis.call("ZADD", queue .. "failed", finished, i)
end

local function add_stalled(i)
  add_job(i, "processedOn", number(now - hour), "ats", 1)
  redis.call("LPUSH", queue .. "active", i)
end

local function add_delayed(i)
  add_job(i)
  redis.call("HSET", queue .. i, "delay", hour)
  redis.call("ZADD", queue .. "delayed", number((now - age(i)) * 4096), i)
end

-- RQ 1 with result_ttl=-1

local function add_rq_job(i)
  local time = past .. string.format(".%06dZ", i % 1000000)
  redis.call("HSET", "rq:job:" .. uuid(i), "status", "finished", "origin", "mail", "created_at", time,
    "enqueued_at", time, "started_at", time, "ended_at", time, "last_heartbeat", time, "timeout", 180, "result_ttl", -1,
    "description", "mail.send(" .. i .. ")", "data", body, "worker_name", "9f0c", "success_callback_name", "",
    "failure_callback_name", "")
  redis.call("XADD", "rq:results:" .. uuid(i), "*", "type", 1, "return_value", "gASVBgAAAAAAAACMAm9rlC4=")
  redis.call("ZADD", "rq:finished:mail", "+inf", uuid(i))
end

-- Celery 5 without result_expires

local function add_result(i)
  redis.call("SET", "celery-task-meta-" .. uuid(i), string.format(
    '{"status": "SUCCESS", "result": {"to": "user%d@mail.example"}, "traceback": null, "children": [], '
      .. '"date_done": "%s.%06d", "task_id": "%s"}', i, past, i % 1000000, uuid(i)))
end

-- Sidekiq 6

local function sidekiq_job(i, more)
  return string.format('{"retry":true,"queue":"default","class":"Mailer","args":[%d,"%s"],"jid":"%024x",'
    .. '"created_at":%.3f%s}', i, body, i, (now - 40 * day) / 1000, more)
end

local function add_dead(i)
  local died = string.format("%.3f", (now - age(i)) / 1000)
  redis.call("ZADD", "dead", died, sidekiq_job(i, ',"error_message":"connect timeout","error_class":"Net::OpenTimeout",'
    .. '"retry_count":25,"failed_at":' .. died .. ',"retried_at":' .. died))
end

local function add_scheduled(i)
  redis.call("ZADD", "schedule", string.format("%.3f", (now - age(i)) / 1000), sidekiq_job(i, ""))
end

local kinds = {
  ["bullmq completed"] = { add_completed, describe_queue },
  ["bullmq failed"] = { add_failed, describe_queue },
  ["bullmq stalled"] = { add_stalled, describe_queue },
  ["bullmq delayed"] = { add_delayed, describe_queue },
  ["rq finished"] = { add_rq_job, function() redis.call("SADD", "rq:queues", "rq:queue:mail") end },
  ["celery results"] = { add_result },
  ["sidekiq dead"] = { add_dead },
  ["sidekiq scheduled"] = { add_scheduled },
  ["leaked counters"] = { function(i) redis.call("SET", "rl:" .. i, 1) end },
  ["cache"] = { function(i) redis.call("SET", "cache:page:" .. i, body) end },
}

local add, describe = unpack(kinds[kind])
if describe then describe() end
for i = first, last do add(i) end
