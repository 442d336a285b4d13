--- Iterators for find that ask Redis about many values in one go.
local pages = {}

local most_held = 200

local function read(iterator)
  local page = {}
  while #page < most_held do
    local values = { iterator() }
    if values[1] == nil then return page, true end
    page[#page + 1] = values
  end
  return page, false
end

--- The replies to the commands of every value, one list for each.
local function ask_all(page, ask)
  local commands, counts = {}, {}
  for i, values in ipairs(page) do
    local asked = ask(unpack(values))
    counts[i] = #asked
    for _, command in ipairs(asked) do commands[#commands + 1] = command end
  end
  local replies, at, answers = #commands > 0 and pipelined(commands) or {}, 0, {}
  for i = 1, #page do
    answers[i] = {}
    for k = 1, counts[i] do answers[i][k] = replies[at + k] end
    at = at + counts[i]
  end
  return answers
end

--- What judge(replies, values...) makes of the values of `iterator`: it returns what is handed out, or nothing.
--- ask(values...) lists the commands whose replies it gets.
function pages.judged(iterator, ask, judge)
  local page, answers, at, done = {}, {}, 0, false
  return function()
    while true do
      if at == #page then
        if done then return nil end
        page, done = read(iterator)
        answers, at = ask_all(page, ask), 0
      else
        at = at + 1
        local found = { judge(answers[at], unpack(page[at])) }
        if found[1] then return unpack(found) end
      end
    end
  end
end

local list_page, overlap = 1000, 100

local function set_of_left_end(page)
  local set = {}
  for i = 1, math.min(overlap, #page) do set[page[i]] = true end
  return set
end

local function has_any(page, set)
  for _, element in ipairs(page) do
    if set[element] then return true end
  end
  return false
end

--- Elements of a list that changes all the time (`wait`, `active`), from its right end to its left. Each page begins
--- beside what the last one ended with; where all of that is gone, the walk steps back, so that elements may come
--- twice, and none that stays is passed over. The number of pages is bounded by the length at the
--- beginning, for workers may empty a list as fast as it is read.
function pages.list(key)
  local passed, page, left, ended, at_end, most = 0, {}, 0, nil, false, nil

  local function read_page()
    local from = math.max(0, passed - overlap)
    page = redis.call("LRANGE", key, -passed - list_page, -from - 1)
    most = (most or 100 + 3 * redis.call("LLEN", key) / list_page) - 1
    if ended and most > 0 and not has_any(page, ended) and passed > 0 then
      passed = math.max(0, passed - list_page)
      return
    end
    at_end = #page < passed + list_page - from
    ended, passed, left = set_of_left_end(page), passed + list_page, #page
  end

  return function()
    while left == 0 do
      if at_end or most and most <= 0 then return nil end
      read_page()
    end
    left = left - 1
    return page[left + 1]
  end
end

--- The values of inner(value) for each value of `outer`, led by that one.
function pages.each_of(outer, inner)
  local value, current
  return function()
    while true do
      local found = current and { current() } or {}
      if found[1] ~= nil then return value, unpack(found) end
      value = outer()
      if value == nil then return nil end
      current = inner(value)
    end
  end
end

--- The values of several iterators, one after the other. `makers` are functions that make them.
function pages.chain(makers)
  local at, current = 0, nil
  return function()
    while true do
      local found = current and { current() } or {}
      if found[1] ~= nil then return unpack(found) end
      at = at + 1
      if not makers[at] then return nil end
      current = makers[at]()
    end
  end
end

return pages
