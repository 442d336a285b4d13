--- What BullMQ 3 to 6 have lost track of: how it is found, and how it is judged.
-- `candidates` is fast and may be wrong about jobs that move meanwhile; `judge` looks at one instant and decides.
local bullmq = require "lib.bullmq"

local orphans = {}

local lists = { "wait", "paused", "active" }
local zsets = { "completed", "failed", "delayed", "prioritized", "waiting-children", "priority" }

--- Every key of a queue that is not about one job (queue-keys.js of all majors).
local infrastructure = { id = true, pc = true, meta = true, marker = true, limiter = true, events = true,
  stalled = true, ["stalled-check"] = true, ["repeat"] = true }
for _, name in ipairs(lists) do infrastructure[name] = true end
for _, name in ipairs(zsets) do infrastructure[name] = true end

--- The keys of one job besides its hash, and their types (removeJobKeys.lua).
local sub_key_types = {
  logs = "list", dependencies = "set", processed = "hash", failed = "hash", unsuccessful = "zset",
}

--- Fields that a job may have without having been added: what workers write to an id without a hash.
local traces = {}
for _, field in ipairs { "processedOn", "finishedOn", "ats", "atm", "pb", "stc", "attemptsMade", "stalledCounter",
  "progress", "returnvalue", "failedReason", "stacktrace", "delay", "priority", "defa" } do
  traces[field] = true
end

-- Keys and their queues

--- `bull:a:`, `bull:a:b:` for `bull:a:b:17`, with what is left of the key: BullMQ 3 and 4 allow colons in names and
-- all in ids, so any of them may be the queue.
local function splits(key)
  local at = 0
  return function()
    at = key:find(":", at + 1, true)
    if at then return key:sub(1, at), key:sub(at + 1) end
  end
end

