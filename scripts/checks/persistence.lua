--- Whether what Redis holds would survive a restart.
---
--- Looks at INFO persistence: Redis is not loading; the last RDB save went well, and is not older than
--- `max_age` while there are unsaved changes; the AOF is on, and its last write and rewrite went well.
local server = require "lib.server"
local finding = require "lib.finding"

local function loading(info)
  if info.loading == 0 then return finding.ok("dataset", "loaded") end
  return finding.critical("dataset", "loading", "loaded", "wait; nothing is served until it is")
end

local function last_save(info, max_age)
  if info.rdb_last_bgsave_status ~= "ok" then
    return finding.critical("last RDB save", "failed", "ok", "see Redis's log: disk full, or no memory to fork?")
  end
  local age = tonumber(redis.call("TIME")[1]) - info.rdb_last_save_time
  local changes = info.rdb_changes_since_last_save
  if changes > 0 and age * 1000 > max_age then
    local value = string.format("%s ago, %.0f changes since", finding.seconds(age), changes)
    local hint = "snapshots every 15 minutes: CONFIG SET save '900 1'"
    return finding.warning("last RDB save", value, finding.seconds(max_age / 1000), hint)
  end
  return finding.ok("last RDB save", finding.seconds(age) .. " ago")
end

local function append_only_file(info)
  if info.aof_enabled == 0 then
    return finding.warning("AOF", "off", "on", "for durability: CONFIG SET appendonly yes")
  end
  if info.aof_last_write_status ~= "ok" then
    return finding.critical("AOF", "its last write failed", "ok", "see Redis's log: disk full?")
  end
  if info.aof_last_bgrewrite_status ~= "ok" then
    return finding.critical("AOF", "its last rewrite failed", "ok", "see Redis's log: disk full, or no memory to fork?")
  end
  return finding.ok("AOF", "on")
end

return check {
  params = {
    max_age = { type = "duration", default = "15m", help = "age of the last RDB save while there are changes" },
  },

  run = function(p)
    local info = server.info("persistence")
    return { loading(info), last_save(info, p.max_age), append_only_file(info) }
  end,
}
