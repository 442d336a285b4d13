--- Redis's own clock, for checks.
local clock = {}

--- Milliseconds since 1970.
function clock.now()
  local time = redis.call("TIME")
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

return clock
