-- The world of tasks and checks in the local engine. `host` is what C++ lends us; scripts see the
-- globals that this file makes, and nothing else. The server engine's counterpart is prelude.lua.

local host = ...

-- Commands

--- The server's error text, and which command met it.
local function explain(text, verb, key)
  if key == nil then return text .. " (" .. tostring(verb) .. ")" end
  return text .. " (" .. tostring(verb) .. " " .. host.printable(tostring(key)) .. ")"
end

local function call(...)
  local reply, failure = host.send(...)
  if failure then error(explain(failure, ...), 2) end
  return reply
end

local function pcall_command(...)
  local reply, failure = host.send(...)
  if failure then return { err = failure } end
  return reply
end

KEYS, ARGV = {}, {} -- only plain scripts get any

redis = {
  call = call,
  pcall = pcall_command,
  sha1hex = host.sha1hex,
  error_reply = function(text) return { err = text } end,
  status_reply = function(text) return { ok = text } end,
}

--- Sends all the commands in one go; a list of their replies. The first error is raised.
function pipelined(commands)
  local replies = host.send_all(commands)
  for i, reply in ipairs(replies) do
    if type(reply) == "table" and reply.err then error(explain(reply.err, unpack(commands[i])), 2) end
  end
  return replies
end

local most_attempts = 10

