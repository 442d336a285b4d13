--- Finds the largest keys, by memory and by number of elements.
---
--- Instead of the runbook's `redis-cli --bigkeys`. That one ranks by elements, so a list of three 100 MB
--- strings is small to it, and shows one key a type. This one walks with SCAN, asks MEMORY USAGE
--- (an estimate from five elements), shows the `top` largest, and warns of those above `warn`.
local finding = require "lib.finding"
local top = require "lib.top"

local page = 100

local lengths = { string = "STRLEN", list = "LLEN", hash = "HLEN", set = "SCARD", zset = "ZCARD", stream = "XLEN" }

local function measure(keys, largest)
  local commands = {}
  for i, key in ipairs(keys) do commands[i] = { "MEMORY", "USAGE", key } end
  for i, size in ipairs(pipelined(commands)) do
    if size then largest.add(size, keys[i]) end
  end
end

local function walk(p, largest)
  local batch, looked_at = {}, 0
  for key in scan.keys { match = p.pattern } do
    batch[#batch + 1], looked_at = key, looked_at + 1
    if #batch == page then
      measure(batch, largest)
      batch = {}
    end
    if looked_at >= p.at_most then break end
  end
  measure(batch, largest)
  return looked_at
end

local function describe(entry)
  local kind = redis.call("TYPE", entry.name).ok
  local length = lengths[kind] and redis.pcall(lengths[kind], entry.name) -- commands: those of `lengths`
  if type(length) ~= "number" then return finding.bytes(entry.size) .. ", " .. kind end
  return string.format("%s, %s of %.0f %s", finding.bytes(entry.size), kind, length,
    kind == "string" and "bytes" or "elements")
end

local hint = "lists/trim, streams/trim and the clean tasks shrink it in steps; DEL stops Redis, UNLINK does not"

return check {
  params = {
    pattern = { type = "glob", list = true, default = "*", help = "which keys" },
    top     = { type = "integer", default = 20, help = "how many to show" },
    warn    = { type = "bytes", default = "64mb", help = "size that warns" },
    at_most = { type = "integer", default = 10000000, help = "look at so many keys" },
  },

  run = function(p)
    local largest = top.new(p.top)
    local looked_at = walk(p, largest)
    local findings = { finding.ok("keys looked at", string.format("%.0f", looked_at)) }
    for _, entry in ipairs(largest.entries) do
      local value = describe(entry)
      findings[#findings + 1] = entry.size > p.warn
        and finding.warning(entry.name, value, finding.bytes(p.warn), hint) or finding.ok(entry.name, value)
    end
    return findings
  end,
}
