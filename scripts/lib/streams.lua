--- How far a stream may be trimmed without taking an entry from a consumer group.
local streams = {}

local function fields_of(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

--- Ids are two 64-bit numbers: compared as digits, for a Lua number has 53 bits.
local function digits_less(a, b)
  if #a ~= #b then return #a < #b end
  return a < b
end

local function less(a, b)
  local a_time, a_number = a:match("^(%d+)%-(%d+)$")
  local b_time, b_number = b:match("^(%d+)%-(%d+)$")
  if a_time ~= b_time then return digits_less(a_time, b_time) end
  return digits_less(a_number, b_number)
end

local function earlier(a, b)
  if not a or not b then return a or b end
  return less(b, a) and b or a
end

--- The first id that comes after this one; this one itself where a Lua number could not tell.
local function following(id)
  local time, number = id:match("^(%d+)%-(%d+)$")
  if tonumber(number) >= 2 ^ 53 then return id end
  return time .. "-" .. string.format("%.0f", tonumber(number) + 1)
end

local function exists(key, id) return redis.call("XRANGE", key, id, id)[1] ~= nil end

--- The oldest id that was delivered and not acknowledged, and is still in the stream: what somebody has deleted
--- nobody can need, though the group still lists it. Looks at so many of them, then takes the last one for it.
local function oldest_pending(key, group)
  for _, count in ipairs { 1, 100 } do
    local pending = redis.call("XPENDING", key, group, "-", "+", count)
    for _, entry in ipairs(pending) do
      if exists(key, entry[1]) then return entry[1] end
    end
    if #pending < count then return nil end
    if count == 100 then return pending[count][1] end
  end
end

--- The oldest id that one group still needs: not delivered, or delivered and not acknowledged.
local function needed_by(key, group)
  local needed = following(group["last-delivered-id"])
  if group.pending == 0 then return needed end
  return earlier(needed, oldest_pending(key, group.name))
end

--- The oldest id that any consumer group of this stream still needs, or nil.
local function needed(key)
  local oldest
  for _, flat in ipairs(redis.call("XINFO", "GROUPS", key)) do
    oldest = earlier(oldest, needed_by(key, fields_of(flat)))
  end
  return oldest
end

local year_2001 = 1e12

--- What is to be known before a step: how many entries there are beyond `p.keep`; `before`, the id that no entry to
--- be trimmed may reach, or nil; and why nothing may be trimmed.
function streams.limits(p, key)
  local info = fields_of(redis.call("XINFO", "STREAM", key))
  local first = info["first-entry"]
  local limits = { beyond = info.length - p.keep, last = info["last-generated-id"] }
  if p.older_than then
    if tonumber(limits.last:match("^%d+")) < year_2001 then limits.objection = "its ids are no times" end
    limits.before = string.format("%.0f-0", math.max(0, p.now - p.older_than))
  end
  if not p.undelivered then limits.before = earlier(limits.before, needed(key)) end
  limits.any = limits.beyond > 0 and first and (not limits.before or less(first[1], limits.before))
  return limits
end

local read_at_once, trimmed_at_once = 100, 1000

--- How many entries one step trims at most.
function streams.step(p, limits) return limits.before and p.keep > 0 and read_at_once or trimmed_at_once end

--- The id before which at most `count` entries lie, all of them before `before`.
local function cut(key, before, count)
  local entries = redis.call("XRANGE", key, "-", "+", "COUNT", count + 1)
  local at = 1
  while at <= count and entries[at] and less(entries[at][1], before) do at = at + 1 end
  return entries[at] and entries[at][1] or before
end

--- Trims the oldest entries, no more than a step; how many went.
function streams.trim_step(p, key, limits)
  local before, step = limits.before, streams.step(p, limits)
  if not before then
    return redis.call("XTRIM", key, "MAXLEN", "=", string.format("%.0f", p.keep + math.max(0, limits.beyond - step)))
  end
  if p.keep > 0 then
    return redis.call("XTRIM", key, "MINID", "=", cut(key, before, math.min(step, limits.beyond)))
  end
  local trimmed = redis.call("XTRIM", key, "MINID", "~", before, "LIMIT", step)
  if trimmed > 0 then return trimmed end
  return redis.call("XTRIM", key, "MINID", "=", before) -- bounded: what is left of one node
end

return streams
