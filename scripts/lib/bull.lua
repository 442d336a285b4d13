--- What Bull 3 and 4 keep in Redis, and how one finished job is taken out of it. How jobs are put back to
--- work is in lib/bull_waiting.lua.
-- Facts from the library's own scripts (bull lib/commands), named where they are used. `queue` is a base key
-- such as `bull:mail:`; a queue's name and a job's id may contain colons, so no key is ever taken apart.
local bullmq = require "lib.bullmq"

local bull = {}

--- The structures of a queue and their types. Before Bull 3 `completed` and `failed` were sets.
local structures = {
  wait = "list", paused = "list", active = "list", completed = "zset", failed = "zset", delayed = "zset",
  priority = "zset", ["repeat"] = "zset",
}
local structure_names = { "wait", "paused", "active", "completed", "failed", "delayed", "priority", "repeat" }

--- What is a key of the queue and never a job, whatever a job's id may be.
local own_names = {
  id = true, meta = true, ["meta-paused"] = true, stalled = true, ["stalled-check"] = true, limiter = true,
  ["limiter:index"] = true, ["metrics:completed"] = true, ["metrics:failed"] = true,
  ["metrics:completed:data"] = true, ["metrics:failed:data"] = true,
}
for name in pairs(structures) do own_names[name] = true end

--- Whether the key `queue .. name` is the queue's own.
function bull.is_own_name(name) return own_names[name] or false end

--- A counter `mail:de:user:id` may be a debounce key of the queue `mail`, and `mail:limiter:id` one of its
-- rate-limit groups.
local function is_inside_another(prefix, base)
  local from = #prefix + 2
  while true do
    local colon = base:find(":", from, true)
    if not colon or colon >= #base then return false end
    local rest = base:sub(colon + 1)
    if rest:find("^de:") or rest == "limiter:" then
      if redis.call("TYPE", base:sub(1, colon) .. "id").ok == "string" then return true end
    end
    from = colon + 1
  end
end

local function types_at(base, names)
  local asked, types = {}, {}
  for i, name in ipairs(names) do asked[i] = { "TYPE", base .. name } end
  for i, reply in ipairs(pipelined(asked)) do types[names[i]] = reply.ok end
  return types
end

local function is_bullmq(base)
  local meta = redis.call("HMGET", base .. "meta", "version", "opts.maxLenEvents")
  return meta[1] or meta[2]
end

--- A Bee-Queue has a counter too, beside one hash with all its jobs.
local function is_bee(base)
  return redis.call("HEXISTS", base .. "jobs", "opts") == 0
end

--- Whether Bull keeps a queue at `base`: "known", "unknown" where something is of a type that Bull 3 and 4 do
--- not give it, or nil.
function bull.layout(prefix, base)
  local types = types_at(base, structure_names)
  local others = types_at(base, { "meta", "jobs", "id", "meta-paused" })
  if others.meta == "hash" and is_bullmq(base) then return nil end
  if others.jobs == "hash" and is_bee(base) then return nil end
  local has_any, fits = false, others.meta == "none" or others.meta == "hash"
  for name, kind in pairs(structures) do
    has_any = has_any or types[name] == kind
    fits = fits and (types[name] == "none" or types[name] == kind)
  end
  local has_counter = others.id == "string" and redis.call("GET", base .. "id"):find("^%d+$")
  if not has_counter and not has_any and others["meta-paused"] ~= "string" then return nil end
  if fits and not has_any and is_inside_another(prefix, base) then return nil end
  if not fits and not has_counter then return nil end
  return fits and "known" or "unknown"
end

