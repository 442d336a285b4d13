--- Starts the limiters of single clients anew, by removing what was counted for them.
---
--- Either `key`, names as they stand in Redis; or `client` with `prefix`: `<prefix><client>` (rate-limiter-flexible
--- with `rlflx:`, express-rate-limit with `rl:`), all of `<prefix><client>/...` that ends with a limit such as
--- `/5/1/minute` (python-limits with `LIMITER/`; since limits 3 with `LIMITS:LIMITER/`, for sliding windows
--- `LIMITS:{LIMITER/`), and `<prefix><number>:<name>:<client>` (rack-attack with `rack::attack:`, whose bans are
--- `<prefix>fail2ban:ban:<client>` and `<prefix>allow2ban:ban:<client>`). A block of rate-limiter-flexible is such a
--- key too, and ends with it. The names are taken literally, not as patterns. A limiter that is in use begins to
--- count again at once; that is no failure.
---
--- For rate-limiter-flexible 11, rate-limit-redis 6, python-limits 2.8 and 4.4, rack-attack 6.6 and others that
--- keep one key a client. Never touched: keys of another type than `type`, other clients.
local keys = require "lib.keys"
local limiter = require "lib.limiter"

--- The names that one client may have under a prefix, and the globs for those with something in between.
local function names(prefix, client)
  return { prefix .. client, prefix .. "fail2ban:ban:" .. client, prefix .. "allow2ban:ban:" .. client }
end

local function is_limit(name, head)
  return name:sub(1, #head) == head and limiter.limit_in(name:sub(#head)) ~= nil
end

local function is_counter(name, prefix, client)
  return name:sub(#prefix + 1):find("^%d+:") and name:sub(-#client - 1) == ":" .. client
end

local function check(p)
  if #p.key == 0 and #p.client == 0 then
    error("name a limiter: key=rl:203.0.113.7, or client=... with prefix=...", 0)
  end
  if #p.client > 0 and #p.prefix == 0 then error("client needs prefix, such as rl: or LIMITER/", 0) end
  for _, list in ipairs { p.client, p.prefix } do
    for _, word in ipairs(list) do
      if word == "" then error("client and prefix must not be empty", 0) end
    end
  end
end

local begun_anew = {} -- by an earlier pass of this run: what is there now was counted since

return task {
  params = {
    key    = { type = "string", list = true, default = {}, help = "names of the keys" },
    client = { type = "string", list = true, default = {}, help = "whose limiters" },
    prefix = { type = "string", list = true, default = {}, help = "what stands before the client" },
    type   = { type = "enum", list = true, default = { "string", "list", "zset" },
      values = { "string", "list", "zset", "hash" }, help = "types that the limiters have" },
  },

  find = function(p, emit)
    check(p)

    local function offer(name)
      if begun_anew[name] or redis.call("EXISTS", name) == 0 then return end
      begun_anew[name] = true
      emit(name)
    end

    local function search(prefix, client)
      for _, name in ipairs(names(prefix, client)) do offer(name) end
      local head = prefix .. client .. "/"
      for name in scan.keys { match = glob.escape(head) .. "*" } do
        if is_limit(name, head) then offer(name) end
      end
      for name in scan.keys { match = glob.escape(prefix) .. "*:" .. glob.escape(client) } do
        if is_counter(name, prefix, client) then offer(name) end
      end
    end

    for _, name in ipairs(p.key) do offer(name) end
    for _, prefix in ipairs(p.prefix) do
      for _, client in ipairs(p.client) do search(prefix, client) end
    end
  end,

  each = function(p, key)
    return atomically({ key }, function(write)
      local kind = redis.call("TYPE", key).ok
      if kind == "none" then return "gone" end
      if not keys.is_among(p.type, kind) then return "kept", "it is a " .. kind end
      write("UNLINK", key)
      return "removed"
    end)
  end,
}
