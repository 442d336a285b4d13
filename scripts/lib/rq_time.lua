--- Times as RQ writes them: `2026-11-21T02:30:00.123456Z`, always UTC (utils.py utcformat). Jobs of old versions
-- have no fraction. In ms since 1970; a text of another form is no time.
local iso_time = require "lib.iso_time"
local rq_time = { format = iso_time.format }

function rq_time.parse(text)
  local ms, is_utc = iso_time.parse(text)
  return is_utc and ms or nil
end

return rq_time
