--- What Celery 5 keeps in Redis as its result backend, and the broker's queues as kombu names them.
-- Facts from celery/backends/base.py, celery/backends/redis.py and kombu/transport/redis.py. The messages
-- that workers hold are in lib.celery_unacked.
local iso_time = require "lib.iso_time"
local celery = {}

-- Results

local final = { SUCCESS = true, FAILURE = true, REVOKED = true } -- states.READY_STATES

--- An array or object from its JSON text, only for reading; nil if it is none.
function celery.decode(text)
  local done, value = pcall(cjson.decode, text)
  return done and type(value) == "table" and value or nil
end

--- What a stored result tells: { status, done (ms; nil while the task has not ended), group }; nil and why
--- if it is none that we know (another serializer, perhaps).
function celery.result(text)
  local meta = celery.decode(text)
  if not meta or type(meta.status) ~= "string" then return nil, "its layout is unknown" end
  local result = { status = meta.status, group = type(meta.group_id) == "string" and meta.group_id or nil }
  if not final[meta.status] then return result end
  result.done = iso_time.parse(meta.date_done) -- without an offset before Celery 5.3: datetime.utcnow()
  if not result.done then return nil, "its date_done is unknown" end
  return result
end

local function group_key(p, group) return p.prefix .. "celery-taskset-meta-" .. group end

--- The keys of a group: as it was saved, and the results, the size and its correction while it is a chord
--- (get_key_for_group, on_chord_part_return).
local function group_keys(p, group)
  local key = group_key(p, group)
  return key, key .. ".j", key .. ".s", key .. ".t"
end

--- Whether a result is of the wanted state and older than wanted. Otherwise nil and why not.
local function is_over(p, text)
  local result, problem = celery.result(text)
  if not result then return nil, problem end
  if not result.done then return nil, "its task has not ended" end
  if p.state ~= "any" and result.status ~= p.state then return nil, "its state is " .. result.status end
  if result.done >= p.now - p.older_than then return nil, "it is newer" end
  return result
end

--- Whether a result can go: it is over, and no group or chord may yet ask for it. Otherwise nil and why.
local function can_go(p, text)
  local result, problem = is_over(p, text)
  if result and result.group and redis.call("EXISTS", group_keys(p, result.group)) > 0 then
    return nil, "its group is still there"
  end
  return result, problem
end

local page_size = 50

