--- Gives a TTL to the replies of Celery's remote control that nobody has read.
---
--- A worker answers `celery inspect` and app.control by pushing to a list of the asking process,
--- `<uuid>.reply.celery.pidbox`. When that process has gone, or reads no more, the list stays for ever. One without a
--- TTL gets one: whoever still waits for it reads it within a second, so `expire_in` takes nothing from anybody.
---
--- For Celery 5 (5.2 and 5.5), while workers run and are inspected. Both engines. Never touched: lists with a TTL, and
--- the bindings of these lists in `_kombu.binding.reply.celery.pidbox`: a process that lives binds its list only
--- once, so it would never be answered again. Facts from kombu/pidbox.py.
local uuid = "%x%x%x%x%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x"

local function is_reply_list(p, key)
  local tail = ".reply." .. p.exchange .. ".pidbox"
  return key:sub(1, #p.prefix) == p.prefix and key:sub(-#tail) == tail
    and key:sub(#p.prefix + 1, -#tail - 1):find("^" .. uuid .. "$") ~= nil
end

return task {
  params = {
    prefix    = { type = "string",   default = "",       help = "the broker's global_keyprefix" },
    exchange  = { type = "string",   default = "celery", help = "the app's control_exchange" },
    expire_in = { type = "duration", default = "1h",     help = "TTL to give" },
  },

  find = function(p, emit)
    local pattern = glob.escape(p.prefix) .. "*.reply." .. glob.escape(p.exchange) .. ".pidbox"
    for key in scan.keys { match = pattern, type = "list", persistent = true } do
      if is_reply_list(p, key) then emit(key) end
    end
  end,

  each = function(p, key)
    return atomically({ key }, function(write)
      local ttl = redis.call("PTTL", key)
      if ttl == -2 then return "gone" end
      if ttl >= 0 then return "kept", "it has a TTL now" end
      write("PEXPIRE", key, p.expire_in)
      return "repaired", "it has a TTL now"
    end)
  end,
}
