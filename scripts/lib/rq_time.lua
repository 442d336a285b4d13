--- Times as RQ writes them: `2026-11-21T02:30:00.123456Z`, always UTC (utils.py utcformat). Jobs of old versions
-- have no fraction. In ms since 1970; a text of another form is no time.
local rq_time = {}

--- Days from 1970-01-01 to a date of the Gregorian calendar; the year begins in March, so that the leap day ends it.
local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = math.floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local leap_days = math.floor(year_of_era / 4) - math.floor(year_of_era / 100)
  return era * 146097 + year_of_era * 365 + leap_days + day_of_year - 719468
end

local function date(day_number)
  local shifted = day_number + 719468
  local era = math.floor(shifted / 146097)
  local day_of_era = shifted - era * 146097
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524)
    - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local shifted_month = math.floor((5 * day_of_year + 2) / 153)
  local month = (shifted_month + 2) % 12 + 1
  local day = day_of_year - math.floor((153 * shifted_month + 2) / 5) + 1
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, day
end

function rq_time.parse(text)
  if not text then return nil end
  local year, month, day, hour, minute, second, fraction =
    text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)(%.?%d*)Z$")
  if not year or (fraction ~= "" and not fraction:find("^%.%d+$")) then return nil end
  local seconds = ((days(tonumber(year), tonumber(month), tonumber(day)) * 24 + tonumber(hour)) * 60
    + tonumber(minute)) * 60 + tonumber(second)
  return seconds * 1000 + (tonumber("0" .. fraction) * 1000)
end

function rq_time.format(ms)
  local seconds = math.floor(ms / 1000)
  local day_number = math.floor(seconds / 86400)
  local year, month, day = date(day_number)
  local rest = seconds - day_number * 86400
  return string.format("%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z", year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, math.floor(ms - seconds * 1000))
end

return rq_time
