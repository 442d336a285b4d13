--- What BullMQ 3 to 6 may have lost track of, as `find` sees it: fast, and wrong about jobs that move meanwhile.
-- What each of them is, lib/bullmq_judge.lua decides.
local bullmq = require "lib.bullmq"
local layout = require "lib.bullmq_layout"

local orphans = {}

local lists, zsets, sub_key_types = layout.lists, layout.zsets, layout.sub_key_types

--- Every key of a queue that is not about one job (queue-keys.js of all majors).
local infrastructure = { id = true, pc = true, meta = true, marker = true, limiter = true, events = true,
  stalled = true, ["stalled-check"] = true, ["repeat"] = true }
for _, name in ipairs(lists) do infrastructure[name] = true end
for _, name in ipairs(zsets) do infrastructure[name] = true end

-- Keys and their queues

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
  for base, behind in layout.splits(key) do
    if queues[base] and behind ~= "" then found, rest = base, behind end
  end
  return found, rest
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
-- were taken out to its left is only looked at in vain.
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
      if not layout.is_of_queue_below(queue, id) then found("sub-key", queue, id, kind) end
    end)
  end)
  for _, type in ipairs { "list", "set", "zset" } do
    walk_keys(p, type, known, meant, function(queue, rest)
      if infrastructure[rest] or is_metrics(rest) then return end
      local id, kind = as_sub_key(rest, type)
      if id then
        look_at(queue, id, kind)
      elseif not layout.is_of_queue_below(queue, rest) then
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
  if layout.is_of_queue_below(queue, rest) or not is_job and rest:find("^repeat:") then return end
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

--- What may be lost in `queues`: kind, queue, name, and what else lib/bullmq_judge.lua needs to know.
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

return orphans
