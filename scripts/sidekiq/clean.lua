--- Removes dead Sidekiq jobs that died more than `older_than` ago, or with `state=retry` those that have been failing
--- for that long.
---
--- A dead job's age is its time in the set; one that died exactly `older_than` ago stays. Sidekiq itself drops dead
--- jobs after six months and beyond 10,000, but only when another one dies. The age of a job in the retry set is
--- since its first failure, `failed_at`; its time in the set is that of the next retry. Such a job has not been given
--- up: it goes only if you ask for it. A finished job leaves nothing in Redis, so there is nothing else to clean.
---
--- For Sidekiq 6 and 7, while workers run. Both engines. Never touched: scheduled jobs, queues, counters. With
--- `keep` and `queues`, the newest of all queues are counted. A member of the retry set that does not say when it
--- failed is reported and stays; in the dead set it goes by its time, as Sidekiq puts there what it could not read.
--- Facts from api.rb and job_retry.rb.
local sidekiq = require "lib.sidekiq"

--- Whether a job of the retry set has been failing since before `older_than`; nil and why if it does not say.
local function has_failed_for_long(p, text)
  local job, problem = sidekiq.parse(text)
  if not job then return nil, problem end
  local first = sidekiq.failures(job)
  if not first then return nil, "it does not say when it failed" end
  return first < (p.now - p.older_than) / 1000
end

local function emit_dead(p, emit)
  local before = p.now - p.older_than
  if p.keep > 0 then
    local last = redis.call("ZREVRANGE", p.prefix .. "dead", p.keep - 1, p.keep - 1, "WITHSCORES")
    if not last[1] then return end
    before = math.min(before, tonumber(last[2]) * 1000 + 2) -- the kept ones of this very time are told in `each`
  end
  for text in sidekiq.entries(p, "dead", nil, before, true) do
    if p.queues == "*" or sidekiq.is_wanted(p, (sidekiq.parse(text))) then emit("dead", text) end
  end
end

local function emit_retries(p, emit)
  if p.keep > 0 then error("keep is for state=dead: the retry set is in the order of the next retries", 0) end
  for text in sidekiq.entries(p, "retry") do
    if has_failed_for_long(p, text) ~= false and sidekiq.is_wanted(p, (sidekiq.parse(text))) then
      emit("retry", text)
    end
  end
end

--- Why a dead job stays, or nil.
local function objection(p, text, died)
  if died >= (p.now - p.older_than) / 1000 then return "it has died again" end
  if p.keep > 0 and redis.call("ZREVRANK", p.prefix .. "dead", text) < p.keep then return "among the newest" end
  return nil
end

return task {
  params = {
    prefix     = { type = "string",   default = "",     help = "the redis-namespace with its colon, such as app:" },
    queues     = { type = "glob",     default = "*",    help = "which queues, by name" },
    state      = { type = "enum",     default = "dead", values = { "dead", "retry" }, help = "which failed jobs" },
    older_than = { type = "duration", default = "7d",   help = "age since the death, or since the first failure" },
    keep       = { type = "integer",  default = 0,      help = "this many of the newest dead jobs stay" },
  },

  find = function(p, emit)
    local emit_state = p.state == "dead" and emit_dead or emit_retries
    emit_state(p, emit)
  end,

  each = function(p, set, text)
    return atomically({ p.prefix .. set }, function(write)
      local score = sidekiq.score(p, set, text)
      if not score then return "gone" end
      if set == "dead" then
        local reason = objection(p, text, score)
        if reason then return "kept", reason end
      else
        local is_old, problem = has_failed_for_long(p, text)
        if not is_old then return "kept", problem end
      end
      write("ZREM", p.prefix .. set, text)
      return "removed"
    end)
  end,
}
