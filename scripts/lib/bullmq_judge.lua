--- What one of BullMQ's orphans is, decided at one instant, and its removal.
local bullmq = require "lib.bullmq"
local layout = require "lib.bullmq_layout"

local lists, zsets, sub_key_types = layout.lists, layout.zsets, layout.sub_key_types

--- Fields that a job may have without having been added: what workers write to an id without a hash.
local traces = {}
for _, field in ipairs { "processedOn", "finishedOn", "ats", "atm", "pb", "stc", "attemptsMade", "stalledCounter",
  "progress", "returnvalue", "failedReason", "stacktrace", "delay", "priority", "defa" } do
  traces[field] = true
end

--- The queue whose index names the job, of all that the key can belong to; false if none does, nil if one cannot
-- be read.
local function is_indexed(key)
  for queue, id in layout.splits(key) do
    for _, index in ipairs(zsets) do
      local score = redis.pcall("ZSCORE", queue .. index, id)
      if type(score) == "table" then return nil end
      if score then return queue end
    end
    for _, list in ipairs(lists) do
      local place = redis.pcall("LPOS", queue .. list, id)
      if type(place) == "table" then return nil end
      if place then return queue end
    end
  end
  return false
end

local function is_too_long(p, queue)
  local length = 0
  for _, list in ipairs(lists) do
    local answer = redis.pcall("LLEN", queue .. list)
    length = length + (type(answer) == "number" and answer or 0)
  end
  return length > p.longest
end

--- Whether a scheduler names this job as its next: `repeat:<scheduler>:<ms>`, and in BullMQ 3 and 4
-- `repeat:<md5>:<ms>`. The time alone has to do for both.
local function is_scheduled(key)
  for queue, id in layout.splits(key) do
    local ms = id:match("^repeat:.*:(%d+)$")
    local named = ms and redis.pcall("ZRANGEBYSCORE", queue .. "repeat", ms, ms, "LIMIT", 0, 1)
    if named and (named.err or named[1]) then return true end
  end
  return false
end

local function is_locked(job) return redis.call("EXISTS", job .. ":lock") == 1 end

local function is_awaited(parent, job)
  local listed = redis.pcall("SISMEMBER", parent .. ":dependencies", job)
  return listed == 1 and redis.call("EXISTS", parent) == 1 and redis.call("HEXISTS", parent, "finishedOn") == 0
end

local function has_open_children(job)
  local children = redis.pcall("SCARD", job .. ":dependencies")
  return type(children) ~= "number" or children > 0
end

--- Whether a worker took the job, or let it wait when its time came (promoteDelayedJobs.lua of BullMQ 3 and 4): these
-- write to an id without a hash.
local function was_moved(job)
  local fields = redis.call("HMGET", job, "processedOn", "finishedOn", "ats", "atm", "attemptsMade", "stc",
    "stalledCounter", "delay")
  for i = 1, 7 do
    if fields[i] then return true end
  end
  return fields[8] == "0"
end

--- "job" as BullMQ adds one (storeJob.lua), "trace" if workers alone have written it, else nil.
local function nature(job)
  local fields = redis.call("HMGET", job, "name", "timestamp")
  if fields[1] and fields[2] then
    return redis.call("HEXISTS", job, "data") + redis.call("HEXISTS", job, "opts") == 2 and "job" or nil
  end
  if redis.call("HLEN", job) > 20 then return nil end
  for _, field in ipairs(redis.call("HKEYS", job)) do -- bounded: HLEN is at most 20
    if not traces[field] then return nil end
  end
  return was_moved(job) and "trace" or nil
end

--- Why a job is left alone although no index names it; nil if nothing speaks for it.
local function reason_to_keep(queue, job, id, strange)
  if strange ~= "" then return "its queue has keys that are not known here" end
  if redis.call("HEXISTS", job, "gid") == 1 then return "it is of a group" end
  if is_locked(job) then return "a worker has locked it" end
  if is_scheduled(job) then return "a scheduler names it as its next" end
  if layout.is_of_queue_below(queue, id) then return "it may be another queue's" end
  if has_open_children(job) then return "it is a parent with open children" end
  local parent = redis.call("HGET", job, "parentKey")
  if parent and is_awaited(parent, job) then return "its parent waits for it" end
end

