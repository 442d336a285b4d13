--- The messages that Celery's workers hold (kombu's `unacked` and `unacked_index`), and how one goes back
--- into its queue. Facts from kombu/transport/redis.py, named where they are used.
local celery = require "lib.celery"
local iso_time = require "lib.iso_time"
local json = require "lib.json"
local unacked = {}

local default_separator = "\6\22" -- Channel.sep

local function separator(p) return p.separator ~= "" and p.separator or default_separator end

--- The keys of what workers hold: hash tag -> message, sorted set tag @ time of delivery in seconds, and the
--- lock of whoever restores.
function unacked.keys(p) return p.prefix .. "unacked", p.prefix .. "unacked_index", p.prefix .. "unacked_mutex" end

-- Messages

local function table_or_nil(value) return type(value) == "table" and value or nil end

--- What the hash keeps for one tag: [message, exchange, routing key] as JSON (QoS.append), decoded for reading;
--- nil if it is something else.
local function parse(entry)
  local message, exchange, routing_key = unpack(celery.decode(entry) or {})
  local properties = type(message) == "table" and table_or_nil(message.properties)
  if not properties or type(exchange) ~= "string" or type(routing_key) ~= "string" then return nil end
  local headers = table_or_nil(message.headers)
  local eta = false
  if headers and type(headers.eta) == "string" then eta = iso_time.parse(headers.eta) end
  if eta == nil then return nil end -- it may be far away
  return {
    entry = entry,
    exchange = exchange,
    routing_key = routing_key,
    headers = headers,
    eta = eta, -- when the task is to start, in ms; false if at once
    properties = properties,
    delivery_info = table_or_nil(properties.delivery_info),
  }
end

local function priority(message)
  local number = tonumber(message.properties.priority)
  return number and math.max(0, math.min(9, math.floor(number))) or 0 -- _get_message_priority
end

--- The message with its bytes as they were, but marked as redelivered (_do_restore_message); nil if its bytes are
--- not understood.
local function redelivered(message)
  local text = message.entry:match('^%s*%[(.*),%s*"[^"]*",%s*"[^"]*"%s*%]%s*$')
  if text and message.headers then text = json.set(text, "true", "headers", "redelivered") end
  if text and message.delivery_info then
    return json.set(text, "true", "properties", "delivery_info", "redelivered")
  end
  return text and json.get(text, "properties") and text
end

-- Queues

--- Routing key, pattern and queue of one member of a binding set; nil if it has another separator.
local function split_binding(p, member)
  local sep = separator(p)
  local first, first_end = member:find(sep, 1, true)
  if not first then return nil end
  local second, second_end = member:find(sep, first_end + 1, true)
  if not second or member:find(sep, second_end + 1, true) then return nil end
  return member:sub(1, first - 1), member:sub(first_end + 1, second - 1), member:sub(second_end + 1)
end

