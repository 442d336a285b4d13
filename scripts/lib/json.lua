--- Reads and edits single members of a JSON text and leaves all else byte for byte as it was.
-- Decoding and encoding the whole would not: an empty array comes back as an object, an integer above 2^53
-- as another one. A text is a string of bytes; `raw` is the JSON text of one value, such as `"a"` or `12`.
local json = {}

local after_value

--- The first position from `at` on that is no blank; one after the end if there is none.
local function skip_blanks(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

--- One after the string whose opening quote is at `at`; nil if it has no end.
local function after_string(text, at)
  at = text:find('["\\]', at + 1)
  while at do
    if text:byte(at) == 34 then return at + 1 end
    at = text:find('["\\]', at + 2)
  end
  return nil
end

--- Calls visit(key_at, key_end, value_at, value_end) for each member of the object that opens at `at`; the
--- ends are one after. Returns one after the object, and where its last value ended; nil if it is none.
local function each_member(text, at, visit)
  at = skip_blanks(text, at + 1)
  if text:sub(at, at) == "}" then return at + 1, nil end
  while text:sub(at, at) == '"' do
    local key_end = after_string(text, at)
    local colon = key_end and skip_blanks(text, key_end)
    if not colon or text:sub(colon, colon) ~= ":" then return nil end
    local value_at = skip_blanks(text, colon + 1)
    local value_end = after_value(text, value_at)
    if not value_end then return nil end
    if visit then visit(at, key_end, value_at, value_end) end
    local next_at = skip_blanks(text, value_end)
    local sign = text:sub(next_at, next_at)
    if sign == "}" then return next_at + 1, value_end end
    if sign ~= "," then return nil end
    at = skip_blanks(text, next_at + 1)
  end
  return nil
end

local function after_array(text, at)
  at = skip_blanks(text, at + 1)
  if text:sub(at, at) == "]" then return at + 1 end
  while true do
    local value_end = after_value(text, at)
    if not value_end then return nil end
    at = skip_blanks(text, value_end)
    local sign = text:sub(at, at)
    if sign == "]" then return at + 1 end
    if sign ~= "," then return nil end
    at = skip_blanks(text, at + 1)
  end
end

--- One after the value that begins at `at`; nil if there is none. Takes NaN and Infinity, which Python writes.
function after_value(text, at)
  local first = text:sub(at, at)
  if first == '"' then return after_string(text, at) end
  if first == "{" then return (each_member(text, at)) end
  if first == "[" then return after_array(text, at) end
  return text:match("^[%w+%-.]+()", at)
end

--- The string that a raw JSON string stands for; nil if it is none.
function json.string(raw)
  if type(raw) ~= "string" or raw:sub(1, 1) ~= '"' then return nil end
  local decoded, list = pcall(cjson.decode, "[" .. raw .. "]")
  return decoded and list[1] or nil
end

--- The number that a raw JSON number stands for; nil if it is none.
function json.number(raw)
  return type(raw) == "string" and raw:find("^-?%d[%deE+%-.]*$") and tonumber(raw) or nil
end

--- A string as JSON.
function json.quote(text) return (cjson.encode(text):gsub("\\/", "/")) end

--- Where a member of the object at `at` is; the last one of that name, as the libraries' parsers have it.
local function find_member(text, at, name)
  local found
  if text:sub(at, at) ~= "{" then return nil end
  local object_end, last_end = each_member(text, at, function(key_at, key_end, value_at, value_end)
    if json.string(text:sub(key_at, key_end - 1)) == name then found = { value_at, value_end } end
  end)
  return found, object_end, last_end
end

--- Follows `path` down to the object that holds its last name. Returns what find_member() does, and where
--- that object opens.
local function follow(text, path)
  local at = skip_blanks(text, 1)
  local whole = after_value(text, at)
  if not whole or skip_blanks(text, whole) <= #text then return nil end
  for i = 1, #path - 1 do
    local found = find_member(text, at, path[i])
    if not found then return nil end
    at = found[1]
  end
  local found, object_end, last_end = find_member(text, at, path[#path])
  if not object_end then return nil end
  return at, found, object_end, last_end
end

--- The raw text of a member: json.get('{"a": {"b": 1}}', "a", "b") is "1". nil if it is not there, or if
--- the text is no JSON.
function json.get(text, ...)
  local _, found = follow(text, { ... })
  return found and text:sub(found[1], found[2] - 1) or nil
end

--- The text with a member set to `raw`: in its place, or after the last member of its object. nil if that
--- object is not there, or if the text is no JSON.
function json.set(text, raw, ...)
  local path = { ... }
  local at, found, _, last_end = follow(text, path)
  if not at then return nil end
  if found then return text:sub(1, found[1] - 1) .. raw .. text:sub(found[2]) end
  local member = json.quote(path[#path]) .. ":" .. raw
  if not last_end then return text:sub(1, at) .. member .. text:sub(at + 1) end
  return text:sub(1, last_end - 1) .. "," .. member .. text:sub(last_end)
end

--- The text without one member of the outermost object; as it was if there is none of that name.
function json.remove(text, name)
  local at = skip_blanks(text, 1)
  local head_end, cut, previous_end = at + 1, nil, nil
  local object_end = text:sub(at, at) == "{" and each_member(text, at, function(key_at, key_end, _, value_end)
    if json.string(text:sub(key_at, key_end - 1)) == name then
      cut = previous_end and { previous_end, value_end } or { key_at, nil }
    elseif cut and not cut[2] then
      cut[2] = key_at
    end
    previous_end = value_end
  end)
  if not object_end then return nil end
  if not cut then return text end
  if not cut[2] then return text:sub(1, head_end - 1) .. text:sub(object_end - 1) end
  return text:sub(1, cut[1] - 1) .. text:sub(cut[2])
end

return json
