--- What looks out of joint in the keys of RQ: entries without a job, jobs without an entry, what was left behind.
local rq = require "lib.rq"
local rq_places = require "lib.rq_places"

local rq_orphans = {}

local page = 200

-- Iterators

--- The values of one iterator after the other; each is made when its turn has come.
local function chain(makers)
  local at, current = 0, nil
  return function()
    while true do
      if not current then
        at = at + 1
        if not makers[at] then return nil end
        current = makers[at]()
      end
      local values = { current() }
      if values[1] ~= nil then return unpack(values) end
      current = nil
    end
  end
end

--- The values of the iterators that `inner` makes of each value; it may make none.
local function flat(outer, inner)
  local current
  return function()
    while true do
      if current then
        local values = { current() }
        if values[1] ~= nil then return unpack(values) end
      end
      local value = outer()
      if value == nil then return nil end
      current = inner(value)
    end
  end
end

--- The values for whose `command(value)` the reply is as wanted; a page of them is asked in one go.
local function filtered(iterator, command, is_chosen)
  local pages, chosen, at = rq.batches(iterator, page), {}, 0
  return function()
    while at == #chosen do
      local batch = pages()
      if not batch then return nil end
      local commands = {}
      for i, value in ipairs(batch) do commands[i] = command(value[1]) end
      local replies = pipelined(commands)
      chosen, at = {}, 0
      for i, value in ipairs(batch) do
        if is_chosen(replies[i]) then chosen[#chosen + 1] = value[1] end
      end
    end
    at = at + 1
    return chosen[at]
  end
end

local function is_zero(reply) return reply == 0 end

local function keys_of(p, kind, options)
  options.match = glob.escape(p.prefix) .. ":" .. (options.match or "*")
  options.type = kind
  return scan.keys(options)
end

-- Entries of registries and queues whose job is gone

local function dangling_entries(p, registry)
  local function exists(entry) return { "EXISTS", rq_places.job_keys(p, registry, entry) } end
  local entries = filtered(scan.zset(registry, "-inf", "+inf"), exists, is_zero)
  return function()
    local entry = entries()
    if entry then return "entry", rq.job_key(p, entry), registry, entry end
  end
end

local function stranded(p, registry)
  local entries = scan.zset(registry, "-inf", "+inf")
  return function()
    for id in entries do
      if rq_places.waits_for_nothing(p, id) then return "stranded", rq.job_key(p, id), id end
    end
  end
end

local function registry_candidates(p)
  return flat(keys_of(p, "zset", {}), function(key)
    local _, kind = rq_places.queue_of_registry(p, key)
    if kind == "deferred" then
      return chain { function() return dangling_entries(p, key) end, function() return stranded(p, key) end }
    end
    return kind and dangling_entries(p, key)
  end)
end

--- `noted.compact` tells whether a queue is being compacted, or was: then its jobs are in no queue.
local function list_candidates(p, noted)
  return flat(keys_of(p, "list", { match = "queue:*" }), function(list)
    if rq_places.after(list, rq.key(p, "queue", "_compact") .. ":") then -- queue.py compact
      local once = list
      noted.compact = true
      return function()
        local key = once
        once = nil
        if key then return "compact", key end
      end
    end
    local ids = filtered(scan.list(list), function(id) return { "EXISTS", rq.job_key(p, id) } end, is_zero)
    return function()
      local id = ids()
      if id then return "waiting", rq.job_key(p, id), list, id end
    end
  end)
end

--- Queues that have jobs and are not in the set of queues, as Queue.delete leaves them.
local function unlisted(p)
  local function not_listed(iterator)
    return filtered(iterator, function(key)
      local queue = rq_places.queue_of_registry(p, key) or rq_places.after(key, rq.key(p, "queue") .. ":")
      return { "SISMEMBER", rq.key(p, "queues"), rq.key(p, "queue", queue) }
    end, is_zero)
  end
  local function only(iterator, is_wanted)
    return function()
      for key in iterator do
        if is_wanted(key) then return key end
      end
    end
  end
  local function is_queue(key)
    return not rq_places.after(key, rq.key(p, "queue", "_compact") .. ":") and not key:find(":intermediate$")
  end
  local function is_registry(key) return rq_places.queue_of_registry(p, key) end
  local keys = chain {
    function() return not_listed(only(keys_of(p, "list", { match = "queue:*" }), is_queue)) end,
    function() return not_listed(only(keys_of(p, "zset", {}), is_registry)) end,
  }
  return function()
    local key = keys()
    if key then return "unlisted", key end
  end
end

-- What a job or a worker left behind

local function left_behind(p)
  local function orphaned(iterator)
    local function owned()
      for key in iterator do
        if rq_places.owner(p, key) then return key end
      end
    end
    local keys = filtered(owned, function(key) return { "EXISTS", rq.job_key(p, rq_places.owner(p, key)) } end, is_zero)
    return function()
      local key = keys()
      if key then return "left", key end
    end
  end
  return chain {
    function() return orphaned(keys_of(p, "stream", { match = "results:*", persistent = true })) end,
    function() return orphaned(keys_of(p, "set", { match = "job:*", persistent = true })) end,
  }
end

local function dead_workers(p)
  return flat(keys_of(p, "set", { match = "workers*" }), function(set)
    if set ~= rq.key(p, "workers") and not rq_places.after(set, rq.key(p, "workers") .. ":") then return nil end
    local workers = filtered(scan.set(set), function(worker) return { "EXISTS", worker } end, is_zero)
    return function()
      local worker = workers()
      if worker then return "worker", worker, set end
    end
  end)
end

-- Jobs that are nowhere

local function stray_jobs(p, noted)
  local head = rq.key(p, "job") .. ":"
  local pages = rq.batches(keys_of(p, "hash", { match = "job:*" }), page)
  local jobs, at = {}, 0
  return function()
    while true do
      if at == #jobs then
        local batch, ids = pages(), {}
        if not batch then return nil end
        for i, it in ipairs(batch) do ids[i] = rq_places.after(it[1], head) end
        jobs, at = rq.jobs(p, ids), 0
      end
      at = at + 1
      local job = jobs[at]
      if not job.loads then return "remains", job.key, job.id end
      if not (job.status == "queued" and noted.compact) and not rq_places.is_in_place(p, job) then
        return "stray", job.key, job.id, job.status .. " " .. (job.enqueued_at or "")
      end
    end
  end
end

--- All that looks orphaned: its kind, the key that tells whether it is, and what else names it.
function rq_orphans.candidates(p)
  local noted = {}
  return chain {
    function() return registry_candidates(p) end,
    function() return list_candidates(p, noted) end,
    function() return unlisted(p) end,
    function() return left_behind(p) end,
    function() return dead_workers(p) end,
    function() return stray_jobs(p, noted) end,
  }
end

return rq_orphans
