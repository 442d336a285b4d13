--- Tells what Redis's persistence is doing: loading, snapshots, the append-only file.
---
--- Instead of the runbook's `INFO persistence`, to be read by eye. While Redis loads, this says how far it is and how
--- long it will take; afterwards what is on disk, and what would be lost now. Whether that is good enough,
--- `moonshift verify persistence` decides.
local clock = require "lib.clock"
local finding = require "lib.finding"
local server = require "lib.server"

local function loading(info)
  if info.loading == 0 then return finding.ok("dataset", "loaded") end
  return finding.critical("dataset", string.format("%.0f %% loaded, %s left", info.loading_loaded_perc or 0,
    finding.seconds(info.loading_eta_seconds or 0)), "loaded", "wait; nothing is served until it is")
end

local function snapshot(info, now)
  local value = string.format("%s ago, %.0f changes since", finding.seconds(math.max(0, now - info.rdb_last_save_time)),
    info.rdb_changes_since_last_save)
  if info.rdb_bgsave_in_progress == 1 then value = value .. ", one under way" end
  if info.rdb_last_bgsave_status == "ok" then return finding.ok("last snapshot", value) end
  return finding.critical("last snapshot", value .. "; the last attempt failed", "ok", "see Redis's log")
end

local function append_only_file(info)
  if info.aof_enabled == 0 then return finding.ok("append-only file", "off") end
  local value = finding.bytes(info.aof_current_size or 0)
  if info.aof_rewrite_in_progress == 1 then value = value .. ", being rewritten" end
  if info.aof_last_write_status == "ok" and info.aof_last_bgrewrite_status == "ok" then
    return finding.ok("append-only file", value)
  end
  return finding.critical("append-only file", value .. "; the last write or rewrite failed", "ok",
    "see Redis's log; redis-check-aof only with Redis stopped, and on a copy")
end

return check {
  params = {},

  run = function()
    local info = server.info("persistence")
    return { loading(info), snapshot(info, clock.now() / 1000), append_only_file(info) }
  end,
}
