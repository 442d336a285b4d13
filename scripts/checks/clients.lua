--- Whether new clients can still connect: the share of maxclients in use, and connections turned away.
local server = require "lib.server"
local finding = require "lib.finding"

local function connected(clients, warn)
  -- INFO has maxclients from Redis 6.2 on
  local most = clients.maxclients or tonumber(server.config("maxclients"))
  if not most then return finding.ok("connected clients", string.format("%.0f", clients.connected_clients)) end
  return finding.share_below("connected clients of maxclients", clients.connected_clients / most, warn, nil,
    "see CLIENT LIST for idle ones; raise maxclients, or use fewer connections")
end

local function rejected(stats)
  if stats.rejected_connections == 0 then return finding.ok("rejected connections", "0") end
  return finding.warning("rejected connections", string.format("%.0f since the start", stats.rejected_connections), "0",
    "maxclients was reached")
end

return check {
  params = {
    warn = { type = "number", default = 0.80, help = "share of maxclients that warns" },
  },

  run = function(p)
    return { connected(server.info("clients"), p.warn), rejected(server.info("stats")) }
  end,
}
