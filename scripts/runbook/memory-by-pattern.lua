--- Tells how much memory the keys under a pattern take, summed by the front of their names.
---
--- Instead of the runbook's `EVAL "KEYS ... MEMORY USAGE ..." 0 "bull:*"`. That one stops Redis while it lists every
--- key and measures each, keeps all of it in the memory that is short just then, and answers with a line for each
--- key. This one walks with SCAN, and sums: `bull:mail:17` counts for `bull:mail:` with depth=2.
--- Sizes are what MEMORY USAGE estimates from `samples` elements.
local finding = require "lib.finding"
local top = require "lib.top"

local most_groups, page = 10000, 100

local function group_of(key, depth)
  local at = 0
  for _ = 1, depth do
    local colon = key:find(":", at + 1, true)
    if not colon then break end
    at = colon
  end
  return at > 0 and key:sub(1, at) .. "*" or "(no colon)"
end

--- Sums by group; beyond so many groups, the others together.
local function new_sums(depth)
  local sums = { groups = {}, count = 0, keys = 0, bytes = 0 }

  function sums.add(key, size)
    local name = group_of(key, depth)
    if not sums.groups[name] then
      if sums.count >= most_groups then name = "(others)" end
      if not sums.groups[name] then
        sums.groups[name] = { keys = 0, bytes = 0 }
        sums.count = sums.count + 1
      end
    end
    local group = sums.groups[name]
    group.keys, group.bytes = group.keys + 1, group.bytes + size
    sums.keys, sums.bytes = sums.keys + 1, sums.bytes + size
  end

  return sums
end

local function measure(keys, samples, sums)
  local commands = {}
  for i, key in ipairs(keys) do commands[i] = { "MEMORY", "USAGE", key, "SAMPLES", samples } end
  for i, size in ipairs(pipelined(commands)) do
    if size then sums.add(keys[i], size) end
  end
end

local function walk(p, sums)
  local batch = {}
  for key in scan.keys { match = p.pattern } do
    batch[#batch + 1] = key
    if #batch == page then
      measure(batch, p.samples, sums)
      batch = {}
    end
    if sums.keys >= p.at_most then return false end
  end
  measure(batch, p.samples, sums)
  return true
end

local function amount(group) return string.format("%s in %.0f keys", finding.bytes(group.bytes), group.keys) end

return check {
  params = {
    pattern = { type = "glob", list = true, default = "*", help = "which keys" },
    depth   = { type = "integer", default = 2, help = "sum by the name's front up to this colon" },
    top     = { type = "integer", default = 20, help = "how many groups to show" },
    samples = { type = "integer", default = 5, help = "elements that MEMORY USAGE looks at; 0: all" },
    at_most = { type = "integer", default = 10000000, help = "look at so many keys" },
  },

  run = function(p)
    local sums, largest = new_sums(p.depth), top.new(p.top)
    local all = walk(p, sums)
    for name, group in pairs(sums.groups) do largest.add(group.bytes, name) end
    local findings = { finding.ok("keys looked at", amount(sums) .. (all and "" or ", there are more: at_most")) }
    for _, entry in ipairs(largest.entries) do
      findings[#findings + 1] = finding.ok(entry.name, amount(sums.groups[entry.name]))
    end
    return findings
  end,
}
