--- The jobs of Sidekiq processes that crashed: the record of a process's running jobs outlives it for a while.
local json = require "lib.json"
local process = require "lib.sidekiq_process"
local sidekiq = require "lib.sidekiq"
local crash = {}

local heartbeat_ttl, preserved_ttl = 60000, 600000 -- of a record, from the heartbeat on that wrote it
local longest_pause = 15000 -- between two heartbeats, with some delay

--- How long ago a record was written, in ms, also if it was preserved since. One without a TTL: for ever, for a
--- heartbeat writes both in one step.
local function age(record)
  local ttl = redis.call("PTTL", record)
  if ttl < 0 then return math.huge end
  return (ttl > heartbeat_ttl and preserved_ttl or heartbeat_ttl) - ttl
end

--- For how long a process has not been heard of, by its hash and by its record; nil if that cannot be told. The
--- record alone tells of one that is at its first heartbeat, or that never gets as far as the hash: a heartbeat
--- writes the hash last, and one that fails in between does not end the process.
local function silence_of(p, identity, record)
  local silence = process.silence(p, identity)
  return silence and math.min(silence, age(record))
end

--- Whether a process has been silent for so long that the operator takes it for dead.
function crash.is_dead(p, identity, record)
  local silence = silence_of(p, identity, record)
  return silence ~= nil and silence >= p.silent_for
end

--- Whether a heartbeat is missing, or whether there is one cannot be told.
function crash.is_silent(p, identity, record)
  local silence = silence_of(p, identity, record)
  return silence == nil or silence >= longest_pause
end

-- Records

--- Whether a record will be gone as soon as its process is known to be dead.
function crash.is_short_lived(record)
  local ttl = redis.call("PTTL", record)
  return ttl >= 0 and ttl <= heartbeat_ttl
end

--- Lets a record outlive its process. The next heartbeat of a live one makes it anew, with its own TTL.
function crash.preserve(p, record)
  local identity = process.of_work(p, record)
  return atomically({ record }, function(write)
    if crash.is_short_lived(record) then
      write("PEXPIRE", record, string.format("%.0f", preserved_ttl - age(record)))
    end
    if not crash.is_silent(p, identity, record) then return "kept", "its process lives" end
    if not process.silence(p, identity) then return "kept", "its process has no TTL: whether it lives is not known" end
    return "kept", "its process is silent, but not for long enough: run it again in a minute"
  end)
end

-- What became of a job

--- Notes in `known`, by jid, what else is known of the jobs in it.
local function look_into_set(p, set, known, what)
  for text in sidekiq.entries(p, set) do
    for jid in text:gmatch('"jid"%s*:%s*"([^"]*)"') do
      if known[jid] then known[jid] = what end
    end
  end
end

local function look_at_live_processes(p, known)
  for record, identity in process.works(p) do
    if not crash.is_dead(p, identity, record) then
      for _, entry in scan.hash(record) do
        local running = process.running(entry)
        if running and known[running.job.jid] then known[running.job.jid] = "it runs in another process" end
      end
    end
  end
end

--- What is known of a job that is in the records of two processes: put back by the first when that was killed as it
--- ended (launcher.rb, stop), it was taken by the other.
crash.twice = "another process that crashed had it, too"

--- Calls emit(record, thread, known) for each job in the records of dead processes, of the wanted queues; `known` is
--- what else became of it, or empty. Remembers only jids: as many as dead processes had threads.
function crash.each_lost_job(p, records, emit)
  local known = {}
  for _, record in ipairs(records) do
    for _, entry in scan.hash(record) do
      local running = process.running(entry)
      if running then known[running.job.jid] = "" end
    end
  end
  look_into_set(p, "retry", known, "it has failed since: it is in the retry set")
  look_into_set(p, "dead", known, "it has failed since: it is in the dead set")
  look_at_live_processes(p, known)
  local places = {} -- a walk may come to the same one twice
  local function what_became(running, place)
    if not running then return "" end
    local jid = running.job.jid
    places[jid] = places[jid] or place
    if known[jid] == "" and places[jid] ~= place then return crash.twice end
    return known[jid] or ""
  end
  for _, record in ipairs(records) do
    for thread, entry in scan.hash(record) do
      local running = process.running(entry)
      if not running or p.queues == "*" or glob.match(p.queues, running.queue) then
        emit(record, thread, what_became(running, record .. " " .. thread))
      end
    end
  end
end

-- Putting back

--- Takes a job out of the record of a dead process that is put back for another one.
function crash.forget(p, record, thread)
  local identity = process.of_work(p, record)
  return atomically({ p.prefix .. identity, record }, function(write)
    if redis.call("HEXISTS", record, thread) == 0 then return "gone" end
    if not crash.is_dead(p, identity, record) then return "kept", "its process lives" end
    write("HDEL", record, thread)
    return "removed", crash.twice
  end)
end

--- How deep at the front of a queue we look for a job that its own process has put back (bulk_requeue).
local front = 1000

local function waits_at_the_front(p, running)
  local list = p.prefix .. "queue:" .. running.queue
  return redis.call("LPOS", list, running.text, "RANK", -1, "MAXLEN", front) and true
end

--- The job with one more in its count of crashes, and that count.
local function count_crash(running)
  local times = running.job.requeued_after_crash
  times = (type(times) == "number" and times or 0) + 1
  return json.set(running.text, string.format("%.0f", times), "requeued_after_crash"), times
end

--- Puts one job back to the front of its queue (fetch.rb, UnitOfWork#requeue), or into the dead set if that has been
--- done too often (job_retry.rb, send_to_morgue), if its process is still dead. A process that comes back to life
--- writes its hash and its record: these are watched. The queue need not be: only the dead process could have put
--- this very job there. The record's entry goes last.
function crash.requeue(p, record, thread)
  local identity = process.of_work(p, record)
  return atomically({ p.prefix .. identity, record }, function(write)
    local entry = redis.call("HGET", record, thread)
    if not entry then return "gone" end
    if not crash.is_dead(p, identity, record) then return "kept", "its process lives" end
    local running, problem = process.running(entry)
    problem = problem or sidekiq.queue_problem(p, running.queue)
    if problem then return "kept", problem end
    if waits_at_the_front(p, running) then return "kept", "it waits in its queue" end

    local text, times = count_crash(running)
    if times > p.most_times then
      write("ZADD", p.prefix .. "dead", string.format("%.3f", p.now / 1000), running.text)
      write("HDEL", record, thread)
      return "buried", "its process has crashed more than " .. p.most_times .. " times"
    end
    write("SADD", p.prefix .. "queues", running.queue)
    write("RPUSH", p.prefix .. "queue:" .. running.queue, text)
    write("HDEL", record, thread)
    return "requeued"
  end)
end

return crash
