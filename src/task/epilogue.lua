local position = 0
local function take()
  position = position + 1
  return ARGV[position]
end

local function take_value()
  local kind, text = take(), take()
  if kind == "n" then return tonumber(text) end
  if kind == "b" then return text == "1" end
  if kind == "s" then return text end
  local list = {}
  for i = 1, tonumber(text) do list[i] = take_value() end
  return list
end

local p = {}
for _ = 1, tonumber(take()) do
  local name = take()
  p[name] = take_value()
end

local results, each = {}, declared.each

--- One flat list: Redis looks a dozen times into each table that it makes a reply of.
local function add(kind, text, reason)
  local count = #results
  results[count + 1], results[count + 2], results[count + 3] = kind, text, reason
end

while position < #ARGV do
  local size = tonumber(take())
  local ok, outcome, reason = pcall(each, p, unpack(ARGV, position + 1, position + size))
  position = position + size
  if fatal then return { err = fatal } end
  if not ok then
    add(0, type(outcome) == "table" and "error object is a table" or tostring(outcome), false)
  elseif type(outcome) ~= "string" then
    add(1, false, false)
  else
    add(1, outcome, reason and tostring(reason) or false)
  end
end
return results
