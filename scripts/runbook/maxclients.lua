--- Tells how many of the allowed clients are connected, and who they are.
---
--- Instead of the runbook's `INFO clients | grep connected_clients` and `CONFIG GET maxclients`: two numbers to divide
--- by head, the second of which managed services refuse to tell. Here the share of both, and the
--- connections by name and host, which tells whose pool is too large.
local clients = require "lib.clients"
local finding = require "lib.finding"
local server = require "lib.server"
local top = require "lib.top"

local function share(warn)
  local info = server.info("clients")
  local most = info.maxclients or tonumber(server.config("maxclients"))
  if not most then return finding.ok("connected clients", string.format("%.0f", info.connected_clients)) end
  return finding.share_below(string.format("connected clients of %.0f", most), info.connected_clients / most, warn, nil,
    "clients/kill closes idle ones; smaller pools last longer")
end

local function whose(client)
  return (client.name ~= "" and client.name or "(no name)") .. " from " .. client.addr:gsub(":%d+$", "")
end

return check {
  params = {
    warn = { type = "number", default = 0.80, help = "share of maxclients that warns" },
    top  = { type = "integer", default = 10, help = "how many holders of connections to show" },
  },

  run = function(p)
    local counts, largest = {}, top.new(p.top)
    for _, client in ipairs(clients.list()) do counts[whose(client)] = (counts[whose(client)] or 0) + 1 end
    for name, count in pairs(counts) do largest.add(count, name) end
    local findings = { share(p.warn) }
    for _, entry in ipairs(largest.entries) do
      findings[#findings + 1] = finding.ok(entry.name, string.format("%.0f connections", entry.size))
    end
    return findings
  end,
}
