--- What rate limiters keep in Redis, and how what leaked from them is told from what they need.
local keys = require "lib.keys"
local owner = require "lib.owner"

local limiter = {}

local second = 1000
local granularity = {
  second = second, minute = 60 * second, hour = 3600 * second, day = 24 * 3600 * second,
  month = 30 * 24 * 3600 * second, year = 360 * 24 * 3600 * second,
}

--- The limit that a key of python-limits ends with, as amount, multiples and granularity; nil for other keys:
--- LIMITER/<who>/5/1/minute, since limits 3 with LIMITS: before it, and a sliding window's {LIMITER/<who>/5/1/minute}
--- and {...}/-1 (limits/limits.py key_for, limits/storage/redis.py).
function limiter.limit_in(key)
  local name = key:match("^(.*)}$") or key:match("^(.*)}/%-1$") or key
  return name:match("/(%d+)/(%d+)/(%a+)$")
end

--- The window (ms) of that limit.
local function own_window(key)
  local _, multiples, unit = limiter.limit_in(key)
  if not granularity[unit] then return nil end
  local window = tonumber(multiples) * granularity[unit]
  return window > 0 and window or nil
end

--- The number of the window since 1970 that a counter of rack-attack has in its name,
--- rack::attack:<number>:<name>:<who> (lib/rack/attack/cache.rb key_and_expiry). A ban has none (fail2ban.rb).
local function rack_window(key)
  local head, number = key:match("^(.-):(%d+):")
  if not head or head:find("2ban:ban", 1, true) then return nil end
  return tonumber(number)
end

local first_rack_attack = 1343433600000 -- July 2012: no window is older

--- Each says why a leaked key is not this limiter's to be treated, or nil; and the window if the key names it.
local rules = {}

--- A DECR after the window leaves -1 (dist/index.mjs, RedisStore decrement); nothing else in it is below zero.
rules["rate-limit-redis"] = function(_, key, kind)
  local count = kind == "string" and tonumber(redis.call("GET", key))
  if not count or count >= 0 then return "its count is not below zero" end
end

rules["python-limits"] = function(_, key)
  local window = own_window(key)
  if not window then return "its name does not end with a limit such as /5/1/minute" end
  return nil, window
end

rules["rack-attack"] = function(p, key)
  local number = rack_window(key)
  if not number then return "it is no counter: its name has no number of a window" end
  if (number + 1) * p.window > p.now then return "its window is not over" end
  if number * p.window < first_rack_attack then return "its windows have another length" end
end

rules.bullmq = function(_, key)
  local base = key:match("^(.*:)limiter$")
  local library = base and owner.queue_at(base)
  if library ~= "BullMQ" and library ~= "Bull" then return "it is no queue's limiter" end
end

--- Refuses parameters that do not go together.
local function check(p)
  keys.require_narrow(p)
  if p.action == "expire" and p.only == "all" then
    error("action=expire gives a TTL to keys that have none: it goes with only=leaked", 0)
  end
  if p.limiter and p.only == "all" then error("limiter=" .. p.limiter .. " goes with only=leaked", 0) end
  if p.action == "expire" and not p.window and p.limiter ~= "python-limits" then
    error("action=expire needs the window: window=1h", 0)
  end
  if p.limiter == "rack-attack" and not p.window then
    error("limiter=rack-attack needs the period of these throttles: window=5m", 0)
  end
  if p.window and p.window <= 0 then error("window must be more than nothing", 0) end
end

--- Keys under `p.pattern` of the types `p.type`: those without a TTL, or all.
function limiter.candidates(p)
  check(p)
  local at, walk = 0, function() return nil end
  return function()
    local key = walk()
    while not key do
      at = at + 1
      if not p.type[at] then return nil end
      walk = scan.keys { match = p.pattern, type = p.type[at], persistent = p.only == "leaked" }
      key = walk()
    end
    return key
  end
end

local function rule_objects(p, key, kind)
  if not p.limiter then return nil end
  return rules[p.limiter](p, key, kind)
end

--- Why a key of this type is not meant, or nil.
local function wrong_kind(p, key, kind)
  if not keys.is_among(p.type, kind) then return "it is a " .. kind .. " now" end
  local library = p.limiter ~= "bullmq" and owner.of(key, kind)
  return library and "it belongs to " .. library or nil
end

--- Whether a missing TTL alone decides, which Redis can do in one command with the deletion.
function limiter.only_ttl_decides(p) return p.only == "leaked" and not p.limiter and p.action ~= "expire" end

--- Removes one key if it has no TTL, without a transaction: Redis takes none above maxmemory.
function limiter.purge_leaked(p, key)
  local kind = redis.call("TYPE", key).ok
  if kind == "none" then return "gone" end
  local objection = wrong_kind(p, key, kind)
  if objection then return "kept", objection end
  return redis.call("PEXPIRE", key, -1, "NX") == 1 and "removed" or "gone" -- a time in the past: it deletes
end

--- Removes one key or gives it a TTL, unless it is no longer what it was found to be.
function limiter.purge(p, key)
  return atomically({ key }, function(write)
    local kind, ttl = unpack(pipelined { { "TYPE", key }, { "PTTL", key } })
    if kind.ok == "none" then return "gone" end
    local wrong = wrong_kind(p, key, kind.ok)
    if wrong then return "kept", wrong end
    local window = p.window
    if p.only == "leaked" then
      if ttl ~= -1 then return "kept", "it has a TTL now" end
      local objection, own = rule_objects(p, key, kind.ok)
      if objection then return "kept", objection end
      window = own or window
    end
    if p.action == "expire" then
      write("PEXPIRE", key, window)
      return "expires"
    end
    write("UNLINK", key)
    return "removed"
  end)
end

return limiter
