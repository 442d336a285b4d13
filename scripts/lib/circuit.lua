--- How circuit breakers keep their state in Redis, and what removing it does.
local keys = require "lib.keys"
local owner = require "lib.owner"

local circuit = {}

--- pybreaker's three strings, with or without a namespace in front (CircuitRedisStorage._namespace).
local function pybreaker_base(key)
  local base = key:match("^(.*pybreaker:)state$") or key:match("^(.*pybreaker:)fail_counter$")
    or key:match("^(.*pybreaker:)opened_at$")
  return base and (base == "pybreaker:" or base:sub(-11) == ":pybreaker:") and base or nil
end

--- The keys that are one breaker with this one.
local function parts_of(key)
  local base = pybreaker_base(key)
  return base and { base .. "state", base .. "fail_counter", base .. "opened_at" } or { key }
end

--- Those of them that are of a wanted type.
local function of_wanted_type(p, parts)
  local wanted = {}
  for _, part in ipairs(parts) do
    if keys.is_among(p.type, redis.call("TYPE", part).ok) then wanted[#wanted + 1] = part end
  end
  return wanted
end

--- Whether somebody has locked this light of stoplight by hand (locked_red, locked_green).
local function is_locked(key, kind)
  if kind ~= "hash" then return false end
  local state = redis.call("HGET", key, "locked_state")
  return state and state:find("^locked_") ~= nil
end

local closed = "closed: calls go to what had failed, at once"

--- Force-closes one breaker by removing its state, unless it was locked by hand.
function circuit.reset(p, key)
  local parts = parts_of(key)
  return atomically(parts, function(write)
    local kind = redis.call("TYPE", key).ok
    if kind == "none" then return "gone" end
    if not keys.is_among(p.type, kind) then return "kept", "it is a " .. kind end
    if is_locked(key, kind) then return "kept", "it was locked by hand" end
    local library = owner.of(key, kind)
    if library then return "kept", "it belongs to " .. library end
    write("UNLINK", unpack(of_wanted_type(p, parts)))
    return "removed", closed
  end)
end

local begun_anew = {} -- by an earlier pass of this run: what is there now was made since

--- The breakers by `p.pattern`, each once a run.
function circuit.find(p, emit)
  keys.require_narrow(p)
  for _, kind in ipairs(p.type) do
    for key in scan.keys { match = p.pattern, type = kind } do
      local breaker = pybreaker_base(key) or key
      if not begun_anew[breaker] then
        begun_anew[breaker] = true
        emit(key)
      end
    end
  end
end

return circuit
