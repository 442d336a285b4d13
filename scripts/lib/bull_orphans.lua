--- What is left over in queues of Bull 3 and 4: where it comes from, how it is found, how it is taken away.
-- Two looks: find collects what looks like a leftover, `each` proves it later for one at a time.
local bull = require "lib.bull"
local filters = require "lib.bull_filter"
local pages = require "lib.bull_pages"

local orphans = {}

-- The first look

local lists = { "wait", "paused", "active" }
local sorted_sets = { "completed", "failed", "delayed", "priority" }

--- Whether an id names a job, by the type of its key and by the field that every job has: Bull's scripts write fields
--- of a job without asking whether it is still there.
local function is_missing(kind, has_data) return kind == "none" or kind == "hash" and has_data == 0 end

--- Entries of an index that name no job. Those of lists go into the filter on the way.
local function entries(queue, index, filter)
  local is_list = index == "wait" or index == "paused" or index == "active"
  local walk = is_list and pages.list(queue .. index) or scan.zset(queue .. index, "-inf", "+inf")
  local typed = pages.judged(walk, function(id)
    if is_list then filter.add(queue .. id) end
    return { { "TYPE", queue .. id } }
  end, function(replies, id) return id, replies[1].ok end)
  return pages.judged(typed, function(id, kind)
    return kind == "hash" and { { "HEXISTS", queue .. id, "data" } } or {}
  end, function(replies, id, kind)
    if is_missing(kind, replies[1]) then return index, id end
  end)
end

--- Whether a job has ended or is gone; false also if its key is something else.
local function has_ended(job)
  local fields = redis.pcall("HMGET", job, "data", "finishedOn")
  return not fields.err and (not fields[1] or fields[2]) and true or false
end

--- Jobs that the rate limiter counts as held back.
local function limited(queue)
  return pages.judged(scan.hash(queue .. "limiter:index"), function() return {} end, function(_, id)
    if has_ended(queue .. id) then return "limited", id end
  end)
end

