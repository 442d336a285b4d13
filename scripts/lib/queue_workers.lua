--- How many workers a server has, by what CLIENT LIST tells of the connections to this database.
local base64 = require "lib.base64"
local workers = {}

local function note(counts, name) counts[name] = (counts[name] or 0) + 1 end

--- Counts a client under its name, and under all that may stand before `:w:<name of the worker>`.
local function note_name(named, name)
  note(named, name)
  local at = name:find(":w:", 1, true)
  while at do
    note(named, name:sub(1, at - 1))
    at = name:find(":w:", at + 1, true)
  end
end

local function database(line) return line:match(" db=(%d+)") end

--- Which database this connection has; nil, for any, before Redis 6.2.
local function own_database()
  local line = redis.pcall("CLIENT", "INFO")
  return type(line) == "string" and database(line) or nil
end

--- What there is to be asked below; nil where CLIENT LIST is not allowed.
function workers.look()
  local list, own = redis.pcall("CLIENT", "LIST"), own_database()
  if type(list) ~= "string" then return nil end
  local seen = { named = {}, by_pattern = 0 }
  for line in list:gmatch("[^\n]+") do
    if not own or database(line) == own then
      local name, patterns = line:match(" name=(%S+)"), tonumber(line:match(" psub=(%d+)"))
      if name then note_name(seen.named, name) end
      if (patterns or 0) > 0 then seen.by_pattern = seen.by_pattern + 1 end
    end
  end
  return seen
end

--- Workers of BullMQ and Bull on the queue at `base`: their connection's name is made of prefix and queue, and since
--- BullMQ 5 perhaps of their own name (queue-base.js clientName, worker.js). The queue's name may be any of the last
--- segments.
function workers.named(seen, base)
  if not seen then return nil end
  local whole, count, at = base:sub(1, -2), 0, base:find(":", 1, true)
  while at and at < #base do
    count = count + (seen.named[whole:sub(1, at) .. base64.encode(whole:sub(at + 1))] or 0)
    at = base:find(":", at + 1, true)
  end
  return count
end

--- Celery's workers with this key prefix: each binds a mailbox, which stays if it is killed, and subscribes to a
--- pattern for commands, and perhaps for events (kombu/pidbox.py, Channel._subscribe). Other programs may subscribe
--- to patterns, too; nil if there is nothing but these.
function workers.celery(seen, prefix)
  if not seen then return nil end
  if seen.by_pattern == 0 then return 0 end
  local mailboxes = redis.pcall("SCARD", prefix .. "_kombu.binding.celery.pidbox")
  return type(mailboxes) == "number" and mailboxes > 0 and math.min(mailboxes, seen.by_pattern) or nil
end

return workers
