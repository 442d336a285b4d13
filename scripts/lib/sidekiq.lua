--- What Sidekiq 6 and 7 keep of jobs in Redis, and how one goes from a sorted set into its queue. Its processes are
-- in lib/sidekiq_process.lua.
-- `retry`, `schedule` and `dead` are sorted sets whose members are the jobs themselves, as JSON, by a time in
-- seconds: of the next retry, of the first run, of the death. So an item (set, job) names its job by all its bytes,
-- and only its time can change. Facts from Sidekiq's own files (lib/sidekiq), named where they are used.
local json = require "lib.json"
local sidekiq = {}

--- A time in ms as Sidekiq writes it.
local function seconds(ms) return string.format("%.3f", ms / 1000) end

-- Jobs

--- From here on a number of seconds is none: another version counts in milliseconds.
local most_seconds = 1e11

local function is_a_text(value) return type(value) == "string" and value ~= "" end

--- A job taken apart, for reading only; nil and why if it is none, or one of a layout that we do not know.
function sidekiq.parse(text)
  local decoded, job = pcall(cjson.decode, text)
  if not decoded or type(job) ~= "table" then return nil, "it is no job: not a JSON object" end
  if not is_a_text(job.class) or type(job.args) ~= "table" then
    return nil, "it is no job: class or args are missing"
  end
  if not is_a_text(job.jid) or not is_a_text(job.queue) then return nil, "it is no job: jid or queue are missing" end
  if job.at ~= nil then return nil, "its layout is unknown: it has a time `at` of its own" end
  for _, name in ipairs { "created_at", "enqueued_at", "failed_at", "retried_at" } do
    if type(job[name]) == "number" and job[name] >= most_seconds then
      return nil, "its layout is unknown: its times are no seconds"
    end
  end
  return job
end

--- When a job of the retry set failed for the first and for the last time, in seconds; nil if it does not say
--- (job_retry.rb).
function sidekiq.failures(job)
  local first, last = job.failed_at, job.retried_at
  if type(first) ~= "number" then return nil end
  return first, type(last) == "number" and last or first
end

--- Whether a glob matches the message of a job's last error, or `Class: message`. For find.
function sidekiq.has_error(job, pattern)
  if pattern == "*" then return true end
  local class = is_a_text(job.error_class) and job.error_class or ""
  local message = is_a_text(job.error_message) and job.error_message or ""
  return glob.match(pattern, message) or glob.match(pattern, class .. ": " .. message)
end

--- Whether a job's queue is one of those that are asked for; also if it cannot be told, so that it is reported.
--- For find.
function sidekiq.is_wanted(p, job) return not job or p.queues == "*" or glob.match(p.queues, job.queue) end

-- Sorted sets

--- Iterates over the jobs of a sorted set, the earliest first, with times from `from` to `to` (in ms; nil for any).
--- `to` itself is beyond if `open`.
function sidekiq.entries(p, set, from, to, open)
  local min = from and seconds(from) or "-inf"
  local max = to and (open and "(" or "") .. seconds(to) or "+inf"
  return scan.zset(p.prefix .. set, min, max)
end

--- The time of a job in a sorted set, in seconds; nil if it is there no more.
function sidekiq.score(p, set, text)
  local score = redis.call("ZSCORE", p.prefix .. set, text)
  return score and tonumber(score)
end

-- Queues

local function is_or_can_be(kind, key)
  local found = redis.call("TYPE", key).ok
  return found == kind or found == "none"
end

--- Why nothing can be pushed to a queue; nil if it can. Asked before the first write: what comes after a write
--- that fails would not be undone.
function sidekiq.queue_problem(p, queue)
  if not is_or_can_be("list", p.prefix .. "queue:" .. queue) then return "its queue's key is no list" end
  if not is_or_can_be("set", p.prefix .. "queues") then return "the key of all queues is no set" end
  return nil
end

--- Moves a job from a sorted set to its queue as Client#push does: its queue is made known, it is the last one to be
--- served, `enqueued_at` is now. All else stays byte for byte; `edit(text, job)` may change more.
--- `objection(job, score)` says why it stays, or nil. A poller, or somebody at the web UI, may take it out at any
--- moment, and a job that is pushed although it had left the set runs twice: so the set is watched. Where others
--- write to it without any pause, ten attempts may not be enough in the local engine: the item then counts as failed,
--- and nothing was done to it. Returns `outcome`, or "kept" and why, or "gone".
function sidekiq.enqueue(p, set, text, outcome, objection, edit)
  return atomically({ p.prefix .. set }, function(write)
    local score = redis.call("ZSCORE", p.prefix .. set, text)
    if not score then return "gone" end
    local job, problem = sidekiq.parse(text)
    problem = problem or objection(job, tonumber(score)) or sidekiq.queue_problem(p, job.queue)
    if problem then return "kept", problem end
    local moved = json.set(edit and edit(text, job) or text, seconds(p.now), "enqueued_at")
    if not moved then return "kept", "it is no job: not a JSON object" end
    write("SADD", p.prefix .. "queues", job.queue)
    write("LPUSH", p.prefix .. "queue:" .. job.queue, moved)
    write("ZREM", p.prefix .. set, text)
    return outcome
  end)
end

--- One retry less, so that the one that is now made by hand does not count (api.rb, SortedEntry#retry).
function sidekiq.uncount_retry(text, job)
  if type(job.retry_count) ~= "number" then return text end
  return json.set(text, string.format("%.14g", job.retry_count - 1), "retry_count")
end

return sidekiq
