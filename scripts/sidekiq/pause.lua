--- Tells Sidekiq processes to be quiet: they finish what they run and take no new jobs, until they are restarted.
---
--- Sidekiq's own switch (api.rb, Process#quiet!): the signal TSTP, pushed to `<identity>-signals`, which the process
--- reads with a heartbeat. So it takes up to 10 s in Sidekiq 6 and 20 s in 7 until it shows `quiet`. Jobs stay in their
--- queues, and can be added. There is no way back but a restart of the process, so there is no `resume`; a process that
--- is started afterwards is not quiet. A process that works on one of the named `queues` stops with all of its queues:
--- without Sidekiq Pro no single queue can be paused.
---
--- The signal is pushed twice: the second one is read with the heartbeat that shows `quiet`, so that a second run,
--- or the verification, knows that the process was told. To be told twice does no harm (launcher.rb, quiet).
---
--- For Sidekiq 6 and 7, while workers run. Both engines. Never touched: queues, jobs, processes embedded in another
--- program, which do not take signals (Sidekiq 7). Facts from launcher.rb and api.rb.
local process = require "lib.sidekiq_process"

--- Whether a process works on a queue that `p.queues` names.
local function works_on(p, info)
  if p.queues == "*" then return true end
  for _, queue in ipairs(info and info.queues or {}) do
    if glob.match(p.queues, queue) then return true end
  end
  return false
end

return task {
  params = {
    prefix = { type = "string", default = "",  help = "the redis-namespace with its colon, such as app:" },
    queues = { type = "glob",   default = "*", help = "processes that work on such a queue, by name" },
  },

  find = function(p, emit)
    for identity in scan.set(p.prefix .. "processes") do
      local info = process.info(p, identity)
      if info and works_on(p, info) and not process.is_quiet(p, identity) then emit(identity) end
    end
  end,

  each = function(p, identity)
    local signals = process.signals_key(p, identity)
    return atomically({ p.prefix .. identity, signals }, function(write)
      local info = process.info(p, identity)
      if not info then return "gone" end
      if process.is_quiet(p, identity) then return "kept", "it has been told already" end
      if info.embedded then return "kept", "it is embedded in another program and takes no signals" end
      write("LPUSH", signals, "TSTP", "TSTP")
      write("EXPIRE", signals, "60")
      return "paused"
    end)
  end,
}
