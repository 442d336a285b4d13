--- The largest few of many, in bounded memory.
local top = {}

--- A list that keeps its `most` largest entries: add(size, name), and entries, largest first.
function top.new(most)
  local list = { entries = {} }

  function list.add(size, name)
    local entries = list.entries
    if #entries == most and size <= entries[most].size then return end
    local at = #entries + 1
    while at > 1 and entries[at - 1].size < size do at = at - 1 end
    table.insert(entries, at, { size = size, name = name })
    entries[most + 1] = nil
  end

  return list
end

return top
