--- Findings as checks return them: what was looked at, the value, the limit, and what to do.
local finding = {}

function finding.ok(what, value) return { level = "ok", what = what, value = value } end

function finding.warning(what, value, limit, hint)
  return { level = "warning", what = what, value = value, limit = limit, hint = hint }
end

function finding.critical(what, value, limit, hint)
  return { level = "critical", what = what, value = value, limit = limit, hint = hint }
end

local function percent(share) return string.format("%.0f %%", share * 100) end

--- A share (0 to 1) that should stay below `warn` and must stay below `critical` (optional).
function finding.share_below(what, share, warn, critical, hint)
  if critical and share > critical then return finding.critical(what, percent(share), percent(critical), hint) end
  if share > warn then return finding.warning(what, percent(share), percent(warn), hint) end
  return finding.ok(what, percent(share))
end

local units = { "B", "KB", "MB", "GB", "TB" }

--- 3.4 MB
function finding.bytes(count)
  local unit = 1
  while count >= 1024 and unit < #units do count, unit = count / 1024, unit + 1 end
  return string.format(unit == 1 and "%.0f %s" or "%.1f %s", count, units[unit])
end

--- 2 h 05 min, 40 s
function finding.seconds(count)
  if count >= 3600 then return string.format("%d h %02d min", count / 3600, count % 3600 / 60) end
  if count >= 60 then return string.format("%d min", count / 60) end
  return string.format("%d s", count)
end

return finding
