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
while position < #ARGV do
  local item = {}
  local size = tonumber(take())
  for i = 1, size do item[i] = take() end
  local ok, outcome, reason = pcall(each, p, unpack(item, 1, size))
  if fatal then return { err = fatal } end
  if not ok then
    results[#results + 1] = { 0, type(outcome) == "table" and "error object is a table" or tostring(outcome) }
  elseif type(outcome) ~= "string" then
    results[#results + 1] = { 1, false, false }
  else
    results[#results + 1] = { 1, outcome, reason and tostring(reason) or false }
  end
end
return results
