--- What BullMQ 3 to 6 keep in Redis, and how one finished job is taken out of it.
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
local function sub_keys(job)
  return job .. ":logs", job .. ":dependencies", job .. ":processed", job .. ":failed", job .. ":unsuccessful"
end

--- Whether a key is the hash of another job whose id looks like a sub-key of this one: BullMQ 3 and 4
-- take any id, so `17:logs` can be one.
local function is_a_job(key)
  if redis.call("TYPE", key).ok ~= "hash" then return false end
  local fields = redis.call("HMGET", key, "name", "timestamp")
  return fields[1] and fields[2]
end

--- The sub-keys that are this job's own.
local function own_sub_keys(job)
  local own = {}
  for _, key in ipairs { sub_keys(job) } do
    if not is_a_job(key) then own[#own + 1] = key end
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
  return atomically({ job, sub_keys(job) }, function(write, watch)
    local score, fields, sub_key_count = unpack(pipelined {
      { "ZSCORE", index, id },
      { "HMGET", job, "finishedOn", "parentKey", "deid" },
      { "EXISTS", sub_keys(job) },
    })
    if not score then return "gone" end
    if tonumber(score) >= before then return "kept", "it has finished again" end
    if keep > 0 and redis.call("ZREVRANK", index, id) < keep then return "kept", "among the newest" end

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
    write("UNLINK", job, unpack(sub_key_count > 0 and own_sub_keys(job) or {}))
    write("ZREM", index, id)
    return "removed"
  end)
end

return bullmq
