--- Remembers any number of texts in little memory, for find.
local filter = {}

local bits = 2 ^ 25

--- An empty one: `add(text)`, and `has(text)` for those that were added. One that was not may seem to have been, at 4
--- of 1,000 if a million were; with another `salt` it is another one.
function filter.new(salt)
  local words = {} -- 32 bits each: 8 MB when all are there

  local function places(text)
    local hash = redis.sha1hex(salt .. text)
    return tonumber(hash:sub(1, 7), 16) % bits, tonumber(hash:sub(8, 14), 16) % bits
  end

  local function is_set(place)
    return bit.band(words[math.floor(place / 32)] or 0, bit.lshift(1, place % 32)) ~= 0
  end

  local function set(place)
    local word = math.floor(place / 32)
    words[word] = bit.bor(words[word] or 0, bit.lshift(1, place % 32))
  end

  local function add(text)
    local one, other = places(text)
    set(one)
    set(other)
  end

  local function has(text)
    local one, other = places(text)
    return is_set(one) and is_set(other)
  end

  return { add = add, has = has }
end

return filter
