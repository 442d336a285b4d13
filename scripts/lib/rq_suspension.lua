--- RQ's switch for all workers: the key `suspended`, whatever its value (suspension.py). Ours tells that it is ours.
local rq_suspension = {}

local ours = "moonshift"
local slack = 60000 -- ms; what a pause may lack of `duration` and still be as good

local function is_enough(key, duration) return redis.call("PTTL", key) > duration - slack end

--- Whether a suspension of ours is there that lasts long enough. What somebody else has made is told by `begin`.
function rq_suspension.lasts(p)
  local key = p.prefix .. ":suspended"
  return redis.call("GET", key) == ours and is_enough(key, p.duration)
end

function rq_suspension.begin(p, key)
  return atomically({ key }, function(write)
    local holder = redis.call("GET", key)
    if holder and holder ~= ours then return "kept", "suspended by somebody else" end
    if holder and is_enough(key, p.duration) then return "gone" end
    write("SET", key, ours, "PX", string.format("%.0f", math.max(p.duration, 1)))
    return "paused"
  end)
end

function rq_suspension.finish(p, key)
  return atomically({ key }, function(write)
    local holder = redis.call("GET", key)
    if not holder then return "gone" end
    if holder ~= ours and not p.all then return "kept", "suspended by somebody else" end
    write("DEL", key)
    return "resumed"
  end)
end

return rq_suspension
