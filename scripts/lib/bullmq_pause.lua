--- How BullMQ 3 to 6 stop and start a queue for all workers, without the losses of their own switch.
-- pause.lua of BullMQ 3 to 5 renames `wait` to `paused` and back, over whatever is there: what was pushed to the
-- other list meanwhile is lost. BullMQ 6 leaves the jobs in `wait`, and drains `paused` when it resumes. Here a
-- list is renamed only where no other is, and else moved element by element. The right end is next in turn: what is
-- in `paused` is older than what came to `wait` during a pause, so that goes to its left, and it to that one's right.
local bullmq = require "lib.bullmq"

local pause = {}

--- The field of `meta` that remembers that the pause is ours, and since when. BullMQ passes over it.
local mark = "moonshift:paused"

local step = 1000 -- elements that one item moves
local spare = 100 -- moves for what comes to a short list before its last step; one from an empty list does nothing

--- What `decide(facts, elements of the list)` says; 1 if they cannot be read: then the step tells why, and the
-- other queues go on.
local function steps_by(queue, list, decide)
  local known, facts = pcall(bullmq.facts, queue)
  local elements = redis.pcall("LLEN", list)
  if not known or facts.unknown or type(elements) ~= "number" then return 1 end
  return decide(facts, elements)
end

local function steps_for(elements) return math.max(1, math.ceil(elements / step)) end

--- Up to `step` elements of one list are to go to the other, from its end `side` to the opposite one, so that their
-- order stays; or the whole list at once if it is long and the other does not exist. Whether nothing is left then, and
-- what names the writes.
local function move(watch, from, side, to)
  local elements = redis.call("LLEN", from)
  if elements > step and redis.call("EXISTS", to) == 0 then
    watch(to)
    if redis.call("EXISTS", to) == 0 then
      return true, function(write) write("RENAME", from, to) end
    end
  end
  local opposite = side == "LEFT" and "RIGHT" or "LEFT"
  local moves = elements > 0 and math.min(elements, step) + spare or 0
  return elements <= step, function(write)
    for _ = 1, moves do write("LMOVE", from, to, side, opposite) end
  end
end

--- Whether BullMQ leaves the jobs of this queue in `wait` while it is paused.
local function stays_in_wait(facts) return facts.major and facts.major >= 6 end

--- How many steps it takes to pause a queue; 0 if it is paused, and nothing is in `wait` that should not be.
function pause.steps(queue)
  return steps_by(queue, queue .. "wait", function(facts, waiting)
    if stays_in_wait(facts) then return facts.paused and 0 or 1 end
    if facts.paused then
      if waiting == 0 then return 0 end
      if waiting == 1 and bullmq.is_pseudo(redis.call("LINDEX", queue .. "wait", 0) or "") then return 0 end
    end
    return redis.call("EXISTS", queue .. "paused") == 1 and steps_for(waiting) or 1
  end)
end

--- One step: from the first on no worker of BullMQ 5 or 6 takes a job any more, and the mark is set if it was
-- us who paused. The others only move, so that it does not matter which of them are decided on together. What removes
-- something goes first: above maxmemory a script may write on after that, and would else do the half of it.
function pause.pause(p, queue, number)
  return atomically({ queue .. "meta" }, function(write, watch)
    local facts = bullmq.facts(queue)
    if facts.unknown then return "kept", "written by " .. facts.unknown .. ", which is not known here" end
    local waiting = redis.call("LLEN", queue .. "wait")
    local strays = waiting > 0 and not stays_in_wait(facts)
    if facts.paused and not strays then return "gone" end
    if not facts.paused and number ~= "1" then return "gone", "the first step comes first" end

    if not facts.paused then
      write("DEL", queue .. "marker")
      write("HSET", queue .. "meta", "paused", "1", mark, string.format("%.0f", p.now))
    end
    if strays then select(2, move(watch, queue .. "wait", "RIGHT", queue .. "paused"))(write) end
    if facts.paused then return "moved", "jobs that came to wait in spite of the pause" end
    bullmq.event(write, queue, facts, "paused")
    return "paused"
  end)
end

--- What a run of resume has before it: steps, or 0.
function pause.steps_back(queue)
  return steps_by(queue, queue .. "paused", function(facts, parked)
    local marked = redis.call("HEXISTS", queue .. "meta", mark) == 1
    if not facts.paused and not marked and parked == 0 then return 0 end
    return redis.call("EXISTS", queue .. "wait") == 1 and steps_for(parked) or 1
  end)
end

--- Wakes the workers (pause.lua, addDelayMarkerIfNeeded.lua; BullMQ 4: addPriorityMarkerIfNeeded.lua).
local function wake(write, queue, facts, in_lists)
  local prioritized = redis.call("ZCARD", queue .. "prioritized")
  if facts.major == 4 and in_lists == 0 and prioritized > 0 then write("LPUSH", queue .. "wait", "0:0") end
  if not facts.has_marker then return end
  if in_lists + prioritized > 0 then
    write("ZADD", queue .. "marker", "0", "0")
    return
  end
  local next_delayed = redis.call("ZRANGE", queue .. "delayed", 0, 0, "WITHSCORES")[2]
  if next_delayed then
    write("ZADD", queue .. "marker", string.format("%.0f", math.floor(tonumber(next_delayed) / 4096)), "1")
  end
end

--- One step back; the last one lets the workers go on. Jobs in `paused` of a queue that is not paused would wait
-- there for ever: they are put back too.
function pause.resume(p, queue)
  return atomically({ queue .. "meta" }, function(write, watch)
    local facts = bullmq.facts(queue)
    if facts.unknown then return "kept", "written by " .. facts.unknown .. ", which is not known here" end
    local marked = redis.call("HEXISTS", queue .. "meta", mark) == 1
    if facts.paused and not marked and not p.all then return "kept", "it was paused by others" end

    local parked, waiting = redis.call("LLEN", queue .. "paused"), redis.call("LLEN", queue .. "wait")
    if not facts.paused and not marked and parked == 0 then return "gone" end
    local is_last, put_back = move(watch, queue .. "paused", "LEFT", queue .. "wait")
    if is_last then write("HDEL", queue .. "meta", "paused", mark) end
    put_back(write)
    if not is_last then return "moved" end

    wake(write, queue, facts, parked + waiting)
    if not facts.paused then return parked > 0 and "moved" or "gone" end
    bullmq.event(write, queue, facts, "resumed")
    return "resumed"
  end)
end

--- Whether every queue that is meant and known is paused.
function pause.holds(p)
  for queue in bullmq.queues(p) do
    local known, facts = pcall(bullmq.facts, queue)
    if known and not facts.unknown and not facts.paused then return false, queue .. " is not paused" end
  end
  return true
end

return pause