local function in_queue(queue, filter)
  local makers = {}
  for _, index in ipairs(lists) do makers[#makers + 1] = function() return entries(queue, index, filter) end end
  for _, index in ipairs(sorted_sets) do makers[#makers + 1] = function() return entries(queue, index, filter) end end
  makers[#makers + 1] = function() return limited(queue) end
  return pages.chain(makers)
end

--- The base of the queue that a key belongs to: the longest one, for a queue may be called `mail:urgent`.
local function owner_of(bases, key)
  for at = #key - 1, 1, -1 do
    if key:byte(at) == 58 and bases[key:sub(1, at)] then return key:sub(1, at) end
  end
  return nil
end

--- Whether a queue of another library, or one that has come since, is nearer to the key than `base`.
local function ask_for_nearer(base, key)
  local asked, from = { "EXISTS", base .. "\0" }, #base + 1
  while true do
    local colon = key:find(":", from, true)
    if not colon or colon == #key then return asked end
    asked[#asked + 1] = key:sub(1, colon) .. "id"
    asked[#asked + 1] = key:sub(1, colon) .. "meta"
    from = colon + 1
  end
end

local stub_numbers = { "processedOn", "stalledCounter", "retriedOn", "finishedOn", "attemptsMade", "delay" }
local stub_texts = { "returnvalue", "failedReason", "stacktrace", "progress" }

local function ask_for_stub(key)
  return { "HLEN", key }, { "HMGET", key, unpack(stub_numbers) }, { "HMGET", key, unpack(stub_texts) }
end

--- Whether a hash has nothing but what Bull's scripts write of a job without asking whether it is still there.
local function is_stub(length, numbers, texts)
  local found = 0
  for i in ipairs(stub_numbers) do
    if numbers[i] then
      if not numbers[i]:find("^%d+$") then return false end
      found = found + 1
    end
  end
  if found == 0 then return false end
  for i in ipairs(stub_texts) do
    if texts[i] then found = found + 1 end
  end
  return found == length
end

--- Hashes of jobs that no index names, and what is left of hashes. Jobs that were added at `since` or later are passed
--- over: they may have come after the lists were read.
local function jobs(prefix, bases, filter, since)
  local keys = scan.keys { match = glob.escape(prefix) .. ":*", type = "hash" }
  return pages.judged(keys, function(key)
    local queue = owner_of(bases, key)
    local id = queue and key:sub(#queue + 1)
    if not queue or bases[queue] ~= "meant" or bull.is_own_name(id) or filter.has(key) then return {} end
    return {
      { "HMGET", key, "data", "timestamp" },
      ask_for_nearer(queue, key),
      { "EXISTS", key .. ":lock" },
      { "ZSCORE", queue .. "completed", id },
      { "ZSCORE", queue .. "failed", id },
      { "ZSCORE", queue .. "delayed", id },
      ask_for_stub(key),
    }
  end, function(replies, key)
    if not replies[1] or replies[2] > 0 or replies[3] == 1 then return nil end
    if replies[4] or replies[5] or replies[6] then return nil end
    local queue = owner_of(bases, key)
    local data, added = unpack(replies[1])
    if data and added then
      if (tonumber(added) or 0) >= since then return nil end
      return queue, "job", key:sub(#queue + 1)
    end
    if is_stub(replies[7], replies[8], replies[9]) then return queue, "stub", key:sub(#queue + 1) end
  end)
end

local function logs(prefix, bases)
  local keys = scan.keys { match = glob.escape(prefix) .. ":*:logs", type = "list" }
  return pages.judged(keys, function(key)
    local queue = owner_of(bases, key:sub(1, -#":logs" - 1))
    if not queue or bases[queue] ~= "meant" then return {} end
    return { { "EXISTS", key:sub(1, -#":logs" - 1) }, ask_for_nearer(queue, key) }
  end, function(replies, key)
    if replies[1] ~= 0 or replies[2] > 0 then return nil end
    local queue = owner_of(bases, key)
    return queue, "logs", key:sub(#queue + 1, -#":logs" - 1)
  end)
end

--- Debounce keys without a TTL: as long as one is there, nothing is added under its name.
local function debounces(prefix, bases)
  local keys = scan.keys { match = glob.escape(prefix) .. ":*:de:*", type = "string", persistent = true }
  local function split(key)
    local queue = owner_of(bases, key)
    if not queue or bases[queue] ~= "meant" or key:sub(#queue + 1, #queue + 3) ~= "de:" then return nil end
    return queue, key:sub(#queue + 4)
  end
  local named = pages.judged(keys, function(key)
    local queue = split(key)
    return queue and { { "GET", key }, ask_for_nearer(queue, key) } or {}
  end, function(replies, key)
    if replies[1] and replies[2] == 0 then return key, replies[1] end
  end)
  return pages.judged(named, function() return {} end, function(_, key, id)
    local queue, name = split(key)
    if has_ended(queue .. id) then return queue, "debounce", name end
  end)
end

--- All that looks like a leftover: queue, kind, and its name.
function orphans.candidates(p, emit)
  local filter, bases = filters.new(string.format("%.0f:", p.now)), {}
  local function is_meant(base) return glob.match(p.queues, base:sub(#p.prefix + 2, -2)) end
  local function emit_meant(base)
    bases[base] = "unknown"
    if is_meant(base) then emit(base) end
  end
  local every_queue = bull.queues({ prefix = p.prefix, queues = "*" }, emit_meant)
  local function queues()
    for base in every_queue do
      bases[base] = is_meant(base) and "meant" or "not meant"
      if bases[base] == "meant" then return base end
    end
  end

  return pages.chain {
    function() return pages.each_of(queues, function(queue) return in_queue(queue, filter) end) end,
    function() return jobs(p.prefix, bases, filter, p.now - p.grace) end,
    function() return logs(p.prefix, bases) end,
    function() return debounces(p.prefix, bases) end,
  }
end

-- The second look

local most_waiting = 1000000
local most_bases = 16

local function failed(reply) return type(reply) == "table" and reply.err end

--- Whether the queue at `base` names `id` in any index; "unsure" where that cannot be told. In this order a job that
--- moves on meanwhile is met at one place or the next; a pause is seen by its watched key.
local function names(base, id)
  for _, index in ipairs { "completed", "failed", "delayed", "prioritized", "waiting-children" } do
    local score = redis.pcall("ZSCORE", base .. index, id)
    if failed(score) then return "unsure" end
    if score then return true end
  end
  for _, index in ipairs(lists) do
    local length = redis.pcall("LLEN", base .. index)
    if failed(length) or length > most_waiting then return "unsure" end
    if redis.call("LPOS", base .. index, id) then return true end
  end
  return false
end

--- The same for every queue that the key may belong to: `bull:mail:urgent:7` may be the job `urgent:7` of `mail`.
local function is_named(queue, key)
  local from, count = 1, 0
  while true do
    local colon = key:find(":", from, true)
    if not colon or colon == #key then return false end
    count = count + 1
    if count > most_bases then return "unsure" end
    local base = key:sub(1, colon)
    if base == queue or redis.call("EXISTS", base .. "id", base .. "meta") > 0 then
      local answer = names(base, key:sub(colon + 1))
      if answer then return answer end
    end
    from = colon + 1
  end
end

local function take_entry(p, queue, index, id)
  local job, key = queue .. id, queue .. index
  return atomically({ job, job .. ":lock" }, function(write)
    if redis.call("EXISTS", job .. ":lock") == 1 then return "kept", "a worker holds its lock" end
    local kind = redis.call("TYPE", job).ok
    if not is_missing(kind, kind == "hash" and redis.call("HEXISTS", job, "data")) then return "gone" end
    local is_list = redis.call("TYPE", key).ok == "list"
    if not redis.call(is_list and "LPOS" or "ZSCORE", key, id) then return "gone" end
    local reason = "an entry in " .. index .. " without a job"
    if not p.repair then return "kept", reason end
    if is_list then write("LREM", key, 0, id) else write("ZREM", key, id) end
    return "removed", reason
  end)
end

local function put_back(write, queue, id)
  local list = queue .. (redis.call("EXISTS", queue .. "meta-paused") == 1 and "paused" or "wait")
  redis.call("LLEN", list)
  write("LPUSH", list, id)
  write("PUBLISH", queue .. "waiting@", id)
end

local function take_job(p, queue, id)
  local job = queue .. id
  return atomically({ job, job .. ":lock", job .. ":logs", queue .. "meta-paused" }, function(write, watch)
    local fields = redis.call("HMGET", job, "data", "finishedOn", "deid")
    if not fields[1] then return "gone" end
    if redis.call("EXISTS", job .. ":lock") == 1 then return "kept", "a worker holds its lock" end
    local named = is_named(queue, job)
    if named == "unsure" then return "kept", "it cannot be told whether an index names it" end
    if named then return "kept", "an index names it" end

    local reason = (fields[2] and "a finished" or "an unfinished") .. " job that no index names"
    if not p.repair or not fields[2] and p.lost == "keep" then return "kept", reason end
    if not fields[2] and p.lost == "requeue" then
      put_back(write, queue, id)
      return "requeued", reason
    end
    bull.remove_debounce(write, watch, queue, id, fields[3])
    bull.remove_keys(write, job)
    return "removed", reason
  end)
end

local function take_stub(p, queue, id)
  local job = queue .. id
  return atomically({ job, job .. ":lock" }, function(write)
    if redis.call("TYPE", job).ok ~= "hash" or redis.call("EXISTS", job .. ":lock") == 1 then return "gone" end
    if not is_stub(unpack(pipelined { ask_for_stub(job) })) then return "gone" end
    if is_named(queue, job) then return "kept", "an index names it" end
    local reason = "what was written of a job after its removal"
    if not p.repair then return "kept", reason end
    write("UNLINK", job)
    return "removed", reason
  end)
end

local function take_log(p, queue, id)
  local job, key = queue .. id, queue .. id .. ":logs"
  return atomically({ job, key }, function(write)
    if redis.call("EXISTS", job) == 1 or redis.call("TYPE", key).ok ~= "list" then return "gone" end
    if not p.repair then return "kept", "a log without its job" end
    write("UNLINK", key)
    return "removed", "a log without its job"
  end)
end

local function take_debounce(p, queue, name)
  local key = queue .. "de:" .. name
  return atomically({ key }, function(write, watch)
    local id = redis.call("GET", key)
    if not id or redis.call("PTTL", key) ~= -1 then return "gone" end
    watch(queue .. id)
    if not has_ended(queue .. id) then return "gone" end
    local reason = "a debounce key whose job is gone: nothing can be added under its name"
    if not p.repair then return "kept", reason end
    write("UNLINK", key)
    return "removed", reason
  end)
end

local function take_limited(p, queue, id)
  local job, index = queue .. id, queue .. "limiter:index"
  return atomically({ job }, function(write)
    local set = redis.call("HGET", index, id)
    if not set or not has_ended(job) then return "gone" end
    local reason = "a job that is gone, and still slows the rate limiter down"
    if not p.repair then return "kept", reason end
    bull.remove_from_limiter(write, queue, id, set)
    return "removed", reason
  end)
end

local takes = { job = take_job, stub = take_stub, logs = take_log, debounce = take_debounce, limited = take_limited }

--- Proves that it is a leftover, and removes it if `p.repair`. The kind of an entry is the name of its index.
function orphans.take(p, queue, kind, name)
  if takes[kind] then return takes[kind](p, queue, name) end
  return take_entry(p, queue, kind, name)
end

return orphans
