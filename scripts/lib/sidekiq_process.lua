--- Sidekiq's processes in Redis, and the jobs that they run.
-- A process renews its hash `<host>:<pid>:<nonce>` with each heartbeat, every 5 s in Sidekiq 6 and every 10 s in 7,
-- each time with a TTL of 60 s, and writes anew what its threads run: the hash `<identity>:workers` in 6, `:work` in
-- 7, with the same TTL (launcher.rb). The set `processes` has the identities, until somebody takes out those whose
-- hash is gone (api.rb, ProcessSet#cleanup).
local json = require "lib.json"
local sidekiq = require "lib.sidekiq"
local process = {}

local lifetime = 60000 -- of both hashes, from each heartbeat on

local nonce = ":%d+:%x%x%x%x%x%x%x%x%x%x%x%x$"

--- Whether a name is that of a process: host, pid and twelve hexadecimal digits (component.rb, util.rb).
function process.is_identity(name) return name:find("^.+" .. nonce) ~= nil end

--- The identity of the process whose running jobs a key holds, by its name; nil if it is another key.
function process.of_work(p, key)
  local identity = key:match("^(.+):workers$") or key:match("^(.+):work$")
  identity = identity and identity:sub(#p.prefix + 1)
  return identity and process.is_identity(identity) and identity or nil
end

--- For how long a process has sent no heartbeat, in ms by Redis's own clock: what is missing of its hash's TTL. One
--- whose hash is gone: at least 60 s, which is what Sidekiq takes for dead. nil if the hash has no TTL.
function process.silence(p, identity)
  local ttl = redis.call("PTTL", p.prefix .. identity)
  if ttl == -2 then return lifetime end
  if ttl == -1 then return nil end
  return math.max(0, lifetime - ttl)
end

--- Iterates over key, identity of all records of running jobs. They are looked for among all keys: the set
--- `processes` forgets the dead.
function process.works(p)
  local keys = scan.keys { match = glob.escape(p.prefix) .. "*:work*", type = "hash" }
  return function()
    for key in keys do
      local identity = process.of_work(p, key)
      if identity then return key, identity end
    end
  end
end

--- What a process said of itself, decoded: queues, embedded, version (Launcher#to_data); nil if it is gone.
function process.info(p, identity)
  local info = redis.call("HGET", p.prefix .. identity, "info")
  local decoded, data = pcall(cjson.decode, info or "")
  return decoded and type(data) == "table" and data or nil
end

--- The list of signals for a process, which reads one with each heartbeat (launcher.rb).
function process.signals_key(p, identity) return p.prefix .. identity .. "-signals" end

--- Whether a process takes no new jobs, or is about to be told so.
function process.is_quiet(p, identity)
  if redis.call("HGET", p.prefix .. identity, "quiet") == "true" then return true end
  local waiting = redis.call("LRANGE", process.signals_key(p, identity), 0, 99)
  for _, signal in ipairs(waiting) do
    if signal == "TSTP" then return true end
  end
  return false
end

--- A running job as a process recorded it: its queue, its own bytes as `text`, and what they mean as `job`; nil and
--- why if it is not understood (processor.rb, Processor#stats).
function process.running(entry)
  local queue, text = json.string(json.get(entry, "queue")), json.string(json.get(entry, "payload"))
  if not queue or queue == "" or not text then return nil, "its layout is unknown" end
  local job, problem = sidekiq.parse(text)
  if not job then return nil, problem end
  return { queue = queue, text = text, job = job }
end

return process