local function own_sub_keys(job)
  local own = {}
  for kind, type in pairs(sub_key_types) do
    local key = job .. ":" .. kind
    if redis.call("TYPE", key).ok == type and not bullmq.is_a_job(key) then own[#own + 1] = key end
  end
  return own
end

local function remove_job(queue, id, job)
  local parent, dedup = unpack(redis.call("HMGET", job, "parentKey", "deid"))
  if dedup and redis.pcall("GET", queue .. "de:" .. dedup) == id then
    redis.call("UNLINK", queue .. "de:" .. dedup, queue .. "dn:" .. dedup)
  end
  if parent then redis.pcall("SREM", parent .. ":dependencies", job) end
  redis.call("UNLINK", job, unpack(own_sub_keys(job)))
end

local judges = {}

function judges.job(p, queue, id, strange)
  local job = queue .. id
  if redis.call("TYPE", job).ok ~= "hash" then return "gone" end
  local kind = nature(job)
  if not kind then return "kept", "a hash that is no job" end
  if is_too_long(p, queue) then return "kept", "perhaps a job in no index; the lists are too long to search" end
  local indexed = is_indexed(job)
  if indexed == queue then return "gone" end
  if indexed then return "kept", "a job of another queue" end
  local keep = reason_to_keep(queue, job, id, strange)
  if keep then return "kept", "a job in no index, but " .. keep end
  if indexed == nil then return "kept", "a job in no index that can be read" end
  local reason = kind == "job" and "a job in no index" or "traces of a job that was not there"
  if not p.repair then return "kept", reason end
  remove_job(queue, id, job)
  return "removed", reason
end

--- How an entry is looked up in an index of each kind, and taken out.
local function is_entry(index, kind, id)
  if kind == "list" then return redis.call("LPOS", index, id) end
  if kind == "set" then return redis.call("SISMEMBER", index, id) == 1 end
  return redis.call("ZSCORE", index, id)
end

local take_out = {
  list = function(index, id) redis.call("LREM", index, 0, id) end,
  set = function(index, id) redis.call("SREM", index, id) end,
  zset = function(index, id) redis.call("ZREM", index, id) end,
}

function judges.entry(p, queue, id, name)
  local index, job = queue .. name, queue .. id
  local kind = redis.call("TYPE", index).ok
  if redis.call("EXISTS", job) == 1 or not take_out[kind] then return "gone" end
  local reason = "an entry of " .. name .. " without a job"
  if is_locked(job) then return "kept", reason .. ", but a worker has locked it" end
  if is_scheduled(job) then return "kept", reason .. ", but a scheduler names it as its next" end
  if kind == "list" and is_too_long(p, queue) then
    return "kept", reason .. ", perhaps; the list is too long to search"
  end
  if not is_entry(index, kind, id) then return "gone" end
  if not p.repair then return "kept", reason end
  take_out[kind](index, id)
  return "removed", reason
end

--- Some members of a set or sorted set, or fields of a hash with their values.
local peek = {
  hash = function(key) return redis.call("HSCAN", key, "0", "COUNT", 10)[2], 2 end,
  set = function(key) return redis.call("SSCAN", key, "0", "COUNT", 10)[2], 1 end,
  zset = function(key) return redis.call("ZRANGE", key, 0, 9), 1 end,
}

--- Whether a key that looks like a job's `:failed`, `:dependencies` ... by its name and type holds what these do: full
-- keys of children. A job, a scheduler, metrics, or what the application counts in `bull:mail:stats:failed` do not.
local function is_bookkeeping(key, kind)
  local type = sub_key_types[kind]
  if type == "list" then return true end
  local members, width = peek[type](key)
  for i = 1, #members, width do
    if not members[i]:find(":.*:") then return false end
  end
  return true
end

judges["sub-key"] = function(p, queue, id, kind)
  local job = queue .. id
  local key = job .. ":" .. kind
  if redis.call("TYPE", key).ok ~= sub_key_types[kind] or redis.call("EXISTS", job) == 1 then return "gone" end
  if not is_bookkeeping(key, kind) then return "kept", "a " .. sub_key_types[kind] .. " that is not BullMQ's" end
  local reason = "the " .. kind .. " of a job that is not there"
  if is_locked(job) then return "kept", reason .. ", but a worker has locked it" end
  if is_scheduled(job) then return "kept", reason .. ", but a scheduler names it as its next" end
  if layout.is_of_queue_below(queue, id) then return "kept", reason .. ", or another queue's key" end
  if not p.repair then return "kept", reason end
  redis.call("UNLINK", key)
  return "removed", reason
end

function judges.dedup(p, queue, dedup)
  local key = queue .. "de:" .. dedup
  local id = redis.pcall("GET", key)
  if type(id) ~= "string" or redis.call("PTTL", key) ~= -1 then return "gone" end
  if redis.call("EXISTS", queue .. id) == 1 then return "gone" end
  local reason = "a deduplication key that names a job that is not there"
  if is_locked(queue .. id) then return "kept", reason .. ", but a worker has locked it" end
  if not p.repair then return "kept", reason end
  redis.call("UNLINK", key, queue .. "dn:" .. dedup)
  return "removed", reason
end

--- removeDeduplicationKey leaves it behind, and the job that runs will still add it when it ends.
judges["kept back"] = function(_, queue, dedup)
  if redis.call("EXISTS", queue .. "de:" .. dedup) == 1 then return "gone" end
  if redis.call("EXISTS", queue .. "dn:" .. dedup) == 0 then return "gone" end
  return "kept", "a next job kept back whose deduplication key is gone"
end

function judges.unknown(_, queue, rest, type)
  if redis.call("TYPE", queue .. rest).ok ~= type then return "gone" end
  return "kept", "a " .. type .. " that is not BullMQ's"
end

--- What one candidate is; with p.repair it is removed if it is lost.
return function(p, kind, queue, name, more)
  local unknown = bullmq.facts(queue).unknown
  if unknown then return "kept", "written by " .. unknown .. ", which is not known here" end
  return judges[kind](p, queue, name, more)
end
