--- Tells which connections have been idle for long, and which of them are so for a reason.
---
--- Instead of the runbook's `CLIENT LIST | grep "idle="`, which matches every client, and `CLIENT KILL ID` or `ADDR` by
--- hand afterwards: by then the client may be at work, and replicas, subscribers and the workers of a queue look
--- idle all the time. `clients/kill` closes those that are counted here, and looks at each again before it does.
local clients = require "lib.clients"
local finding = require "lib.finding"
local top = require "lib.top"

local function described(client)
  return string.format("%s %s id=%s", client.addr, client.name ~= "" and client.name or "(no name)", client.id)
end

return check {
  params = {
    idle = { type = "duration", default = "1h", help = "sent nothing for longer than this" },
    top  = { type = "integer", default = 10, help = "how many to show" },
    warn = { type = "integer", default = 100, help = "number of idle connections that warns" },
  },

  run = function(p)
    local longest, idle, with_reason = top.new(p.top), 0, 0
    for _, client in ipairs(clients.list()) do
      if clients.is_idle(client, p.idle) then
        if clients.reason_to_stay({}, client) then
          with_reason = with_reason + 1
        else
          idle = idle + 1
          longest.add(tonumber(client.idle), described(client))
        end
      end
    end
    local value = string.format("%.0f, and %.0f for a reason", idle, with_reason)
    local findings = { idle <= p.warn and finding.ok("idle connections", value)
      or finding.warning("idle connections", value, string.format("%.0f", p.warn),
        "clients/kill, or CONFIG SET timeout") }
    for _, entry in ipairs(longest.entries) do
      findings[#findings + 1] = finding.ok(entry.name, "idle for " .. finding.seconds(entry.size))
    end
    return findings
  end,
}
