--- What is left behind in Sidekiq's keys: how each kind is found, and how it is looked at again and put right.
local process = require "lib.sidekiq_process"
local sidekiq = require "lib.sidekiq"
local orphans = {}

local kinds = {}

--- Says what the thing is, or repairs it: `repair()` names the writes, and how it is called.
local function report_or(p, what, repair)
  if not p.repair then return "kept", what end
  return repair(), what
end

-- Processes that are registered but gone

kinds.process = {
  candidates = function(p)
    local members = scan.set(p.prefix .. "processes")
    return function()
      for identity in members do
        if redis.call("EXISTS", p.prefix .. identity) == 0 then return "process", identity end
      end
    end
  end,

  treat = function(p, identity)
    return atomically({ p.prefix .. identity }, function(write)
      if redis.call("EXISTS", p.prefix .. identity) == 1 then return "gone" end
      if redis.call("SISMEMBER", p.prefix .. "processes", identity) == 0 then return "gone" end
      return report_or(p, "a process that is registered, without a heartbeat", function()
        write("SREM", p.prefix .. "processes", identity)
        return "removed"
      end)
    end)
  end,
}

-- Process hashes without a TTL

kinds.immortal = {
  candidates = function(p)
    local keys = scan.keys { match = glob.escape(p.prefix) .. "*:*:*", type = "hash", persistent = true }
    return function()
      for key in keys do
        local identity = key:sub(#p.prefix + 1)
        if process.is_identity(identity) and process.info(p, identity) then return "immortal", identity end
      end
    end
  end,

  treat = function(p, identity)
    return atomically({ p.prefix .. identity }, function(write)
      if redis.call("PTTL", p.prefix .. identity) ~= -1 or not process.info(p, identity) then return "gone" end
      return report_or(p, "a process without a TTL, which no heartbeat leaves behind", function()
        write("EXPIRE", p.prefix .. identity, "60")
        return "repaired"
      end)
    end)
  end,
}

-- Signals for processes that are gone

local function identity_of_signals(p, key)
  local identity = key:sub(#p.prefix + 1, -#"-signals" - 1)
  return process.is_identity(identity) and identity or nil
end

local function are_for_nobody(p, key)
  return redis.call("PTTL", key) == -1 and redis.call("EXISTS", p.prefix .. identity_of_signals(p, key)) == 0
end

kinds.signals = {
  candidates = function(p)
    local keys = scan.keys { match = glob.escape(p.prefix) .. "*-signals", type = "list", persistent = true }
    return function()
      for key in keys do
        if identity_of_signals(p, key) and are_for_nobody(p, key) then return "signals", key end
      end
    end
  end,

  treat = function(p, key)
    return atomically({ key, p.prefix .. identity_of_signals(p, key) }, function(write)
      if not are_for_nobody(p, key) then return "gone" end
      return report_or(p, "signals for a process that is gone", function()
        write("UNLINK", key)
        return "removed"
      end)
    end)
  end,
}

-- Queues that are not registered

local function is_registered(p, queue) return redis.call("SISMEMBER", p.prefix .. "queues", queue) == 1 end

kinds.queue = {
  candidates = function(p)
    local head = p.prefix .. "queue:"
    local keys = scan.keys { match = glob.escape(head) .. "*", type = "list" }
    return function()
      for key in keys do
        local queue = key:sub(#head + 1)
        if not is_registered(p, queue) then return "queue", queue end
      end
    end
  end,

  treat = function(p, queue)
    local list = p.prefix .. "queue:" .. queue
    return atomically({ list, p.prefix .. "queues" }, function(write)
      local first = redis.call("LINDEX", list, -1)
      if not first or is_registered(p, queue) then return "gone" end
      local what = "a list of jobs that is not among the queues"
      local job, problem = sidekiq.parse(first)
      if not job then return "kept", what .. "; of its first member: " .. problem end
      return report_or(p, what, function()
        write("SADD", p.prefix .. "queues", queue)
        return "repaired"
      end)
    end)
  end,
}

-- Queues that nobody uses any more

--- The queues that live processes work on, as a table; nil if no process lives.
local function queues_in_use(p)
  local used, lives = {}, false
  for identity in scan.set(p.prefix .. "processes") do
    local info = process.info(p, identity)
    for _, queue in ipairs(info and info.queues or {}) do
      used[queue], lives = true, true
    end
  end
  return lives and used or nil
end

kinds.unused = {
  candidates = function(p)
    local used = queues_in_use(p)
    local names = scan.set(p.prefix .. "queues")
    return function()
      if not used then return nil end
      for queue in names do
        if not used[queue] and redis.call("EXISTS", p.prefix .. "queue:" .. queue) == 0 then return "unused", queue end
      end
    end
  end,

  treat = function(p, queue)
    local list = p.prefix .. "queue:" .. queue
    return atomically({ list }, function(write)
      if redis.call("EXISTS", list) == 1 or not is_registered(p, queue) then return "gone" end
      return report_or(p, "an empty queue that no process works on", function()
        write("SREM", p.prefix .. "queues", queue)
        return "removed"
      end)
    end)
  end,
}

-- Members that are no jobs

local function bad_members(p, set)
  local entries = sidekiq.entries(p, set)
  return function()
    for text in entries do
      if not sidekiq.parse(text) then return "member", set, text end
    end
  end
end

kinds.member = {
  treat = function(p, set, text)
    if not sidekiq.score(p, set, text) then return "gone" end
    local _, problem = sidekiq.parse(text)
    return "kept", "in the set " .. set .. ": " .. (problem or "a job")
  end,
}

--- Iterates over kind, name and, for a member of a set, its text: all that looks left behind.
function orphans.candidates(p)
  local walks = { bad_members(p, "retry"), bad_members(p, "schedule") }
  for _, kind in ipairs { "process", "immortal", "signals", "queue", "unused" } do
    walks[#walks + 1] = kinds[kind].candidates(p)
  end
  local at = 1
  return function()
    while walks[at] do
      local kind, name, text = walks[at]()
      if kind then return kind, name, text end
      at = at + 1
    end
  end
end

--- Looks at one again; what it is, and what was done.
function orphans.treat(p, kind, name, text) return kinds[kind].treat(p, name, text) end

return orphans
