--- Whether Redis has memory left, and keeps what it was given.
---
--- Looks at INFO memory and stats: the share of maxmemory in use, resident memory against used memory
--- (fragmentation, or swapping where it is below 1), evicted keys, and an eviction policy that would
--- throw a queue's jobs away.
local server = require "lib.server"
local finding = require "lib.finding"

local MB = 1024 * 1024

local function used(memory, p)
  if memory.maxmemory == 0 then return finding.ok("memory used", finding.bytes(memory.used_memory) .. ", no maxmemory") end
  return finding.share_below("memory used of maxmemory", memory.used_memory / memory.maxmemory, p.warn, p.critical,
    "run the clean and purge tasks, or raise maxmemory")
end

local function fragmentation(memory, p)
  local ratio = memory.mem_fragmentation_ratio
  local value = string.format("%.2f (RSS %s)", ratio, finding.bytes(memory.used_memory_rss))
  if memory.used_memory < 64 * MB then return finding.ok("fragmentation", value) end -- the ratio means nothing yet
  if ratio > p.max_fragmentation then
    return finding.warning("fragmentation", value, tostring(p.max_fragmentation),
      "CONFIG SET activedefrag yes, or restart a replica and fail over")
  end
  if ratio < 0.9 then
    return finding.warning("fragmentation", value, "0.9", "part of the dataset is swapped out: give the host more memory")
  end
  return finding.ok("fragmentation", value)
end

local function evictions(stats)
  if stats.evicted_keys == 0 then return finding.ok("evicted keys", "0") end
  return finding.warning("evicted keys", string.format("%.0f since the start", stats.evicted_keys), "0",
    "Redis was at maxmemory and threw keys away")
end

--- BullMQ and Bull keep `<queue>:meta` or `<queue>:id`, RQ `rq:queues`, Sidekiq `queues`, Celery `_kombu.binding.*`.
local function holds_queues()
  if redis.call("EXISTS", "rq:queues", "queues") > 0 then return true end
  for _, like in ipairs { { "bull:*:meta", "hash" }, { "bull:*:id", "string" }, { "_kombu.binding.*", "set" } } do
    local first_key = scan.keys { match = like[1], type = like[2] }
    if first_key() then return true end
  end
  return false
end

local function policy(memory)
  local name = memory.maxmemory_policy
  if name == "noeviction" or not holds_queues() then return finding.ok("eviction policy", name) end
  return finding.warning("eviction policy", name, "noeviction", "it can delete jobs: CONFIG SET maxmemory-policy noeviction")
end

return check {
  params = {
    warn              = { type = "number", default = 0.80, help = "share of maxmemory that warns" },
    critical          = { type = "number", default = 0.95, help = "share of maxmemory that is critical" },
    max_fragmentation = { type = "number", default = 1.5,  help = "resident memory over used memory that warns" },
  },

  run = function(p)
    local memory = server.info("memory")
    return { used(memory, p), fragmentation(memory, p), evictions(server.info("stats")), policy(memory) }
  end,
}
