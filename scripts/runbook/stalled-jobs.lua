--- Tells which jobs of each BullMQ queue are active without a worker that holds their lock.
---
--- Instead of the runbook's `SMEMBERS "bull:<queue>:stalled"`, which lists the jobs that were active at the last check:
--- healthy ones, all of them right after it, and none before the first. A job is stalled when its lock
--- (`<job>:lock`, 30 s) has ended and it is still in `active`; that is asked twice here, for a job may be between
--- the two. `bullmq/requeue-stalled` puts them back to work.
local bullmq = require "lib.bullmq"
local depth = require "lib.bullmq_depth"
local finding = require "lib.finding"

local page, most_examples = 200, 5

local function without_lock(queue, ids)
  local commands, found = {}, {}
  for i, id in ipairs(ids) do commands[i] = { "EXISTS", queue .. id .. ":lock" } end
  for i, locked in ipairs(pipelined(commands)) do
    if locked == 0 then found[#found + 1] = ids[i] end
  end
  return found
end

--- Those that are still in `active`: a list that is as long as there are jobs being run.
local function still_active(queue, ids)
  local commands, found = {}, {}
  for i, id in ipairs(ids) do commands[i] = { "LPOS", queue .. "active", id } end
  for i, place in ipairs(pipelined(commands)) do
    if place then found[#found + 1] = ids[i] end
  end
  return found
end

local function count_stalled(queue, at_most)
  local count, examples, batch, seen = 0, {}, {}, 0
  local function look()
    for _, id in ipairs(without_lock(queue, still_active(queue, without_lock(queue, batch)))) do
      count = count + 1
      if #examples < most_examples then examples[#examples + 1] = id end
    end
    batch = {}
  end
  for id in scan.list(queue .. "active") do
    if not bullmq.is_pseudo(id) then batch[#batch + 1] = id end
    if #batch == page then look() end
    seen = seen + 1
    if seen >= at_most then break end
  end
  look()
  return count, examples
end

return check {
  params = {
    prefix  = { type = "string", default = "bull", help = "key prefix of the queues" },
    queues  = { type = "glob", default = "*", help = "which queues, by name" },
    at_most = { type = "integer", default = 10000, help = "look at so many active jobs of each queue" },
  },

  run = function(p)
    return depth.of_queues(p, function(queue, name)
      local count, examples = count_stalled(queue, p.at_most)
      if count == 0 then return { finding.ok(name, "no stalled jobs") } end
      local more = count > #examples and "..." or ""
      local value = string.format("%.0f stalled: %s%s", count, table.concat(examples, ", "), more)
      return { finding.warning(name, value, "0", "workers put them back within two checks of 30 s; "
        .. "if none runs, bullmq/requeue-stalled does") }
    end)
  end,
}
