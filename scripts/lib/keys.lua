--- What the tasks that take keys by a pattern ask of a key before they touch it.
-- None of the questions counts as a use of the key: TYPE, PTTL, OBJECT and MEMORY leave its idle time alone
-- (redis src/db.c and src/object.c, LOOKUP_NOTOUCH), and so do SCAN and EXISTS.
local server = require "lib.server"

local keys = {}

local function names_nothing(pattern)
  return not pattern:gsub("%b[]", ""):gsub("%[.*", ""):find("[^*?]")
end

--- Refuses a pattern that every key matches, unless the operator says that this is meant.
function keys.require_narrow(p)
  for _, pattern in ipairs(p.pattern) do
    if names_nothing(pattern) and not p.everything then
      error("the pattern " .. pattern .. " is every key of the database: if that is meant, say everything=true", 0)
    end
  end
end

function keys.is_among(list, word)
  for _, one in ipairs(list) do
    if one == word then return true end
  end
  return #list == 0
end

local function questions(p, key)
  local asked = { { "TYPE", key }, { "PTTL", key } }
  if p.idle then asked[#asked + 1] = { "OBJECT", "IDLETIME", key } end
  if p.max_frequency then asked[#asked + 1] = { "OBJECT", "FREQ", key } end
  if p.idle or p.max_frequency then asked[#asked + 1] = { "OBJECT", "REFCOUNT", key } end
  if p.larger_than then asked[#asked + 1] = { "MEMORY", "USAGE", key } end
  return asked
end

local function wrong_ttl(p, ttl)
  if p.ttl == "none" and ttl ~= -1 then return "it has a TTL" end
  if p.ttl_below and (ttl < 0 or ttl >= p.ttl_below) then return "its TTL is not below ttl_below" end
  return nil
end

--- Why the key is not meant, or nil if it is; "gone" if it is not there. `answers` are those to questions().
local function objection(p, answers)
  local kind, ttl, at = answers[1].ok, answers[2], 2
  local function next_answer()
    at = at + 1
    return answers[at]
  end
  if kind == "none" then return "gone" end
  if not keys.is_among(p.type, kind) then return "it is a " .. kind end
  local wrong = wrong_ttl(p, ttl)
  if wrong then return wrong end
  -- OBJECT IDLETIME is the difference of two clocks of whole seconds: only one more proves that time
  if p.idle and (next_answer() or 0) * 1000 <= p.idle then return "it is in use" end
  if p.max_frequency and (next_answer() or 256) > p.max_frequency then return "it is in use" end
  -- Without an LRU or LFU policy all keys that hold the same number below 10000 share one object, and its time of last
  -- use (src/object.c tryObjectEncoding); one that was just written may look idle since the server's start.
  if (p.idle or p.max_frequency) and next_answer() ~= 1 then return "it holds a shared number, of unknown idle time" end
  if p.larger_than and (next_answer() or 0) <= p.larger_than then return "it is not larger than larger_than" end
  return nil
end

--- Why this key does not fit the conditions of `p` now, or nil if it does.
function keys.objection(p, key)
  return objection(p, pipelined(questions(p, key)))
end

local page = 200

--- The keys of the iterator that fit the conditions of `p`; they are asked about in pages.
local function fitting(p, candidates)
  local function ask(batch)
    local commands, counts = {}, {}
    for i, key in ipairs(batch) do
      local asked = questions(p, key)
      counts[i] = #asked
      for _, command in ipairs(asked) do commands[#commands + 1] = command end
    end
    local replies, fits, at = pipelined(commands), {}, 0
    for i, key in ipairs(batch) do
      if not objection(p, { unpack(replies, at + 1, at + counts[i]) }) then fits[#fits + 1] = key end
      at = at + counts[i]
    end
    return fits
  end

  local done = false
  local function next_batch()
    local batch = {}
    while #batch < page do
      local key = candidates()
      if not key then
        done = true
        break
      end
      batch[#batch + 1] = key
    end
    return batch
  end

  local found, index = {}, 0
  return function()
    while index >= #found do
      if done then return nil end
      found, index = ask(next_batch()), 0
    end
    index = index + 1
    return found[index]
  end
end

--- Refuses to tell idle times where Redis keeps none.
function keys.require_idle_times()
  local policy = server.info("memory").maxmemory_policy
  if not policy:find("lfu", 1, true) then return end
  error("under maxmemory-policy " .. policy .. " Redis counts uses and keeps no idle times (OBJECT IDLETIME)", 0)
end

--- Keys by `p.pattern` that fit all of `p.type` (a list; empty is any), `p.ttl`, `p.ttl_below`, `p.idle`,
--- `p.max_frequency` and `p.larger_than`; those that are nil ask for nothing.
function keys.matching(p)
  local single = #p.type == 1 and p.type[1] or nil
  return fitting(p, scan.keys { match = p.pattern, type = single, persistent = p.ttl == "none" })
end

return keys
