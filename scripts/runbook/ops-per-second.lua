--- Tells how much Redis is doing now, and which commands it spends its time on.
---
--- Instead of the runbook's `INFO stats | grep instantaneous_ops_per_sec`, a number without a measure, and of its 30
--- seconds of `MONITOR`, which halves what Redis can do while it runs and shows the values of others. A queue that
--- works again is told by `runbook/queue-depths`: operations alone may be workers that ask in vain.
local finding = require "lib.finding"
local server = require "lib.server"
local top = require "lib.top"

--- Microseconds by command since the start, from lines such as cmdstat_get:calls=5,usec=12,usec_per_call=2.40.
local function busiest(most)
  local largest, calls = top.new(most), {}
  for name, count, usec in redis.call("INFO", "commandstats"):gmatch("cmdstat_([^:]+):calls=(%d+),usec=(%d+)") do
    calls[name] = tonumber(count)
    largest.add(tonumber(usec), name)
  end
  return largest.entries, calls
end

local function describe(entry, calls)
  return string.format("%.0f calls, %.1f s, %.0f us each", calls, entry.size / 1e6, entry.size / math.max(1, calls))
end

local function rate(stats, least)
  local per_second = stats.instantaneous_ops_per_sec
  local value = string.format("%.0f, %.0f KB/s in, %.0f KB/s out", per_second, stats.instantaneous_input_kbps,
    stats.instantaneous_output_kbps)
  if per_second >= least then return finding.ok("operations a second", value) end
  return finding.warning("operations a second", value, string.format("%.0f", least), "are the applications connected?")
end

return check {
  params = {
    least = { type = "integer", default = 0, help = "fewer operations a second warn" },
    top   = { type = "integer", default = 5, help = "how many commands to show" },
  },

  run = function(p)
    local findings = { rate(server.info("stats"), p.least) }
    local entries, calls = busiest(p.top)
    for _, entry in ipairs(entries) do
      findings[#findings + 1] = finding.ok("time in " .. entry.name, describe(entry, calls[entry.name]))
    end
    return findings
  end,
}
