-- The world of tasks in the server engine: this file, the libraries and the task are one EVALSHA script
-- (see bundle.cpp). It treats one batch of items, each under its own pcall, and answers three values for each
-- one: 1, outcome, reason, or 0, error, nil. ARGV: see server_engine.cpp. The local engine's counterpart
-- is runtime.lua.

local server, pcall_server = redis, redis.pcall

local function explain(text, verb, key)
  if key == nil then return text .. " (" .. tostring(verb) .. ")" end
  return text .. " (" .. tostring(verb) .. " " .. tostring(key):sub(1, 200) .. ")"
end

--- An error that every further write would meet too; the batch ends with it.
local fatal
local fatal_codes = { READONLY = true, MISCONF = true }

local function note_fatal(text)
  if fatal_codes[text:match("^%u+")] then fatal = text end
end

local function call(...)
  local reply = pcall_server(...)
  if type(reply) == "table" and reply.err then
    note_fatal(reply.err)
    error(explain(reply.err, ...), 2)
  end
  return reply
end

local redis = setmetatable({ call = call }, { __index = server })

local function pipelined(commands)
  local replies = {}
  for i, command in ipairs(commands) do replies[i] = call(unpack(command)) end
  return replies
end

--- Refuses what EXEC refuses as a whole: an item with a command that this user may not run (Redis 7 tells that ahead).
local function require_permission(writes)
  if not server.acl_check_cmd then return end
  for _, command in ipairs(writes) do
    if not server.acl_check_cmd(unpack(command)) then
      error(explain("NOPERM this user may not run a command of this item", unpack(command)), 3)
    end
  end
end

--- Here nothing can come in between; the rest is as in the local engine: all reads, then all writes, and
--- one that fails does not keep the others from happening, as EXEC has it. What EXEC does not even begin is not
--- begun here either: what is not permitted, and what needs memory above maxmemory (the first write meets that).
local function atomically(_, decide)
  local writes, failure = {}, nil
  local function write(...) writes[#writes + 1] = { ... } end
  local outcome, reason = decide(write, function() end)
  require_permission(writes)
  for _, command in ipairs(writes) do
    local reply = pcall_server(unpack(command))
    if type(reply) == "table" and reply.err then
      note_fatal(reply.err)
      failure = failure or explain(reply.err, unpack(command))
      if reply.err:find("^OOM") then break end
    end
  end
  if failure then error(failure, 2) end
  return outcome, reason
end

local function only_in_find(name)
  return setmetatable({}, {
    __index = function() error(name .. " is for find, which always runs in the local engine", 2) end,
  })
end

local scan, glob = only_in_find("scan"), only_in_find("glob")
local function task(fields) return fields end
local check = task

local modules, loaded = {}, {}
local function require(name)
  if loaded[name] == nil then loaded[name] = modules[name](name) or true end
  return loaded[name]
end
