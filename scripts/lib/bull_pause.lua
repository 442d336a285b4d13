--- How Bull 3 and 4 stop and start a queue for all workers, without the losses of their own switch.
-- pause-5.lua renames `wait` to `paused` and back, over whatever is there: what was pushed to the other list
-- meanwhile is lost. Here a list is renamed only where no other is, and else moved element by element. The right
-- end is next in turn: what is in `paused` is older than what came to `wait` during a pause.
local pause = {}

--- The value of `meta-paused` where the pause is ours. Bull asks only whether that key exists, and removes it when it
--- resumes the queue.
local ours = "moonshift"

local step = 1000 -- elements that one item moves
local spare = 100 -- moves for what comes to a short list meanwhile; one from an empty list does nothing

local function steps_for(elements) return math.max(1, math.ceil(elements / step)) end

local function read(queue)
  local flag, waiting, parked = unpack(pipelined {
    { "GET", queue .. "meta-paused" },
    { "LLEN", queue .. "wait" },
    { "LLEN", queue .. "paused" },
  })
  return flag, waiting, parked
end

--- Moves up to `step` elements from the end `side` of one list to the opposite end of the other, in their order;
--- or the whole list if it is long and there is no other.
local function move(write, watch, from, side, to)
  local elements = redis.call("LLEN", from)
  if elements > step then
    watch(to)
    if redis.call("EXISTS", to) == 0 then
      write("RENAME", from, to)
      return
    end
  end
  if elements == 0 then return end
  local opposite = side == "LEFT" and "RIGHT" or "LEFT"
  for _ = 1, math.min(elements, step) + spare do write("LMOVE", from, to, side, opposite) end
end

--- How many steps it takes to pause a queue; 0 if it is paused and nothing is in `wait`, where workers would take it.
function pause.steps(queue)
  local flag, waiting, parked = read(queue)
  if not flag then return parked > 0 and steps_for(waiting) or 1 end
  return waiting > 0 and steps_for(waiting) or 0
end

function pause.pause(queue)
  return atomically({ queue .. "meta-paused" }, function(write, watch)
    local flag, waiting = read(queue)
    if flag and waiting == 0 then return "gone" end
    if not flag then
      write("SET", queue .. "meta-paused", ours)
      write("HSET", queue .. "meta", "paused", "1")
    end
    move(write, watch, queue .. "wait", "RIGHT", queue .. "paused")
    if flag then return "moved", "jobs that came to wait in spite of the pause" end
    write("PUBLISH", queue .. "paused", "paused")
    return "paused"
  end)
end

local function is_to_be_resumed(flag, all) return flag == ours or flag and all end

--- How many steps it takes to resume a queue; 0 if others have paused it, or if nothing is left in `paused`.
function pause.steps_back(queue, all)
  local flag, waiting, parked = read(queue)
  if flag and not is_to_be_resumed(flag, all) then return 1 end
  if not flag and parked == 0 then return 0 end
  return waiting > 0 and steps_for(parked) or 1
end

--- The first step ends the pause, so that what is added from then on goes to `wait`; jobs that are left in `paused`
--- of a queue that is not paused are found again.
function pause.resume(queue, all)
  return atomically({ queue .. "meta-paused" }, function(write, watch)
    local flag, _, parked = read(queue)
    if flag and not is_to_be_resumed(flag, all) then return "kept", "it was paused by others" end
    if not flag and parked == 0 then return "gone" end
    if flag then
      write("DEL", queue .. "meta-paused")
      write("HDEL", queue .. "meta", "paused")
    end
    move(write, watch, queue .. "paused", "LEFT", queue .. "wait")
    if not flag then return "moved", "jobs that were left in paused" end
    write("PUBLISH", queue .. "resumed", "resumed")
    return "resumed"
  end)
end

return pause