--- Decides and writes with nothing in between, or not at all. `decide(write, watch)` reads with
--- redis.call() and names its writes with write(...); they happen together after it returns, provided
--- that none of the watched keys was changed meanwhile. If one was, it decides again.
function atomically(keys, decide)
  for attempt = 1, most_attempts do
    host.begin(attempt > 1)
    if keys[1] ~= nil then host.watch(unpack(keys)) end
    local writes = {}
    local function write(...)
      local problem = host.problem(...)
      if problem then error(problem, 2) end
      writes[#writes + 1] = { ... }
    end
    local decided, outcome, reason = pcall(decide, write, host.watch)
    if not decided then
      host.leave()
      error(outcome, 0)
    end
    if #writes == 0 then
      host.leave()
      return outcome, reason
    end
    local replies, failure = host.commit(writes)
    if failure then error(failure, 2) end
    if replies then
      for i, reply in ipairs(replies) do
        if type(reply) == "table" and reply.err then error(explain(reply.err, unpack(writes[i])), 2) end
      end
      return outcome, reason
    end
  end
  error("it was changed by others at each of " .. most_attempts .. " attempts", 2)
end

-- Globs

glob = { match = host.glob_match, escape = host.glob_escape }

-- Iterators

scan = {}

local first_count, most_count = 10, 2000
local big_page = 1024 * 1024 -- bytes; above it the next page is smaller

--- How many elements to ask for next, so that neither many tiny nor few huge ones cost too much.
local function next_count(count, page)
  local bytes = 0
  for i = 1, #page do bytes = bytes + #page[i] end
  if bytes > big_page then return math.max(2, math.floor(count * big_page / bytes)) end
  return math.min(most_count, count * 2)
end

--- Walks the pages that `next_page()` returns until it returns nil, `width` values at a time.
local function over_pages(next_page, width)
  local page, index, ended = {}, 0, false
  return function()
    while index >= #page do
      local fresh = not ended and next_page()
      if not fresh then
        ended = true
        return nil
      end
      page, index = fresh, 0
    end
    index = index + width
    if width == 2 then return page[index - 1], page[index] end
    return page[index]
  end
end

--- A read inside an iterator: a key of another type ends the walk, is counted as a failed item, and
--- the rest goes on.
local function read_or_report(verb, key, ...)
  local reply, failure = host.send(verb, key, ...)
  if not failure then return reply end
  if not failure:find("^WRONGTYPE") then error(explain(failure, verb, key), 4) end
  host.fail(key, explain(failure, verb, key))
  return nil
end

--- Pages of a cursor command (SCAN and its family). The cursor is a string: it has 64 bits.
local function cursor_pages(read)
  local cursor, count = "0", first_count
  return function()
    if not cursor then return nil end
    local reply = read(cursor, count)
    if not reply then return nil end
    cursor = reply[1] ~= "0" and reply[1] or nil
    count = next_count(count, reply[2])
    return reply[2]
  end
end

local function unlike(keys, patterns)
  if #patterns == 0 then return keys end
  local fresh = {}
  for _, key in ipairs(keys) do
    local seen = false
    for _, pattern in ipairs(patterns) do seen = seen or glob.match(pattern, key) end
    if not seen then fresh[#fresh + 1] = key end
  end
  return fresh
end

--- Pages of keys. Where TTLs are asked for, the next page is asked for along with them, so that Redis need
--- not wait for us in between.
local function keys_like(pattern, earlier, options)
  local cursor, count, ahead = "0", first_count, nil
  local function scan_on()
    if options.type then return { "SCAN", cursor, "MATCH", pattern, "COUNT", count, "TYPE", options.type } end
    return { "SCAN", cursor, "MATCH", pattern, "COUNT", count }
  end
  return function()
    if not cursor then return nil end
    local page = ahead or pipelined({ scan_on() })[1]
    cursor, ahead = page[1] ~= "0" and page[1] or nil, nil
    count = next_count(count, page[2])
    local keys = unlike(page[2], earlier)
    if not options.persistent then return keys end

    local commands, kept = {}, {}
    for i = 1, #keys do commands[i] = { "PTTL", keys[i] } end
    if cursor then commands[#keys + 1] = scan_on() end
    local replies = pipelined(commands)
    ahead = replies[#keys + 1]
    for i = 1, #keys do
      if replies[i] == -1 then kept[#kept + 1] = keys[i] end
    end
    return kept
  end
end

--- Keys by `match` (a glob or a list of globs), `type`, and `persistent` (only those without a TTL).
--- As SCAN has it: a key that is there all the time comes at least once, rarely twice.
function scan.keys(options)
  local patterns = type(options.match) == "table" and options.match or { options.match or "*" }
  local at, earlier, pages = 0, {}, function() return nil end
  return over_pages(function()
    local page = pages()
    while not page do
      if at > 0 then earlier[at] = patterns[at] end
      at = at + 1
      if not patterns[at] then return nil end
      pages = keys_like(patterns[at], earlier, options)
      page = pages()
    end
    return page
  end, 1)
end

--- Members of a sorted set with their scores, by score from `min` to `max` as ZRANGEBYSCORE takes them.
--- Members may be removed behind the walk: the next page begins after the last one seen, by score and
--- then by bytes, which is the order that Redis keeps; never at a rank, which a removal would shift.
function scan.zset(key, min, max)
  local last_member, last_score -- where we are
  local offset = 0              -- members at last_score that are behind us and still there
  local count, done = first_count, false

  local function is_behind(member, score) return score == last_score and member <= last_member end

  local function fetch()
    return read_or_report("ZRANGEBYSCORE", key, last_score or min, max, "WITHSCORES", "LIMIT", offset, count)
  end

  return over_pages(function()
    while not done do
      local page = fetch()
      if not page then return nil end
      local full, fresh = #page >= 2 * count, {}
      if offset > 0 and (not page[1] or not is_behind(page[1], page[2])) then
        offset = math.max(0, offset - count) -- some went meanwhile: look again further to the left
      else
        for i = 1, #page, 2 do
          if not (last_score and is_behind(page[i], page[i + 1])) then
            fresh[#fresh + 1] = page[i]
            fresh[#fresh + 1] = page[i + 1]
          end
        end
        if #fresh > 0 then
          last_member, last_score, offset = fresh[#fresh - 1], fresh[#fresh], 0
          done = not full
          count = next_count(count, fresh)
          return fresh
        end
        done, offset = not full, offset + count - 1 -- its last element shows whether some went
      end
    end
    return nil
  end, 2)
end

local function collection(verb, width)
  return function(key, options)
    local match = options and options.match or "*"
    return over_pages(cursor_pages(function(cursor, count)
      return read_or_report(verb, key, cursor, "MATCH", match, "COUNT", count)
    end), width)
  end
end

--- Members of a set; fields and values of a hash. At least once each, as SSCAN and HSCAN have it.
scan.set = collection("SSCAN", 1)
scan.hash = collection("HSCAN", 2)

--- Elements of a list, from its right end to its left. Elements may be removed behind the walk and pushed
--- on either side: each page begins beside an element that was seen, and where that one is gone the walk
--- steps back. So an element may come twice, but none is passed over, provided that they are distinct.
function scan.list(key)
  local passed, count = 0, first_count
  local seen, seen_before = {}, {} -- of the last page and the one before
  return over_pages(function()
    while true do
      local page = read_or_report("LRANGE", key, -passed - count, passed > 0 and -passed or -1)
      if not page then return nil end
      local beside = page[#page]
      if passed > 0 and not (seen[beside] or seen_before[beside]) then
        passed = math.max(0, passed - count)
      else
        local fresh, fresh_seen = {}, {}
        for i = passed > 0 and #page - 1 or #page, 1, -1 do
          fresh[#fresh + 1] = page[i]
          fresh_seen[page[i]] = true
        end
        if #fresh == 0 then return nil end
        passed, seen, seen_before = passed + #fresh, fresh_seen, seen
        count = next_count(count, fresh)
        return fresh
      end
    end
  end, 1)
end

local most_held = 50000

--- The same values as `iterator` has, each at least `grace` ms after the iterator gave it: so that `each`
--- takes a second look. It holds so many back at most that memory stays bounded.
function scan.after(grace, iterator)
  local held, first, last, done = {}, 1, 0, false
  local function take_next()
    local values = { iterator() }
    done = values[1] == nil
    if done then return end
    values.due = host.clock() + grace
    last = last + 1
    held[last] = values
  end
  return function()
    while not done and last - first < most_held and not (held[first] and held[first].due <= host.clock()) do
      take_next()
    end
    local values = held[first]
    if not values then return nil end
    held[first], first = nil, first + 1
    local left = values.due - host.clock()
    if left > 0 then host.wait(left) end
    return unpack(values)
  end
end

-- Scripts

local function declaration(kind)
  return function(fields)
    local problem = type(fields) ~= "table" and kind .. " takes a table: " .. kind .. "{...}" or nil
    return { kind = kind, fields = fields, problem = problem }
  end
end

task = declaration("task")
check = declaration("check")

local modules, loading = {}, {}

--- The module scripts/lib/x.lua for "lib.x".
function require(name)
  if modules[name] ~= nil then return modules[name] end
  if loading[name] then error("require '" .. name .. "': it requires itself", 2) end
  loading[name] = true
  local library = host.library(name)
  if library.problem then error(library.problem, 2) end
  local main, problem = host.compile(library.source, library.chunk)
  if not main then error(problem, 0) end
  local made, module = pcall(main, name)
  loading[name] = nil
  if not made then error(module, 0) end
  modules[name] = module or true
  return modules[name]
end

local runtime, declared, parameters = {}, nil, nil

local expected = {
  task = {
    params = "table", find = "function", each = "function", verify = "function", atomic = "boolean", engine = "string",
  },
  check = { params = "table", run = "function" },
}
local needed = { task = { "find", "each" }, check = { "run" } }

local function complain_about(made)
  local kinds = expected[made.kind]
  for name, value in pairs(made.fields) do
    local kind = kinds[name]
    if not kind then return made.kind .. "{} has no field '" .. tostring(name) .. "'" end
    if type(value) ~= kind then return made.kind .. "{}: " .. name .. " must be a " .. kind end
  end
  for _, name in ipairs(needed[made.kind]) do
    if not made.fields[name] then return made.kind .. "{} needs a function '" .. name .. "'" end
  end
  return nil
end

--- Runs the script's main chunk; what it declared, as plain data.
function runtime.open(source, chunk)
  local main, problem = host.compile(source, chunk)
  if not main then error(problem, 0) end
  local made = main()
  if type(made) ~= "table" or not expected[made.kind] then return { kind = "plain" } end
  problem = made.problem or complain_about(made)
  if problem then return { kind = made.kind, problem = problem } end
  declared = made.fields
  return {
    kind = made.kind,
    params = declared.params or {},
    atomic = declared.atomic or false,
    engine = declared.engine or "",
    verifies = declared.verify ~= nil,
  }
end

function runtime.begin(p) parameters = p end

function runtime.find() declared.find(parameters, host.emit) end

function runtime.each(...) return declared.each(parameters, ...) end

--- What the task's own verify says, with what the run did.
function runtime.verify(...)
  local run = { outcomes = {} }
  local told = { ... }
  for i = 1, #told, 2 do run.outcomes[told[i]] = tonumber(told[i + 1]) end
  local holds, reason = declared.verify(parameters, run)
  return holds ~= false, reason
end

function runtime.check() return declared.run(parameters) end

return runtime
