--- Closes connections that sent nothing for longer than `idle`.
---
--- Each client is looked at again right before its connection is closed; CLIENT KILL names its id, address and kind,
--- so that no other can be meant. A command that a client sends between these two is lost with its connection:
--- Redis has no way to decide both at once, and client libraries connect again by themselves. What keeps
--- connections from piling up is a smaller pool, or `CONFIG SET timeout`.
---
--- For Redis 6.2 and newer, in the local engine: Redis refuses CLIENT to scripts. Never touched: replicas, the
--- master, monitors, moonshift itself; subscribers, clients that wait in a blocking command (workers of a
--- queue) and those with client-side caching, unless asked for: all of them are idle by nature.
local clients = require "lib.clients"

local function is_wanted(p, client)
  return clients.is_idle(client, p.idle) and glob.match(p.name, client.name) and glob.match(p.user, client.user or "")
    and glob.match(p.addr, client.addr)
end

return task {
  engine = "local",

  params = {
    idle     = { type = "duration", required = true, help = "sent nothing for longer than this" },
    name     = { type = "glob", default = "*", help = "which clients, by the name that they gave themselves" },
    user     = { type = "glob", default = "*", help = "by their user" },
    addr     = { type = "glob", default = "*", help = "by their address, such as 10.0.3.*" },
    pubsub   = { type = "boolean", default = false, help = "also subscribers" },
    blocked  = { type = "boolean", default = false, help = "also those that wait in a blocking command" },
    tracking = { type = "boolean", default = false, help = "also those with client-side caching" },
  },

  find = function(p, emit)
    for _, client in ipairs(clients.list()) do
      if is_wanted(p, client) and not clients.reason_to_stay(p, client) then emit(client.id) end
    end
  end,

  each = function(p, id)
    local client = clients.list(id)[1]
    if not client then return "gone" end
    if not clients.is_idle(client, p.idle) then return "kept", "it is in use" end
    local reason = clients.reason_to_stay(p, client)
    if reason then return "kept", reason end
    return clients.kill(client) and "killed" or "gone"
  end,
}
