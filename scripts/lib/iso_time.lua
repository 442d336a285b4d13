--- Times as text, the way Python's isoformat() writes them: `2026-11-21T02:30:00.123456+00:00`, the fraction and the
-- offset from UTC may be missing. In ms since 1970; a text of another form is no time.
local iso_time = {}

-- The year begins in March, so that the leap day ends it (the Gregorian calendar repeats itself after 146,097 days).
local days_of_era, days_before_1970 = 146097, 719468

local function days(year, month, day)
  if month <= 2 then year = year - 1 end
  local era = math.floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local leap_days = math.floor(year_of_era / 4) - math.floor(year_of_era / 100)
  return era * days_of_era + year_of_era * 365 + leap_days + day_of_year - days_before_1970
end

local function date(day_number)
  local shifted = day_number + days_before_1970
  local era = math.floor(shifted / days_of_era)
  local day_of_era = shifted - era * days_of_era
  local year_of_era = math.floor((day_of_era - math.floor(day_of_era / 1460) + math.floor(day_of_era / 36524)
    - math.floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + math.floor(year_of_era / 4) - math.floor(year_of_era / 100))
  local shifted_month = math.floor((5 * day_of_year + 2) / 153)
  local month = (shifted_month + 2) % 12 + 1
  local day = day_of_year - math.floor((153 * shifted_month + 2) / 5) + 1
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, day
end

--- Minutes ahead of UTC; without an offset it is UTC. nil if it is no offset.
local function offset(zone)
  if zone == "" or zone == "Z" then return 0 end
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if not sign then return nil end
  return (sign == "-" and -1 or 1) * (hours * 60 + minutes)
end

local form = "^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)(.*)$"

--- The fraction of a second (0 if there is none) and the zone of what comes after the seconds.
local function split(rest)
  local fraction, zone = rest:match("^(%.%d+)(.*)$")
  if fraction then return tonumber("0" .. fraction), zone end
  return 0, rest
end

--- A time in ms since 1970, nil if it is none; and whether it ends with `Z`.
function iso_time.parse(text)
  if type(text) ~= "string" then return nil end
  local year, month, day, hour, minute, second, rest = text:match(form)
  if not year or month + 0 < 1 or month + 0 > 12 then return nil end
  local fraction, zone = split(rest)
  local ahead = offset(zone)
  if not ahead then return nil end
  local minutes = (days(tonumber(year), tonumber(month), tonumber(day)) * 24 + hour) * 60 + minute - ahead
  return (minutes * 60 + second) * 1000 + fraction * 1000, zone == "Z"
end

--- In UTC, with microseconds and `Z`.
function iso_time.format(ms)
  local seconds = math.floor(ms / 1000)
  local day_number = math.floor(seconds / 86400)
  local year, month, day = date(day_number)
  local rest = seconds - day_number * 86400
  return string.format("%04d-%02d-%02dT%02d:%02d:%02d.%03d000Z", year, month, day, math.floor(rest / 3600),
    math.floor(rest / 60) % 60, rest % 60, math.floor(ms - seconds * 1000))
end

return iso_time
