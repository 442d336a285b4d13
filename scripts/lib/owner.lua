--- Tells whether a key is part of a job queue, for the tasks that take any key by its pattern: there a missing
-- TTL is normal, an untouched key is waiting for its turn, and the tasks of that library know what belongs to
-- what. Told by what is stored beside the key, never by its name alone.
local owner = {}

local most_bases = 8

--- `bull:mail:17:logs` may belong to `bull:`, `bull:mail:` or `bull:mail:17:`.
local function possible_bases(key)
  local bases, from = {}, 1
  while #bases < most_bases do
    local colon = key:find(":", from, true)
    if not colon then break end
    bases[#bases + 1] = key:sub(1, colon)
    from = colon + 1
  end
  return bases
end

local function type_of(key) return redis.call("TYPE", key).ok end

local function has_types(base, kinds)
  for name, kind in pairs(kinds) do
    if type_of(base .. name) == kind then return true end
  end
  return false
end

local bull_structures = {
  wait = "list", paused = "list", active = "list", completed = "zset", failed = "zset", delayed = "zset",
  ["repeat"] = "zset", priority = "zset",
}

local bee_structures = {
  waiting = "list", active = "list", delayed = "zset", succeeded = "set", failed = "set", stalling = "set",
}

--- BullMQ has a hash `meta` with its version or its stream's length, Bull 4 a counter `id` beside its lists and
--- sorted sets, Bee-Queue the hash `jobs`, and a counter unless all its jobs were given ids by the program.
local function queue_at(base)
  if type_of(base .. "meta") == "hash" then
    local meta = redis.call("HMGET", base .. "meta", "version", "opts.maxLenEvents")
    if meta[1] or meta[2] then return "BullMQ" end
  end
  local has_counter = type_of(base .. "id") == "string"
  if type_of(base .. "jobs") == "hash" and (has_counter or has_types(base, bee_structures)) then return "Bee-Queue" end
  return has_counter and has_types(base, bull_structures) and "Bull" or nil
end

--- The library of the BullMQ, Bull or Bee-Queue queue with this base key (`bull:mail:`), or nil.
owner.queue_at = queue_at

local function node_queue(key)
  local bases = possible_bases(key)
  if #bases == 0 then return nil end
  local traces = {}
  for _, base in ipairs(bases) do
    traces[#traces + 1] = base .. "meta"
    traces[#traces + 1] = base .. "id"
    traces[#traces + 1] = base .. "jobs"
  end
  if redis.call("EXISTS", unpack(traces)) == 0 then return nil end -- bounded: 24 keys
  for _, base in ipairs(bases) do
    local library = queue_at(base)
    if library then return library end
  end
  return nil
end

local function rq(key)
  if key:sub(1, 3) ~= "rq:" then return nil end
  return redis.call("EXISTS", "rq:queues", "rq:workers") > 0 and "RQ" or nil
end

local function is_member(set, member)
  return type_of(set) == "set" and redis.call("SISMEMBER", set, member) == 1
end

local sidekiq_keys = { queues = true, retry = true, schedule = true, dead = true, processes = true }

local identity = ":%d+:" .. ("%x"):rep(12)

--- Whether a key is what a process of Sidekiq keeps of itself: `<host>:<pid>:<nonce>` and what begins with it.
local function is_of_a_process(key)
  local name = key:match("^(.+" .. identity .. ")$") or key:match("^(.+" .. identity .. "):workers$")
    or key:match("^(.+" .. identity .. "):work$") or key:match("^(.+" .. identity .. ")%-signals$")
  if not name then return false end
  if is_member("processes", name) then return true end
  for _, namespace in ipairs(possible_bases(name)) do
    if is_member(namespace .. "processes", name:sub(#namespace + 1)) then return true end
  end
  return false
end

--- Sidekiq and Resque: a set `queues` beside the lists `queue:<name>`, perhaps all under one namespace.
local function sidekiq(key)
  local namespace, name = key:match("^(.*:)([^:]+)$")
  if not namespace then namespace, name = "", key end
  if sidekiq_keys[name] and type_of(namespace .. "queues") == "set" then return "Sidekiq" end
  namespace, name = key:match("^(.-)queue:(.+)$")
  if namespace and is_member(namespace .. "queues", name) then return "Sidekiq" end
  return is_of_a_process(key) and "Sidekiq" or nil
end

local celery_keys = { unacked = "hash", unacked_index = "zset", unacked_mutex = "string" }

--- What kombu keeps, perhaps with a key prefix in front; of its queues the empty ones have no key.
local function celery(key, kind)
  if kind == "set" and key:find("_kombu.binding.", 1, true) then return "Celery" end
  if kind == celery_keys[key:match("unacked[_%l]*$") or ""] then return "Celery" end
  if kind ~= "list" then return nil end
  local queue = key:gsub("\6\22%d$", "")
  return type_of("_kombu.binding." .. queue) == "set" and "Celery" or nil
end

--- Members that only a job has: kombu's delivery tag, Sidekiq's and Resque's class with arguments, Laravel's job.
local function looks_like_a_job(element)
  if element:sub(1, 1) ~= "{" then return false end
  local function has(name) return element:find('"' .. name .. '"', 1, true) ~= nil end
  return has("delivery_tag") or has("class") and has("args") or has("displayName") and has("job")
end

--- The elements at both ends; as those of delayed jobs are kept in sorted sets, too.
local function ends_of(key, kind)
  if kind == "list" then return pipelined { { "LINDEX", key, 0 }, { "LINDEX", key, -1 } } end
  if kind ~= "zset" then return {} end
  local first, last = unpack(pipelined { { "ZRANGE", key, 0, 0 }, { "ZRANGE", key, -1, -1 } })
  return { first[1], last[1] }
end

local function holds_jobs(key, kind)
  for _, element in ipairs(ends_of(key, kind)) do
    if element and looks_like_a_job(element) then return "a job queue" end
  end
  return nil
end

--- The library whose queue this key of type `kind` is part of, or nil. What moonshift keeps of its jobs has an owner, too.
function owner.of(key, kind)
  if key:find("^moonshift:lease:") or key:find("^moonshift:ran:") then return "moonshift" end
  return node_queue(key) or rq(key) or sidekiq(key) or celery(key, kind) or holds_jobs(key, kind)
end

return owner
