What a timer starts: `moonshift job --scheduled`.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock"
  $ mkdir schedules
  $ cat > scripts/count.lua <<'EOS'
  > --- Counts its runs, of which the first ones fail.
  > return task {
  >   params = { fail = { type = "integer", default = 0, help = "how many" } },
  >   find = function(p, emit) emit("runs") end,
  >   each = function(p, key)
  >     redis.call("SADD", key, p.now)
  >     if redis.call("SCARD", key) <= p.fail then error("not yet") end
  >     return "kept"
  >   end,
  > }
  > EOS
  $ job() { printf '%s\n' 'every = "1h"' "${@:2}" '[[step]]' 'script = "count"' > schedules/$1.toml; }
  $ scheduled() { moonshift job --scheduled --scripts scripts "$@"; }
  $ last_run() { moonshift jobs --json | fields 0.last_run.exit_code 0.last_run.ending 0.last_run.running; }

It runs the job, and `moonshift jobs` knows.

  $ job hourly
  $ moonshift jobs --json | fields 0.last_run
  0.last_run = null
  $ scheduled hourly >/dev/null
  $ redis scard runs
  1
  $ last_run
  0.last_run.exit_code = 0
  0.last_run.ending = "done, and verified"
  0.last_run.running = false

A run that fails is tried again as often as the job says.

  $ redis del runs
  1
  $ job hourly 'retries = 2' 'retry_delay = "50ms"'
  $ echo 'params = { fail = 2 }' >> schedules/hourly.toml
  $ scheduled hourly 2>&1 >/dev/null | sed -E 's/^[^ ]+ //'
  warning: hourly: a script or a step failed; retry 1 of 2 in 1s
  warning: hourly: a script or a step failed; retry 2 of 2 in 1s
  $ redis scard runs
  3
  $ sed -i 's/fail = 2/fail = 9/' schedules/hourly.toml
  $ scheduled hourly >/dev/null 2>&1
  [1]
  $ redis scard runs
  6
  $ last_run
  0.last_run.exit_code = 1
  0.last_run.ending = "a script or a step failed"
  0.last_run.running = false

By hand it is tried once.

  $ moonshift job hourly --scripts scripts >/dev/null 2>&1
  [1]
  $ redis scard runs
  7

What another host has run for that time is not run again here, nor tried again.

  $ job hourly 'retries = 5'
  $ redis get moonshift:ran:hourly | sed -E "s/ $(hostname)$/ this host/; s/^[0-9-]+T[0-9]+:00:00.000Z/TIME/"
  TIME this host
  $ redis set moonshift:ran:hourly "2199-01-01T00:00:00.000Z web2" >/dev/null
  $ scheduled hourly | grep error
  error: web2 has run the job for 2199-01-01T00:00:00.000Z already
  [6]
  $ last_run
  0.last_run.exit_code = 6
  0.last_run.ending = "nothing done: another run holds the lock"
  0.last_run.running = false
  $ redis scard runs
  7

By hand it is, and so is what that host has not come to.

  $ moonshift job hourly --scripts scripts --quiet
  $ redis set moonshift:ran:hourly "2026-01-01T00:00:00.000Z web2" >/dev/null
  $ scheduled hourly >/dev/null
  $ redis scard runs
  9

A Redis that is gone is waited for, and nobody is told meanwhile; not for ever.

  $ job hourly 'timeout = "1m"'
  $ printf '[notify]\nexec = ["sh", "-c", "cat >> told"]\n' >> schedules/hourly.toml
  $ kill -KILL ${servers[0]}; eventually eval '! redis ping'; rm -f redis.sock
  $ : > log; moonshift job hourly --scheduled --scripts scripts >/dev/null 2>log & job=$!
  $ eventually grep 'Redis is gone; the job waits for it' log
  $ moonshift jobs --json | fields 0.last_run.running 0.last_run.exit_code
  0.last_run.running = false
  0.last_run.exit_code = 0
  $ start_redis redis
  $ wait $job
  $ redis scard runs
  1
  $ test -e told
  [1]
  $ sed -i 's/"1m"/"1s"/' schedules/hourly.toml
  $ kill -KILL ${servers[1]}; eventually eval '! redis ping'; rm -f redis.sock
  $ scheduled hourly 2>&1 >/dev/null | sed -E 's/^[^ ]+ //'
  warning: */redis.sock: Redis is gone; the job waits for it (glob)
  */redis.sock: * (glob)
  [3]
  $ fields exit_code < told
  exit_code = 3
  $ last_run
  0.last_run.exit_code = 3
  0.last_run.ending = "Redis cannot be reached, or is not usable"
  0.last_run.running = false
  $ rm told

A signal ends the waiting.

  $ sed -i 's/"1s"/"1m"/; /notify/,$d' schedules/hourly.toml
  $ : > log; moonshift job hourly --scheduled --scripts scripts >/dev/null 2>log & job=$!
  $ eventually grep 'Redis is gone; the job waits for it' log
  $ kill -TERM $job; wait $job
  [4]

A run that was killed was cut off. A rehearsal is no run.

  $ start_redis redis
  $ cat > scripts/count.lua <<'EOS'
  > return task {
  >   find = function(p, emit) for i = 1, 100000 do emit(tostring(i)) end end,
  >   each = function(p, i) redis.call("INCR", "long") return "kept" end,
  > }
  > EOS
  $ echo 'rate = 100' >> schedules/hourly.toml
  $ moonshift job hourly --scheduled --scripts scripts >/dev/null 2>&1 & job=$!
  $ eventually eval '(($(redis get long) > 10))'
  $ moonshift jobs --json | fields 0.last_run.running 0.last_run.ending
  0.last_run.running = true
  0.last_run.ending = ""
  $ kill -KILL $job; wait $job 2>/dev/null
  [137]
  $ last_run
  0.last_run.exit_code = -1
  0.last_run.ending = "cut off: the daemon or the host ended"
  0.last_run.running = false
  $ scheduled hourly --dry-run --timeout 1s >/dev/null
  [4]
  $ moonshift job hourly --scripts scripts --url scratch: --timeout 1s >/dev/null 2>&1
  [4]
  $ moonshift jobs --json | fields 0.last_run.exit_code
  0.last_run.exit_code = -1
