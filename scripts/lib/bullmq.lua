--- What BullMQ 3 to 6 keep in Redis, and how one finished job is taken out of it. How jobs are put back to
-- work is in lib/bullmq_waiting.lua.
-- Facts from the library's own scripts (bullmq dist/cjs/commands), named where they are used.
local bullmq = {}

--- Base keys (`bull:mail:`) of the queues under `p.prefix` whose name matches `p.queues`.
-- A queue has a hash `meta` with its version or its stream's length (queue.js metaValues,
-- getOrSetMaxEvents.lua); Bull 4 has such a hash too, but with neither field.
function bullmq.queues(p)
  local head, seen = p.prefix .. ":", {}
  local metas = scan.keys { match = glob.escape(head) .. "*:meta", type = "hash" }

  local function wanted(base)
    if seen[base] or not glob.match(p.queues, base:sub(#head + 1, -2)) then return false end
    seen[base] = true
    local meta = redis.call("HMGET", base .. "meta", "version", "opts.maxLenEvents")
    return meta[1] or meta[2]
  end

  return function()
    for key in metas do
      local base = key:sub(1, -#"meta" - 1)
      if wanted(base) then return base end
    end
  end
end

--- What decides how jobs of a queue are moved, read from what is stored. Watch `queue .. "meta"` if you act
-- on it.
--   major       3 to 6 by the `version` of the last Queue object that connected; nil if that is another
--               program's, or was left out (skipMetasUpdate)
--   minor       the number behind it
--   unknown     that version, if it is none that is known here: its jobs are to be left alone
--   paused      whether workers shall take nothing
--   has_marker  whether workers wait at the zset `marker` (5, 6) and not at the list `wait` (3, 4)
--   priorities  where prioritized jobs wait: "zset" `prioritized` (4 to 6), or their "place" in `wait` (3); nil if
--               nothing tells
--   list        the key of the list where a waiting job goes now, and `length`
--   max_events  how long the event stream may become (getOrSetMaxEvents.lua)
function bullmq.facts(queue)
  local meta, marker, paused_list, zset, place = unpack(pipelined {
    { "HMGET", queue .. "meta", "version", "opts.maxLenEvents", "paused" },
    { "EXISTS", queue .. "marker" },
    { "EXISTS", queue .. "paused" },
    { "EXISTS", queue .. "prioritized" },
    { "EXISTS", queue .. "priority" },
  })
  local version, paused = meta[1] or nil, meta[3] and true or false
  local major, minor = (version or ""):match("^bullmq:([3-6])%.(%d+)%.")
  major, minor = tonumber(major), tonumber(minor)
  local facts = {
    major = major,
    minor = minor,
    unknown = not major and version,
    paused = paused,
    has_marker = major and major >= 5 or not major and marker == 1,
    max_events = meta[2] or "10000",
  }
  if major == 3 or not major and place == 1 then facts.priorities = "place" end
  if major and major >= 4 or facts.has_marker or not major and zset == 1 then facts.priorities = "zset" end
  -- BullMQ 6 leaves the jobs of a paused queue in `wait`; what 5 or older paused is in `paused`, and 6 drains
  -- that when it resumes (pause.lua). So an existing `paused` is right for all of them.
  local stays_in_wait = major == 6 and paused_list == 0
  facts.list = queue .. (paused and not stays_in_wait and "paused" or "wait")
  facts.length = redis.call("LLEN", facts.list)
  return facts
end

--- Wakes a worker of BullMQ 5 or 6 (addBaseMarkerIfNeeded.lua). At the limit of the queue's `concurrency` the
-- library leaves it out; there a worker looks, finds that it has to wait, and no harm is done.
function bullmq.add_marker(write, queue, facts)
  if facts.has_marker and not facts.paused then write("ZADD", queue .. "marker", "0", "0") end
end

--- Wakes a worker of BullMQ 4 that waits at an empty list (addPriorityMarkerIfNeeded.lua). Others of the same
-- transaction may find it empty, too: one marker is left.
function bullmq.add_zero_marker(write, facts)
  if facts.has_marker or facts.paused or facts.length > 0 then return end
  write("LREM", facts.list, 1, "0:0")
  write("LPUSH", facts.list, "0:0")
end

--- Whether workers fail a job unrun whose field `defa` says so (worker.js deferredFailure): 5.50 and later.
function bullmq.defers_failures(facts)
  return facts.major == 6 or facts.major == 5 and facts.minor >= 50
end

--- Tells the queue's event stream: event(write, queue, facts, "waiting", "jobId", id, "prev", "failed").
function bullmq.event(write, queue, facts, name, ...)
  write("XADD", queue .. "events", "MAXLEN", "~", facts.max_events, "*", "event", name, ...)
end

--- Whether an id in `wait`, `paused` or `active` is no job but a marker of BullMQ 3 and 4: `0:<ms>` for the next
-- delayed job, `0:0` for a prioritized one.
function bullmq.is_pseudo(id) return id:sub(1, 2) == "0:" end

local page_size = 500

--- The values of an iterator for which `look` returns something, each with what it returned. `ask(id)` is the
-- commands whose replies `look(id, score, ...)` gets; they are sent for many ids in one go.
function bullmq.examine(iterator, ask, look)
  local function read_page()
    local page, commands = {}, {}
    for id, score in iterator do
      local asked = ask(id)
      page[#page + 1] = { id, score, first = #commands + 1, last = #commands + #asked }
      for _, command in ipairs(asked) do commands[#commands + 1] = command end
      if #page == page_size then break end
    end
    return page, #page > 0 and pipelined(commands)
  end

  local page, replies, at, last = {}, nil, 0, false
  return function()
    while true do
      if at == #page then
        if last then return nil end
        page, replies = read_page()
        at, last = 0, #page < page_size
        if #page == 0 then return nil end
      end
      at = at + 1
      local entry = page[at]
      local seen = look(entry[1], entry[2], unpack(replies, entry.first, entry.last))
      if seen then return entry[1], seen end
    end
  end
end

--- Ids in a finished state that finished before `before` (ms) and are not among the newest `keep`.
function bullmq.finished_before(queue, state, before, keep)
  local index, limit = queue .. state, before
  if keep > 0 then
    local last = redis.pcall("ZREVRANGE", index, keep, keep, "WITHSCORES")
    if not last.err then -- an index of another type is told by the walk below
      if not last[1] then return function() end end
      limit = math.min(before, tonumber(last[2]) + 1)
    end
  end
  return scan.zset(index, "-inf", string.format("(%.0f", limit))
end

--- The keys that belong to one job besides its hash (removeJobKeys.lua).
function bullmq.sub_keys(job)
  return job .. ":logs", job .. ":dependencies", job .. ":processed", job .. ":failed", job .. ":unsuccessful"
end

--- Whether a key is the hash of another job whose id looks like a sub-key of this one: BullMQ 3 and 4
-- take any id, so `17:logs` can be one.
function bullmq.is_a_job(key)
  if redis.call("TYPE", key).ok ~= "hash" then return false end
  local fields = redis.call("HMGET", key, "name", "timestamp")
  return fields[1] and fields[2]
end

--- Those of a job's sub-keys that are its own; `count` of them exist.
local function own_sub_keys(sub_keys, count)
  local own = {}
  for _, key in ipairs(sub_keys) do
    if count == 0 then break end
    local type = redis.call("TYPE", key).ok
    if type ~= "none" then
      count = count - 1
      if type ~= "hash" or not bullmq.is_a_job(key) then own[#own + 1] = key end
    end
  end
  return own
end

--- Whether a parent that has not finished itself still counts on this child. One that failed for another
-- child's sake may list it too (a child with failParentOnFailure does not wait for its siblings); that
-- entry goes with the child, or the parent could never complete when it is retried (moveToFinished: -4).
local function is_awaited(parent, job)
  if redis.call("SISMEMBER", parent .. ":dependencies", job) == 0 then return false end
  return redis.call("EXISTS", parent) == 1 and redis.call("HEXISTS", parent, "finishedOn") == 0
end

--- Takes one finished job out of its queue, with all that is its own, unless it is no longer finished
-- before `before`, or is among the newest `keep`, or its parent still waits for it
-- (removeParentDependencyKey.lua would delete that parent).
-- A deduplication key goes if it still names this job (removeDeduplicationKeyIfNeededOnRemoval.lua).
-- The index entry goes last. Whatever moves a job out of `completed` or `failed` changes its hash, so the
-- hash is what is watched; the index itself changes all the time on a busy queue.
function bullmq.remove_finished(queue, state, id, before, keep)
  local index, job = queue .. state, queue .. id
  local sub_keys = { bullmq.sub_keys(job) }
  return atomically({ job, unpack(sub_keys) }, function(write, watch)
    local score, fields, sub_key_count = unpack(pipelined {
      { "ZSCORE", index, id },
      { "HMGET", job, "finishedOn", "parentKey", "deid" },
      { "EXISTS", unpack(sub_keys) },
    })
    if not score then return "gone" end
    if tonumber(score) >= before then return "kept", "it has finished again" end
    local newer = keep > 0 and redis.call("ZREVRANK", index, id) -- none if it has just gone
    if newer and newer < keep then return "kept", "among the newest" end

    local finished, parent, dedup = tonumber(fields[1]), fields[2], fields[3]
    if finished and finished >= before then return "kept", "its finishedOn is newer than its place in the index" end
    if parent then
      watch(parent, parent .. ":dependencies")
      if is_awaited(parent, job) then return "kept", "its parent waits for it" end
    end

    if dedup then
      local key = queue .. "de:" .. dedup
      watch(key)
      if redis.call("GET", key) == id then write("UNLINK", key, queue .. "dn:" .. dedup) end
    end
    if parent then write("SREM", parent .. ":dependencies", job) end
    write("UNLINK", job, unpack(own_sub_keys(sub_keys, sub_key_count)))
    write("ZREM", index, id)
    return "removed"
  end)
end

return bullmq