--- The values of an iterator, some at a time.
local function pages(iterator)
  local ended = false
  return function()
    local page = {}
    while not ended and #page < page_size do
      local value = iterator()
      ended = value == nil
      page[#page + 1] = value
    end
    return page[1] and page or nil
  end
end

--- Calls visit(key) for each stored result that can go, and for each that we do not understand.
function celery.each_finished(p, visit)
  local keys = scan.keys { match = glob.escape(p.prefix) .. "celery-task-meta-*", type = "string" }
  for page in pages(keys) do
    local texts = redis.call("MGET", unpack(page))
    for i, key in ipairs(page) do
      if texts[i] then
        local result, problem = can_go(p, texts[i])
        if result or problem:find("unknown") then visit(key) end
      end
    end
  end
end

--- Removes one stored result, if it can go.
function celery.remove_result(p, key)
  return atomically({ key }, function(write, watch)
    local text = redis.call("GET", key)
    if not text then return "gone" end
    local result, problem = is_over(p, text)
    if not result then return "kept", problem end
    if result.group then watch(group_keys(p, result.group)) end
    result, problem = can_go(p, text)
    if not result then return "kept", problem end
    write("UNLINK", key)
    return "removed"
  end)
end

-- Groups and chords

--- Adds the ids of the tasks in a saved result, as ResultBase.as_tuple() nests them: [[id, parent], children].
--- Returns false if it is no such thing.
local function add_tasks(saved, ids)
  if type(saved) ~= "table" or type(saved[1]) ~= "table" or type(saved[1][1]) ~= "string" then return false end
  if type(saved[2]) ~= "table" then
    ids[#ids + 1] = saved[1][1]
    return true
  end
  for _, child in ipairs(saved[2]) do
    if not add_tasks(child, ids) then return false end
  end
  return true
end

local function part_iterator(key)
  local kind = redis.call("TYPE", key).ok
  if kind == "zset" then return scan.zset(key, "-inf", "+inf") end
  if kind == "list" then return scan.list(key) end
  return function() end
end

--- How many parts of a chord have returned: a sorted set, or a list where result_chord_ordered is off.
local function parts_returned(key)
  local kind = redis.call("TYPE", key).ok
  if kind == "zset" then return redis.call("ZCARD", key) end
  if kind == "list" then return redis.call("LLEN", key) end
  return 0
end

local function number_at(key)
  local text = redis.pcall("GET", key)
  return type(text) == "string" and tonumber(text) or nil
end

--- Where a chord is: "ended" if all its parts have returned, "waits" if not, "none" if there is no chord; and
--- how many parts have returned. One that has ended and is still there has failed: a chord that succeeds
--- removes its counters, and one whose size is unknown is still being sent.
local function chord_state(p, group)
  local _, parts, size, correction = group_keys(p, group)
  local returned = parts_returned(parts)
  local total = number_at(size)
  if not total then return returned > 0 and "waits" or "none", returned end
  return returned == total + (number_at(correction) or 0) and "ended" or "waits", returned
end

--- What must not have changed when a group is removed.
local function fingerprint(saved, state, returned)
  return redis.sha1hex(saved or "") .. " " .. state .. " " .. returned
end

--- The tasks of a group as it was saved and of the parts that have returned; nil if not understood.
local function tasks_of(p, group, saved)
  local _, parts = group_keys(p, group)
  local ids = {}
  if saved then
    local text = celery.decode(saved)
    if not text or not add_tasks(text.result, ids) then return nil end
  end
  for part in part_iterator(parts) do
    local returned = celery.decode(part) -- [1, id, state, result]
    if not returned or type(returned[2]) ~= "string" then return nil end
    ids[#ids + 1] = returned[2]
  end
  return ids
end

--- Whether each of the tasks has ended long enough ago for its result to go.
local function all_over(p, ids)
  for first = 1, #ids, page_size do
    local keys = {}
    for i = first, math.min(first + page_size - 1, #ids) do
      keys[#keys + 1] = p.prefix .. "celery-task-meta-" .. ids[i]
    end
    local texts = redis.call("MGET", unpack(keys))
    for i = 1, #keys do
      local result = texts[i] and celery.result(texts[i])
      if not result or not result.done or result.done >= p.now - p.older_than then return false end
    end
  end
  return #ids > 0
end

--- Names of groups, once each: by the group as it was saved, or by its chord's parts.
local function groups(p)
  local head = group_key(p, "")
  local keys = scan.keys { match = glob.escape(head) .. "*" }
  return function()
    for key in keys do
      local name = key:sub(#head + 1)
      local base = name:match("^(.*)%.[jst]$")
      if not base then return name end
      if name:sub(-2) == ".j" and redis.call("EXISTS", group_key(p, base)) == 0 then return base end
    end
  end
end

--- Calls visit(group, fingerprint) for each saved group and each chord that has failed, if all of its tasks
--- ended long enough ago. One of whose tasks there is no result is left alone: they may still wait.
function celery.each_finished_group(p, visit)
  for group in groups(p) do
    local saved = redis.pcall("GET", (group_keys(p, group)))
    local state, returned = chord_state(p, group)
    local ids = type(saved) ~= "table" and state ~= "waits" and tasks_of(p, group, saved)
    if ids and all_over(p, ids) then visit(group, fingerprint(saved, state, returned)) end
  end
end

--- Removes what is kept of one group, if it is as it was when find read its tasks: what has ended stays so.
function celery.remove_group(p, group, seen)
  local keys = { group_keys(p, group) }
  return atomically(keys, function(write)
    if redis.call("EXISTS", unpack(keys)) == 0 then return "gone" end
    local now = fingerprint(redis.call("GET", keys[1]), chord_state(p, group))
    if now ~= seen then return "kept", "its group has changed" end
    write("UNLINK", unpack(keys))
    return "removed"
  end)
end

--- Iterates over "chord", group: chords that have ended, failed, and left counters without a TTL.
function celery.failed_chords(p)
  local names = groups(p)
  return function()
    for group in names do
      local _, parts = group_keys(p, group)
      if chord_state(p, group) == "ended" and redis.call("PTTL", parts) == -1 then return "chord", group end
    end
  end
end

--- Whether such a chord is still there.
function celery.has_failed_chord(p, group)
  return chord_state(p, group) == "ended"
end

return celery
