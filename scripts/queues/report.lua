--- Tells of every job queue on the server how many jobs it has in which state, and who works on them.
---
--- Each queue of BullMQ, Bull, Bee-Queue, RQ, Sidekiq and Celery, whatever its prefix: jobs by state, delayed ones
--- whose time has passed (`overdue`), for how long the next job has waited, jobs that finished in the last minute
--- (BullMQ and Bull, as far as they are kept), workers that are seen, and whether it is paused. The queues are found
--- by SCAN; of each one nothing is read that grows with it. One with a key of another type is a warning, the rest goes
--- on.
---
--- For BullMQ 3 to 6, Bull 3 and 4, Bee-Queue 1 and 2, RQ 1 and 2, Sidekiq 6 and 7, Celery 5. Never touched: all; it
--- only reads. BullMQ, Bull and Bee-Queue do not tell since when a job has waited: it is since it was added, was due,
--- or ran the last time, with a priority it is not told. Celery tells nothing of it, nor of queues with a separator of
--- their own; Bee-Queue's workers leave no trace. Sidekiq's retries, and Celery's workers, are those of all its
--- queues; a Sidekiq that is quiet does not count.
local clock = require "lib.clock"
local finding = require "lib.finding"
local queue_report = require "lib.queue_report"

local function plural(count, word) return string.format("%.0f %s%s", count, word, count == 1 and "" or "s") end

local function describe(queue)
  local told = {}
  for _, state in ipairs(queue.states) do
    if state[2] > 0 or state[1] == "waiting" then told[#told + 1] = string.format("%.0f %s", state[2], state[1]) end
  end
  local more = { table.concat(told, ", ") }
  if queue.oldest then more[#more + 1] = "next job waits " .. finding.seconds(math.max(0, queue.oldest) / 1000) end
  if queue.per_minute then more[#more + 1] = string.format("%.0f/min", queue.per_minute) end
  if queue.workers then more[#more + 1] = plural(queue.workers, "worker") end
  if queue.paused then more[#more + 1] = "paused" end
  return table.concat(more, "; ")
end

--- The same as data, for --json.
local function data_of(queue)
  local data = {
    family = queue.family, queue = queue.name, per_minute = queue.per_minute, workers = queue.workers,
    oldest_ms = queue.oldest and math.floor(math.max(0, queue.oldest)), paused = queue.paused, jobs = {},
  }
  for _, state in ipairs(queue.states) do data.jobs[state[1]] = state[2] end
  return data
end

--- Whether jobs wait and nobody takes them; where some have just finished, workers have another name.
local function is_deserted(queue)
  return queue.states[1][2] > 0 and queue.workers == 0 and not queue.paused and (queue.per_minute or 0) == 0
end

local function judge(queue, warn)
  local what = queue.family .. " " .. queue.name
  if queue.problem then
    local hint = "does another program use its keys?"
    return finding.warning(what, "cannot be read: " .. queue.problem, "its own types", hint)
  end
  local value = describe(queue)
  local one = finding.ok(what, value)
  if queue.states[1][2] > warn then
    one = finding.warning(what, value, plural(warn, "waiting job"), "more workers, or a look at those there are")
  elseif is_deserted(queue) then
    one = finding.warning(what, value, "a worker", "nobody works on it: are the workers up, and on this Redis?")
  end
  one.data = data_of(queue)
  return one
end

return check {
  params = {
    queues = { type = "glob",    default = "*",  help = "which queues, by their whole name, such as bull:mail" },
    warn   = { type = "integer", default = 1000, help = "so many waiting jobs are a warning" },
  },

  run = function(p)
    local findings = {}
    queue_report.each_queue(clock.now(), function(queue)
      if glob.match(p.queues, queue.name) then findings[#findings + 1] = judge(queue, p.warn) end
    end)
    if #findings == 0 then findings[1] = finding.ok("queues", "none found") end
    return findings
  end,
}
