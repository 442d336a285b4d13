--- What the runbook's checks ask of a BullMQ queue, by a few reads that do not grow with it.
local bullmq = require "lib.bullmq"
local finding = require "lib.finding"

local depth = {}

--- The findings about each queue under `p.prefix`; one that says so if there is none.
function depth.of_queues(p, look)
  local findings = {}
  for queue in bullmq.queues(p) do
    for _, one in ipairs(look(queue, queue:sub(1, -2))) do findings[#findings + 1] = one end
  end
  if #findings == 0 then findings[1] = finding.ok("queues", "none with this prefix") end
  return findings
end

--- Markers of BullMQ 3 and 4 stand at the ends of `wait`.
local function is_marker(id) return id and bullmq.is_pseudo(id) end

local function age_of(queue, id, now)
  if not id or is_marker(id) then return nil end
  local times = redis.call("HMGET", queue .. id, "timestamp", "delay")
  return times[1] and now - tonumber(times[1]) - (tonumber(times[2]) or 0)
end

--- How many jobs wait for a worker, and for how long (ms) the next one has.
function depth.waiting(queue, now)
  local wait, paused, prioritized, newest, oldest, oldest_paused = unpack(pipelined {
    { "LLEN", queue .. "wait" }, { "LLEN", queue .. "paused" }, { "ZCARD", queue .. "prioritized" },
    { "LINDEX", queue .. "wait", 0 }, { "LINDEX", queue .. "wait", -1 }, { "LINDEX", queue .. "paused", -1 },
  })
  local markers = (is_marker(newest) or is_marker(oldest)) and 1 or 0
  return wait + paused + prioritized - markers, age_of(queue, oldest, now) or age_of(queue, oldest_paused, now)
end

return depth
