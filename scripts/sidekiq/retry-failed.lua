--- Puts failed Sidekiq jobs, waiting for a retry or dead, back into their queues now.
---
--- As Sidekiq retries one by hand (api.rb, SortedEntry#retry): its count of retries goes down by one, so that this
--- one is free; all else but `enqueued_at` stays byte for byte. `since` is compared with the last failure: in the
--- dead set the death. What fails while the task runs stays for its ordinary retry. Better than `retry_all`: leaving
--- the set and entering the queue are one step, so a crash in between loses nothing; jobs with the same time are
--- never taken out together and put back; a member that is no job stays and is reported. Other than there: client
--- middleware, which is Ruby, does not run.
---
--- For Sidekiq 6 and 7, while workers run. Both engines. Never touched: scheduled jobs, what waits in queues. `error`
--- is matched with the message and with `Class: message`. Facts from api.rb and job_retry.rb.
local sidekiq = require "lib.sidekiq"

local sets = { dead = { "dead" }, retry = { "retry" }, any = { "dead", "retry" } }

--- Whether the job's last failure was since `since`, and not during this run.
local function failed_in_time(p, last) return last <= p.now / 1000 and (not p.since or last >= p.since / 1000) end

local function last_failure(set, score, job)
  if set == "dead" then return score end
  local _, last = sidekiq.failures(job)
  return last
end

local function emit_dead(p, emit)
  for text in sidekiq.entries(p, "dead", p.since, p.now) do
    local job = sidekiq.parse(text)
    if sidekiq.is_wanted(p, job) and (not job or sidekiq.has_error(job, p.error)) then emit("dead", text) end
  end
end

local function emit_retries(p, emit)
  for text in sidekiq.entries(p, "retry") do
    local job = sidekiq.parse(text)
    local last = job and last_failure("retry", nil, job)
    local in_time = not last or failed_in_time(p, last)
    if in_time and sidekiq.is_wanted(p, job) and (not job or sidekiq.has_error(job, p.error)) then
      emit("retry", text)
    end
  end
end

return task {
  params = {
    prefix = { type = "string", default = "",    help = "the redis-namespace with its colon, such as app:" },
    queues = { type = "glob",   default = "*",   help = "which queues, by name" },
    state  = { type = "enum",   default = "any", values = { "any", "dead", "retry" }, help = "which failed jobs" },
    since  = { type = "time",   help = "failed at this time or later; if not given, whenever" },
    error  = { type = "glob",   default = "*",   help = "which errors, by message or by `Class: message`" },
  },

  find = function(p, emit)
    for _, set in ipairs(sets[p.state]) do
      local emit_set = set == "dead" and emit_dead or emit_retries
      emit_set(p, emit)
    end
  end,

  each = function(p, set, text)
    local function objection(job, score)
      local last = last_failure(set, score, job)
      if not last then return "it does not say when it failed" end
      return not failed_in_time(p, last) and "its time has been changed" or nil
    end
    return sidekiq.enqueue(p, set, text, "retried", objection, sidekiq.uncount_retry)
  end,
}