--- Whether a topic exchange takes a routing key: `*` and `#` are what TopicExchange.wildcards makes of them.
local function topic_takes(binding_key, routing_key)
  local words = {}
  for word in (binding_key .. "."):gmatch("(.-)%.") do
    local pattern = word == "*" and ".-[^%.]" or word == "#" and ".-" or word:gsub("[^%w]", "%%%0")
    words[#words + 1] = pattern
  end
  return routing_key:find("^" .. table.concat(words, "%.") .. "$") ~= nil
end

--- The queues that kombu would put a message into (virtual.Channel._lookup); nil and why if it is not known.
--- Only a topic exchange stores patterns. Where no queue is bound, kombu loses the message.
function unacked.queues_of(p, message)
  if message.exchange == "" then
    if message.routing_key == "" then return nil, "it names no queue" end
    return { message.routing_key }
  end
  local found, seen = {}, {}
  local bindings = p.prefix .. "_kombu.binding." .. message.exchange
  for _, member in ipairs(redis.call("SMEMBERS", bindings)) do -- bounded: the queues bound to one exchange
    local routing_key, pattern, queue = split_binding(p, member)
    if not routing_key then return nil, "its exchange's bindings are not understood: is there a separator?" end
    local takes = routing_key == message.routing_key
    if pattern ~= "" then takes = topic_takes(routing_key, message.routing_key) end
    if takes and queue ~= "" and not seen[queue] then
      seen[queue] = true
      found[#found + 1] = queue
    end
  end
  if not found[1] then return nil, "no queue is bound to its exchange" end
  return found
end

--- The list of a queue for one priority: the greatest step that is not above it (Channel.priority, _q_for_pri).
local function list_for(p, queue, wanted)
  local step = p.priority_steps[#p.priority_steps]
  for _, candidate in ipairs(p.priority_steps) do
    if candidate <= wanted then step = candidate end
  end
  if wanted < p.priority_steps[1] then step = p.priority_steps[#p.priority_steps] end
  return p.prefix .. queue .. (step ~= 0 and separator(p) .. step or "")
end

--- Whether a queue has messages of a priority that is no step: its workers have other steps, and a list that
--- we choose by ours may be read by nobody.
local function has_other_steps(p, queue)
  local lists, is_step = {}, {}
  for _, step in ipairs(p.priority_steps) do is_step[step] = true end
  for step = 1, 9 do
    if not is_step[step] then lists[#lists + 1] = p.prefix .. queue .. separator(p) .. step end
  end
  return lists[1] and redis.call("EXISTS", unpack(lists)) > 0
end

--- The lists that a message goes back to; nil and why if that is not certain.
local function lists_for(p, message)
  local queues, problem = unacked.queues_of(p, message)
  if not queues then return nil, problem end
  local lists, wanted = {}, priority(message)
  for i, queue in ipairs(queues) do
    lists[i] = list_for(p, queue, wanted)
    if wanted > 0 and has_other_steps(p, queue) then return nil, "its queue has other priority steps" end
    local kind = redis.call("TYPE", lists[i]).ok
    if kind ~= "list" and kind ~= "none" then return nil, "its queue's key is no list" end
  end
  return lists
end

-- Restoring

local page_size = 50

--- Pages of tags that were delivered at `before` (ms) or earlier and when (s), alternating; the newest first, as
--- kombu restores them: each one is pushed to the right end, so the oldest is the next one out
--- (QoS.restore_visible). They may go meanwhile.
local function pages_delivered_before(p, before)
  local _, index = unacked.keys(p)
  local bound, count = string.format("%.6f", before / 1000), page_size
  local seen, ended = {}, false -- the tags of the score where the last page ended
  return function()
    while not ended do
      local members = redis.call("ZREVRANGEBYSCORE", index, bound, "-inf", "WITHSCORES", "LIMIT", 0, count)
      ended = #members < 2 * count
      local last, page = members[#members], {}
      local at_last = last == bound and seen or {}
      for i = 1, #members, 2 do
        local tag, score = members[i], members[i + 1]
        if not (score == bound and seen[tag]) then
          page[#page + 1] = tag
          page[#page + 1] = score
        end
        if score == last then at_last[tag] = true end
      end
      count = page[1] and page_size or count * 2
      bound, seen = last or bound, at_last
      if page[1] then return page end
    end
  end
end

--- Whether a message is held longer than the visibility timeout: since its delivery or, if the task is to
--- start later than that, since its eta. Until then it waits in the memory of a worker, by intent.
local function is_stalled(p, message, delivered)
  local starts = math.max(delivered, message and message.eta or 0)
  return starts <= p.now - p.visibility_timeout
end

--- Whether a message goes back to one of the wanted queues.
local function is_wanted(p, message)
  if p.queues == "*" then return true end
  for _, queue in ipairs(message and unacked.queues_of(p, message) or {}) do
    if glob.match(p.queues, queue) then return true end
  end
  return false
end

--- Calls visit(tag) for each message that is held too long, of the wanted queues; of all queues also for those
--- that we do not understand, and for tags without a message.
function unacked.each_stalled(p, visit)
  local hash = unacked.keys(p)
  for page in pages_delivered_before(p, p.now - p.visibility_timeout) do
    local tags = {}
    for i = 1, #page, 2 do tags[#tags + 1] = page[i] end
    local entries = redis.call("HMGET", hash, unpack(tags))
    for i, tag in ipairs(tags) do
      local message = entries[i] and parse(entries[i])
      if is_stalled(p, message, tonumber(page[2 * i]) * 1000) and is_wanted(p, message) then visit(tag) end
    end
  end
end

--- Puts one message back into its queue as QoS.restore_by_tag does, if it is still held too long and nobody else
--- restores. Needs atomicity: it writes where it reads.
function unacked.restore(p, tag)
  local hash, index, mutex = unacked.keys(p)
  local delivered = redis.call("ZSCORE", index, tag)
  if not delivered then return "gone" end
  local entry = redis.call("HGET", hash, tag)
  local message = entry and parse(entry)
  if not is_stalled(p, message, tonumber(delivered) * 1000) then return "kept", "it was delivered again" end
  if redis.call("EXISTS", mutex) == 1 then return "kept", "a worker is restoring (unacked_mutex)" end
  if not entry then
    redis.call("ZREM", index, tag)
    return "removed", "there is no message for this tag"
  end
  if not message then return "kept", "its layout is unknown" end
  local lists, problem = lists_for(p, message)
  if not lists then return "kept", problem end
  local text = redelivered(message)
  if not text then return "kept", "its layout is unknown" end
  return atomically({ hash }, function(write)
    for _, list in ipairs(lists) do write("RPUSH", list, text) end
    write("HDEL", hash, tag)
    write("ZREM", index, tag)
    return "requeued"
  end)
end

-- Orphans

--- Iterates over "message", tag: messages that no index entry names, which kombu never restores.
function unacked.without_index_entry(p)
  local hash, index = unacked.keys(p)
  local messages = scan.hash(hash)
  return function()
    for tag in messages do
      if not redis.call("ZSCORE", index, tag) then return "message", tag end
    end
  end
end

--- Iterates over "tag", tag: index entries without a message.
function unacked.without_message(p)
  local hash, index = unacked.keys(p)
  local tags = scan.zset(index, "-inf", "+inf")
  return function()
    for tag in tags do
      if redis.call("HEXISTS", hash, tag) == 0 then return "tag", tag end
    end
  end
end

--- Repairs one orphan, or only says what it is. A message is given an index entry as of now: a live worker has
--- the whole visibility timeout to finish it, then kombu restores it. Needs atomicity.
function unacked.repair(p, kind, tag)
  local hash, index = unacked.keys(p)
  local held, indexed = redis.call("HEXISTS", hash, tag) == 1, redis.call("ZSCORE", index, tag)
  if kind == "message" then
    if not held or indexed then return "gone" end
    local what = "a message that is held, without an index entry"
    if not p.repair then return "kept", what end
    redis.call("ZADD", index, string.format("%.3f", p.now / 1000), tag)
    return "repaired", what
  end
  if held or not indexed then return "gone" end
  local what = "an index entry without a message"
  if not p.repair then return "kept", what end
  redis.call("ZREM", index, tag)
  return "removed", what
end

return unacked
