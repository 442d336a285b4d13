The daemon and the processes that it starts.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock" STATE_DIRECTORY=$PWD/state
  $ mkdir schedules
  $ cat > scripts/work.lua <<'EOS'
  > --- Works on, or fails until enough runs have begun.
  > return task {
  >   params = { fail = { type = "integer", default = 0, help = "how many" } },
  >   find = function(p, emit) for i = 1, 100000 do emit(tostring(i)) end end,
  >   each = function(p, i)
  >     redis.call("SADD", "runs", p.now)
  >     redis.call("INCR", "done")
  >     if redis.call("SCARD", "runs") <= p.fail then error("not yet") end
  >     return "kept"
  >   end,
  > }
  > EOS
  $ start_daemon() { : > log; setpriv --pdeathsig KILL moonshift daemon --scripts scripts "$@" </dev/null 2>>log & daemon=$!; servers+=($daemon); }
  $ stop_daemon() { kill -TERM $daemon; wait $daemon; }
  $ works() { local before=$(redis get done); eventually eval "((\$(redis get done) > ${before:-0}))"; }

A run that is killed harms nobody else, is told, and is tried again as often as its job says.

  $ printf '%s\n' 'every = "1s"' 'lease = "1s"' 'retries = 1' 'retry_delay = "10ms"' '[[step]]' 'script = "work"' 'rate = 100' '[notify]' 'exec = ["sh", "-c", "cat >> told"]' > schedules/work.toml
  $ start_daemon
  $ works; kill -KILL $(pgrep -P $daemon)
  $ eventually grep 'work .*: killed by signal 9 (Killed)' log
  $ eventually test -s told; fields exit_code verdict errors.0 < told
  exit_code = 1
  verdict = "critical"
  errors.0 = "killed by signal 9 (Killed)"
  $ works
  $ redis exists moonshift:lease:work
  1
  $ moonshift jobs --json | fields 0.last_run.running
  0.last_run.running = true

One that does not end in time is killed with all that it started.

  $ stop_daemon
  $ start_daemon --stop-timeout 200ms
  $ works; run=$(pgrep -P $daemon); kill -STOP $run
  $ stop_daemon
  $ grep -o 'work .*: it did not end in time' log | sed 's/ .*:/:/'
  work: it did not end in time
  $ kill -0 $run
  * No such process (glob)
  [1]

What was under way when the daemon was killed was cut off.

  $ start_daemon; works
  $ run=$(pgrep -P $daemon); kill -KILL $daemon $run; wait $daemon 2>/dev/null
  [137]
  $ moonshift jobs --json | fields 0.last_run.running 0.last_run.ending
  0.last_run.running = false
  0.last_run.ending = "cut off: the daemon or the host ended"
  $ start_daemon
  $ eventually grep 'work: run .* was cut off; it is run again' log
  $ works; stop_daemon

A run whose daemon is gone ends between two batches, and tells nobody's log.

  $ start_daemon; works
  $ run=$(pgrep -P $daemon); kill -KILL $daemon; wait $daemon 2>/dev/null
  [137]
  $ eventually eval '! kill -0 $run'
  $ redis exists moonshift:lease:work
  0

Retries wait longer each time.

  $ redis del runs done >/dev/null
  $ printf '%s\n' 'every = "1h"' 'catch_up = true' 'retries = 3' 'retry_delay = "10ms"' '[[step]]' 'script = "work"' 'params = { fail = 2 }' 'limit = 1' > schedules/work.toml
  $ rm state/state.json; start_daemon; eventually test -s state/state.json; stop_daemon
  $ sed -E -i 's/"(handled|scheduled)": "[^"]*"/"\1": "2026-01-01T00:00:00.000Z"/' state/state.json
  $ start_daemon
  $ eventually grep 'work .*: done, and verified' log
  $ grep -oE 'retry [0-9] of [0-9] in [0-9]+m?s' log
  retry 1 of 3 in 1s
  retry 2 of 3 in 1s
  $ redis scard runs
  3
  $ stop_daemon

What went wrong is in the log of a quiet daemon, too.

  $ printf '%s\n' 'every = "1s"' '[[step]]' 'script = "work"' 'params = { fail = 1000000 }' 'limit = 1' > schedules/work.toml
  $ TZ=Nowhere start_daemon --quiet
  $ eventually grep -E '^[^ ]+ warning: work [0-9TZ]+-[0-9a-f]{6}: a script or a step failed' log
  $ grep -v warning log; grep -o 'the environment variable TZ: .*' log
  the environment variable TZ: * (glob)
  $ stop_daemon

The first process of a container gets the orphans of others, and is ended by a signal like any other.

  $ printf '%s\n' 'every = "1s"' '[verify]' 'checks = ["memory"]' '[notify]' 'when = "always"' 'exec = ["sh", "-c", "(sleep 0.1; echo orphan >> orphans) & echo $PPID >> parents"]' > schedules/work.toml
  $ : > log
  $ alone=(--pid); ((EUID == 0)) || alone+=(--user --map-root-user)
  $ setpriv --pdeathsig KILL unshare "${alone[@]}" --fork --kill-child moonshift daemon --scripts scripts </dev/null 2>>log & container=$!; servers+=($container)
  $ eventually test -s orphans
  $ first=$(pgrep -P $container)
  $ eventually eval '! ps -o stat= --ppid $first | grep -q Z'
  $ eventually eval '(($(wc -l < orphans) > 1))'
  $ eventually eval '! ps -o stat= --ppid $first | grep -q Z'
  $ kill -TERM $first; wait $container
  $ grep -o 'stopping; . runs are to end within 30s' log
  stopping; * runs are to end within 30s (glob)

The service manager hears when it is ready, what comes next, that it lives, when it reads its jobs anew, and that it ends.

  $ cat > manager.py <<'EOS'
  > import socket, sys
  > with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard, open("told", "w", buffering=1) as told:
  >     heard.bind("manager.sock")
  >     while True: print(heard.recv(4096).decode(), file=told)
  > EOS
  $ printf '%s\n' 'every = "6h"' '[verify]' 'checks = ["memory"]' > schedules/work.toml
  $ python3 manager.py & servers+=($!)
  $ eventually test -S manager.sock
  $ NOTIFY_SOCKET=$PWD/manager.sock WATCHDOG_USEC=200000 start_daemon
  $ eventually eval '(($(grep -c WATCHDOG=1 told) >= 3))'
  $ kill -HUP $daemon; eventually grep RELOADING=1 told; eventually eval '(($(grep -c READY=1 told) == 2))'
  $ stop_daemon; eventually grep STOPPING=1 told
  $ grep -v WATCHDOG=1 told | uniq | sed -E 's/in [0-9hms]+$/in TIME/'
  READY=1
  STATUS=next: work in TIME
  RELOADING=1
  READY=1
  STATUS=next: work in TIME
  STOPPING=1
