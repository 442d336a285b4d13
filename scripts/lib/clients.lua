--- The clients of a Redis server, as CLIENT LIST tells of them, and which of them may go.
local clients = {}

--- id=7 addr=10.0.0.1:4711 name=web age=3 idle=0 flags=N cmd=get ... as a table of texts.
local function parse(line)
  local client = {}
  for name, value in line:gmatch("([%w%-]+)=(%S*)") do client[name] = value end
  return client
end

--- All clients, or the one with this id. Needs Redis 6.2 for one (https://redis.io/docs/latest/commands/client-list).
function clients.list(id)
  local text = id and redis.call("CLIENT", "LIST", "ID", id) or redis.call("CLIENT", "LIST")
  local all = {}
  for line in text:gmatch("[^\n]+") do all[#all + 1] = parse(line) end
  return all
end

local function has_flag(client, flag) return client.flags:find(flag, 1, true) ~= nil end

--- Whether it was idle for longer than this; times are whole seconds.
function clients.is_idle(client, duration) return tonumber(client.idle) * 1000 > duration end

local function is_pubsub(client)
  return has_flag(client, "P") or (tonumber(client.sub) or 0) + (tonumber(client.psub) or 0)
    + (tonumber(client.ssub) or 0) > 0
end

--- Why a client that is idle is so for a reason, or nil.
-- Flags: https://redis.io/docs/latest/commands/client-list
function clients.reason_to_stay(p, client)
  if has_flag(client, "S") then return "a replica" end
  if has_flag(client, "M") then return "the master" end
  if has_flag(client, "O") then return "a monitor" end
  if client.name == "moonshift" then return "moonshift's own" end
  if is_pubsub(client) and not p.pubsub then return "subscribed" end
  if has_flag(client, "b") and not p.blocked then return "blocked in " .. client.cmd end
  if has_flag(client, "t") and not p.tracking then return "tracks keys that it has cached" end
  return nil
end

--- Closes this connection unless it has become another kind of client meanwhile; whether it was there.
function clients.kill(client)
  local kind = is_pubsub(client) and "pubsub" or "normal"
  return redis.call("CLIENT", "KILL", "ID", client.id, "ADDR", client.addr, "TYPE", kind, "SKIPME", "yes") == 1
end

return clients