--- The queues that are there, whether meant or not, as a set.
local function all_queues()
  local known = {}
  for key in scan.keys { match = "*:meta", type = "hash" } do
    local meta = redis.call("HMGET", key, "version", "opts.maxLenEvents")
    if meta[1] or meta[2] then known[key:sub(1, -#"meta" - 1)] = true end
  end
  return known
end

--- The longest base key in `queues` that the key begins with, and the rest of it.
local function owner(queues, key)
  local found, rest
  for base, behind in splits(key) do
    if queues[base] and behind ~= "" then found, rest = base, behind end
  end
  return found, rest
end

--- Whether another queue lives below this one, and the key is that one's: a queue of Bull or BullMQ that is
-- called `a:b` has keys that look like those of jobs `b:17` of a queue `a`. (`failed` may be a job's own.)
local function is_of_queue_below(queue, rest)
  for below in splits(rest) do
    local base = queue .. below
    if redis.call("EXISTS", base .. "id", base .. "meta", base .. "wait", base .. "active", base .. "completed",
        base .. "delayed", base .. "events") > 0 then
      return true
    end
  end
  return false
end

local function is_metrics(rest) return rest:find("^metrics:") or rest:find(":metrics:") end

--- The job and the kind of sub-key that a key seems to be, by name and type.
local function as_sub_key(rest, type)
  local id, kind = rest:match("^(.+):(%l+)$")
  if id and sub_key_types[kind] == type and not is_metrics(rest) then return id, kind end
end

-- Looking for candidates

local page_size = 500

--- Values of an iterator, so many at a time. What has said that it is at its end is not asked again.
local function pages(iterator, state, value)
  local ended = false
  return function()
    local page = {}
    while not ended and #page < page_size do
      value = iterator(state, value)
      page[#page + 1], ended = value, value == nil
    end
    return page[1] and page
  end
end

local big_page = 2000

--- Elements of a list from its left end on, in big pages: what workers take goes from the right end, and what is
-- added shifts the rest to the right, where it is met again. An element that is passed over because others
-- were taken out to its left is only looked at in vain, by judge().
local function elements(list)
  if redis.call("TYPE", list).ok ~= "list" then return scan.list(list) end -- which reports another type
  local page, at, start = {}, 0, 0
  return function()
    if at == #page then
      if start > 0 and #page < big_page then return nil end
      page, at = redis.call("LRANGE", list, start, start + big_page - 1), 0
      start = start + big_page
    end
    at = at + 1
    return page[at]
  end
end

--- One command for each value of a page; their replies.
local function ask(page, command)
  local commands = {}
  for i, value in ipairs(page) do commands[i] = { command(value) } end
  return pipelined(commands)
end

local function entries_without_job(queue, index, iterator, found)
  for page in pages(iterator) do
    local there = ask(page, function(id) return "EXISTS", queue .. id end)
    for i, id in ipairs(page) do
      if there[i] == 0 and not bullmq.is_pseudo(id) then found("entry", queue, id, index) end
    end
  end
end

local function walk_indexes(queue, found)
  for _, name in ipairs(lists) do entries_without_job(queue, name, elements(queue .. name), found) end
  for _, name in ipairs(zsets) do
    entries_without_job(queue, name, scan.zset(queue .. name, "-inf", "+inf"), found)
  end
  entries_without_job(queue, "stalled", scan.set(queue .. "stalled"), found)
end

--- Keys of one type below the prefix that belong to the queues that are meant: look(queue, rest, key).
local function walk_keys(p, type, known, meant, look)
  for key in scan.keys { match = glob.escape(p.prefix) .. ":*", type = type } do
    local queue, rest = owner(known, key)
    if queue and meant[queue] then look(queue, rest, key) end
  end
end

local function is_missing(queue, id) return redis.call("EXISTS", queue .. id) == 0 end

--- Collects what is put in, and hands it over so many at a time; the second function hands over the rest.
local function collector(handle)
  local page = {}
  local function flush()
    local full = page
    page = {}
    if full[1] then handle(full) end
  end
  local function put(...)
    page[#page + 1] = { ... }
    if #page == page_size then flush() end
  end
  return put, flush
end

--- For { queue, id, ... }: those whose job has no hash.
local function missing_jobs(page, report)
  local there = ask(page, function(it) return "EXISTS", it[1] .. it[2] end)
  for i, it in ipairs(page) do
    if there[i] == 0 then report(unpack(it)) end
  end
end

--- Lists, sets and sorted sets: sub-keys without a job, and what might be the index of something unknown.
local function walk_collections(p, known, meant, found)
  local strange = {}
  local look_at, finish = collector(function(page)
    missing_jobs(page, function(queue, id, kind)
      if not is_of_queue_below(queue, id) then found("sub-key", queue, id, kind) end
    end)
  end)
  for _, type in ipairs { "list", "set", "zset" } do
    walk_keys(p, type, known, meant, function(queue, rest)
      if infrastructure[rest] or is_metrics(rest) then return end
      local id, kind = as_sub_key(rest, type)
      if id then
        look_at(queue, id, kind)
      elseif not is_of_queue_below(queue, rest) then
        strange[queue] = rest
        found("unknown", queue, rest, type)
      end
    end)
  end
  finish()
  return strange
end

local function walk_dedup_keys(p, known, meant, found)
  local look_at, finish = collector(function(page)
    local ttls = ask(page, function(it) return "PTTL", it[1] .. "de:" .. it[2] end)
    local ids = ask(page, function(it) return "GET", it[1] .. "de:" .. it[2] end)
    local lasting = {}
    for i, it in ipairs(page) do
      if ttls[i] == -1 and ids[i] then lasting[#lasting + 1] = { it[1], ids[i], it[2] } end
    end
    missing_jobs(lasting, function(queue, id, dedup) found("dedup", queue, dedup, id) end)
  end)
  walk_keys(p, "string", known, meant, function(queue, rest)
    local dedup = rest:match("^de:(.+)$")
    if dedup then look_at(queue, dedup) end
  end)
  finish()
end

--- Strikes out of `hashes` (queue -> id -> true) those that a list names.
local function strike_out_listed(hashes)
  for queue, ids in pairs(hashes) do
    for _, name in ipairs(lists) do
      if next(ids) == nil then break end
      for id in elements(queue .. name) do ids[id] = nil end
    end
  end
end

--- The hashes of a queue that no sorted set names; none if one of these cannot be read.
local function unranked(queue, names)
  local ranked, left = {}, {}
  for _, index in ipairs(zsets) do
    local scores = redis.pcall("ZMSCORE", queue .. index, unpack(names))
    if scores.err then return {} end
    for i, name in ipairs(names) do ranked[name] = ranked[name] or scores[i] end
  end
  for _, name in ipairs(names) do
    if not ranked[name] then left[#left + 1] = name end
  end
  return left
end

local function report_hash(queue, rest, fields, strange, found)
  local is_job = fields[1] and fields[2]
  local dedup = rest:match("^dn:(.+)$")
  local id, kind = as_sub_key(rest, "hash")
  if is_of_queue_below(queue, rest) or not is_job and rest:find("^repeat:") then return end
  if is_job then
    found("job", queue, rest, strange)
  elseif dedup then
    if is_missing(queue, "de:" .. dedup) then found("kept back", queue, dedup, "") end
  elseif id and not fields[1] then
    if is_missing(queue, id) then found("sub-key", queue, id, kind) end
  else
    found("job", queue, rest, strange)
  end
end

local function report_hashes(queue, names, strange, found)
  for page in pages(pairs(names)) do
    local fields = ask(page, function(name) return "HMGET", queue .. name, "name", "timestamp" end)
    for i, name in ipairs(page) do report_hash(queue, name, fields[i], strange, found) end
  end
end

local most_compared = 100000

local function walk_hashes(p, known, meant, strange, found)
  local pending, hashes, compared = {}, {}, 0

  local function rank(queue)
    for _, name in ipairs(unranked(queue, pending[queue])) do
      hashes[queue] = hashes[queue] or {}
      hashes[queue][name] = true
      compared = compared + 1
    end
    pending[queue] = nil
  end

  local function compare()
    strike_out_listed(hashes)
    for queue, names in pairs(hashes) do
      report_hashes(queue, names, strange[queue] or "", found)
    end
    hashes, compared = {}, 0
  end

  walk_keys(p, "hash", known, meant, function(queue, rest)
    if infrastructure[rest] or is_metrics(rest) then return end
    pending[queue] = pending[queue] or {}
    table.insert(pending[queue], rest)
    if #pending[queue] < page_size then return end
    rank(queue)
    if compared >= most_compared then compare() end
  end)
  for queue in pairs(pending) do rank(queue) end
  compare()
end

--- What may be lost in `queues`: kind, queue, name, and what else judge() needs.
function orphans.candidates(p, queues)
  return coroutine.wrap(function()
    local found, meant = coroutine.yield, {}
    for queue in queues do meant[queue] = true end
    if next(meant) == nil then return end
    local known = all_queues()
    for queue in pairs(meant) do walk_indexes(queue, found) end
    local strange = walk_collections(p, known, meant, found)
    walk_dedup_keys(p, known, meant, found)
    walk_hashes(p, known, meant, strange, found)
  end)
end

-- Judging one of them; all of it happens at one instant

--- The queue whose index names the job, of all that the key can belong to; false if none does, nil if one cannot
-- be read.
local function is_indexed(key)
  for queue, id in splits(key) do
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
  for queue, id in splits(key) do
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
  return "trace"
end

--- Why a job is left alone although no index names it; nil if nothing speaks for it.
local function reason_to_keep(queue, job, id, strange)
  if strange ~= "" then return "its queue has keys that are not known here" end
  if redis.call("HEXISTS", job, "gid") == 1 then return "it is of a group" end
  if is_locked(job) then return "a worker has locked it" end
  if is_scheduled(job) then return "a scheduler names it as its next" end
  if is_of_queue_below(queue, id) then return "it may be another queue's" end
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

--- Fields of hashes that look like a job's `:failed` or `:processed` by name, but are a job, a scheduler, a next
-- job kept back, or metrics. Those of the real ones are full keys of children.
local function is_bookkeeping(key, kind)
  if sub_key_types[kind] ~= "hash" then return true end
  for _, value in ipairs(redis.call("HMGET", key, "name", "data", "opts", "count", "prevTS", "ic")) do
    if value then return false end
  end
  return true
end

judges["sub-key"] = function(p, queue, id, kind)
  local job = queue .. id
  local key = job .. ":" .. kind
  if redis.call("TYPE", key).ok ~= sub_key_types[kind] or redis.call("EXISTS", job) == 1 then return "gone" end
  if not is_bookkeeping(key, kind) then return "kept", "a hash that is no job" end
  local reason = "the " .. kind .. " of a job that is not there"
  if is_locked(job) then return "kept", reason .. ", but a worker has locked it" end
  if is_scheduled(job) then return "kept", reason .. ", but a scheduler names it as its next" end
  if is_of_queue_below(queue, id) then return "kept", reason .. ", or another queue's key" end
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
function orphans.judge(p, kind, queue, name, more)
  local unknown = bullmq.facts(queue).unknown
  if unknown then return "kept", "written by " .. unknown .. ", which is not known here" end
  return judges[kind](p, queue, name, more)
end

return orphans
