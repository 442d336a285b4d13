--- What is left over in queues of Bee-Queue 1 and 2: how it is found, and how it is taken away.
local filters = require "lib.bull_filter"
local json = require "lib.json"
local pages = require "lib.bull_pages"

local orphans = {}

local lists = { "waiting", "active" }
local sets = { "succeeded", "failed" }

--- Ids of an index without an entry in `jobs`. Those of lists go into the filter on the way.
local function ids_without_job(queue, index, walk, filter)
  return pages.judged(walk, function(id)
    if filter then filter.add(queue .. id) end
    return { { "HEXISTS", queue .. "jobs", id } }
  end, function(replies, id)
    if replies[1] == 0 then return index, id end
  end)
end

--- Jobs that were created at `since` or later are passed over: they may have come after the lists were read.
local function jobs_without_index(queue, filter, since)
  return pages.judged(scan.hash(queue .. "jobs"), function(id)
    if filter.has(queue .. id) then return {} end
    return {
      { "SISMEMBER", queue .. "succeeded", id },
      { "SISMEMBER", queue .. "failed", id },
      { "ZSCORE", queue .. "delayed", id },
    }
  end, function(replies, id, text)
    if replies[1] ~= 0 or replies[2] ~= 0 or replies[3] then return nil end
    if (json.number(json.get(text, "options", "timestamp")) or 0) < since then return "job", id end
  end)
end

local function in_queue(queue, filter, since)
  local makers = {}
  local function add(index, walk, named)
    makers[#makers + 1] = function() return ids_without_job(queue, index, walk(queue .. index), named) end
  end
  for _, index in ipairs(lists) do add(index, pages.list, filter) end
  for _, index in ipairs(sets) do add(index, scan.set) end
  add("delayed", function(key) return scan.zset(key, "-inf", "+inf") end)
  makers[#makers + 1] = function() return jobs_without_index(queue, filter, since) end
  return pages.chain(makers)
end

--- All that looks like a leftover: queue, kind, and its name.
function orphans.candidates(p, queues)
  local filter = filters.new(string.format("%.0f:", p.now))
  return pages.each_of(queues, function(queue) return in_queue(queue, filter, p.now - p.grace) end)
end

local most_waiting = 1000000

local function is_named(queue, id)
  for _, index in ipairs(sets) do
    if redis.call("SISMEMBER", queue .. index, id) == 1 then return true end
  end
  if redis.call("ZSCORE", queue .. "delayed", id) then return true end
  for _, index in ipairs(lists) do
    if redis.call("LLEN", queue .. index) > most_waiting then return "unsure" end
    if redis.call("LPOS", queue .. index, id) then return true end
  end
  return false
end

local is_in = {
  waiting = function(key, id) return redis.call("LPOS", key, id) end,
  active = function(key, id) return redis.call("LPOS", key, id) end,
  succeeded = function(key, id) return redis.call("SISMEMBER", key, id) == 1 end,
  failed = function(key, id) return redis.call("SISMEMBER", key, id) == 1 end,
  delayed = function(key, id) return redis.call("ZSCORE", key, id) end,
}

local removals = {
  waiting = function(key, id) redis.call("LREM", key, 0, id) end,
  active = function(key, id) redis.call("LREM", key, 0, id) end,
  succeeded = function(key, id) redis.call("SREM", key, id) end,
  failed = function(key, id) redis.call("SREM", key, id) end,
  delayed = function(key, id) redis.call("ZREM", key, id) end,
}

local function take_id(p, queue, index, id)
  local key = queue .. index
  if redis.call("HEXISTS", queue .. "jobs", id) == 1 or not is_in[index](key, id) then return "gone" end
  local reason = "an id in " .. index .. " without a job"
  if not p.repair then return "kept", reason end
  removals[index](key, id)
  redis.call("SREM", queue .. "stalling", id)
  return "removed", reason
end

local finished = { succeeded = true, failed = true }

local function take_job(p, queue, id)
  local text = redis.call("HGET", queue .. "jobs", id)
  if not text then return "gone" end
  local named, status = is_named(queue, id), json.string(json.get(text, "status"))
  if named == "unsure" then return "kept", "too many jobs wait to tell whether it is one of them" end
  if named then return "gone" end
  if not status then return "kept", "an entry of an unknown form" end

  local reason = (finished[status] and "a finished" or "an unfinished") .. " job that nothing names"
  if not p.repair or not finished[status] and p.lost == "keep" then return "kept", reason end
  if not finished[status] and p.lost == "requeue" then
    redis.call("LPUSH", queue .. "waiting", id)
    return "requeued", reason
  end
  redis.call("HDEL", queue .. "jobs", id)
  return "removed", reason
end

--- Proves that it is a leftover, and removes it if `p.repair`. The kind of an id is the name of its index.
function orphans.take(p, queue, kind, id)
  if kind == "job" then return take_job(p, queue, id) end
  return take_id(p, queue, kind, id)
end

return orphans