--- Base keys of the queues under `p.prefix` whose name matches `p.queues`: those with a counter `id`, and with
--- none of the marks of BullMQ (`meta`) and Bee-Queue (`jobs`). A queue of an unknown layout is emitted alone,
--- for bull.unknown(). `or_paused` also finds one that was paused before its first job.
function bull.queues(p, emit, or_paused)
  local head, seen = p.prefix .. ":", {}
  local names = or_paused and { "id", "meta-paused" } or { "id" }
  local patterns = {}
  for i, name in ipairs(names) do patterns[i] = glob.escape(head) .. "*:" .. name end
  local keys = scan.keys { match = patterns, type = "string" }

  local function base_of(key)
    for _, name in ipairs(names) do
      if key:sub(-#name - 1) == ":" .. name then return key:sub(1, -#name - 1) end
    end
  end

  return function()
    for key in keys do
      local base = base_of(key)
      if not seen[base] and glob.match(p.queues, base:sub(#head + 1, -2)) then
        seen[base] = true
        local layout = bull.layout(p.prefix, base)
        if layout == "known" then return base end
        if layout == "unknown" then emit(base) end
      end
    end
  end
end

--- What each answers for a queue that stands alone.
function bull.unknown() return "kept", "its layout is that of Bull before 3, or of another program" end

--- Ids in a finished state that finished before `before` (ms) and are not among the newest `keep`.
bull.finished_before = bullmq.finished_before

--- Whether a key is the hash of a job: Bull takes any id, so that `17:logs` can be one.
function bull.is_a_job(key)
  if redis.call("TYPE", key).ok ~= "hash" then return false end
  local fields = redis.call("HMGET", key, "data", "timestamp")
  return fields[1] and fields[2]
end

--- Writes that remove a job's hash and its log.
function bull.remove_keys(write, job)
  local logs = job .. ":logs"
  if redis.call("TYPE", logs).ok == "list" then write("UNLINK", job, logs) else write("UNLINK", job) end
end

--- A debounce key without a TTL goes with the job that it names: nothing else would ever remove it. One with a
--- TTL is a window that has been asked for; Bull's clean leaves it alone too.
function bull.remove_debounce(write, watch, queue, id, debounce_id)
  if not debounce_id then return end
  local key = queue .. "de:" .. debounce_id
  watch(key)
  if redis.call("GET", key) == id and redis.call("PTTL", key) == -1 then write("UNLINK", key) end
end

--- A job that is in the set of those which wait for their rate limit, and in the index of these sets.
function bull.remove_from_limiter(write, queue, id, set)
  if not set then return end
  local limiter = queue .. "limiter"
  if set:sub(1, #limiter) == limiter then write("SREM", set, id) end
  write("HDEL", limiter .. ":index", id)
end

--- Takes one finished job out of its queue, with all that is its own, unless it is no longer finished before
--- `before`, or is among the newest `keep`, or is locked (as cleanJobsInSet-3.lua has it).
-- The index entry goes last. Whatever moves a job out of `completed` or `failed` changes its hash, so the hash is
-- what is watched; the index itself changes all the time on a busy queue.
function bull.remove_finished(queue, state, id, before, keep)
  if bull.is_own_name(id) then return "kept", "its id is the name of one of the queue's own keys" end
  local index, job = queue .. state, queue .. id
  return atomically({ job, job .. ":logs", job .. ":lock" }, function(write, watch)
    local score, fields, locked, limited = unpack(pipelined {
      { "ZSCORE", index, id },
      { "HMGET", job, "finishedOn", "deid" },
      { "EXISTS", job .. ":lock" },
      { "HGET", queue .. "limiter:index", id },
    })
    if not score then return "gone" end
    if tonumber(score) >= before then return "kept", "it has finished again" end
    if keep > 0 and redis.call("ZREVRANK", index, id) < keep then return "kept", "among the newest" end
    if locked == 1 then return "kept", "a worker holds its lock" end

    local finished = tonumber(fields[1])
    if finished and finished >= before then return "kept", "its finishedOn is newer than its place in the index" end

    bull.remove_debounce(write, watch, queue, id, fields[2])
    bull.remove_from_limiter(write, queue, id, limited)
    bull.remove_keys(write, job)
    write("ZREM", index, id)
    return "removed"
  end)
end

return bull
