A run that must end early ends: by its deadline whatever the script does, and by a signal between items.
Exit code 4; what was in flight is completed and told; run again, it goes on.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis --busy-reply-threshold 50
  $ export REDIS_URL="unix://$PWD/redis.sock"

The deadline

--timeout ends a script that never ends by itself, and a pcall around it does not help. On the server it
takes SCRIPT KILL. What was under way is told as interrupted; it is neither done nor failed.

  $ cat > scripts/each.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key) while true do end end,
  > }
  > EOF
  $ cat > scripts/each_pcall.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key)
  >     while true do pcall(function() while true do end end) end
  >   end,
  > }
  > EOF
  $ fill 2
  $ for script in each each_pcall; do
  >   for engine in local server; do
  >     timeout 10 moonshift run $script --scripts scripts --engine $engine --timeout 200ms 2>/dev/null | told | grep -v 'it was in'
  >   done
  > done; redis dbsize
  each
    found 2: 2 interrupted, 0 failed
    stopped: the time was up* (glob)
    not verified
  each
    found 2: 2 interrupted, 0 failed
    stopped: the time was up* (glob)
    not verified
  each_pcall
    found 2: 2 interrupted, 0 failed
    stopped: the time was up* (glob)
    not verified
  each_pcall
    found 2: 2 interrupted, 0 failed
    stopped: the time was up* (glob)
    not verified
  2
  $ moonshift run each --scripts scripts --timeout 200ms --json | fields stopped interrupted failed exit_code
  stopped = "deadline"
  interrupted = 2
  failed = 0
  exit_code = 4
  [4]

It says where the script was: a place in the author's file, and none of our own.

  $ moonshift run each_pcall --scripts scripts --timeout 200ms | grep 'it was in'
      it was in scripts/each_pcall.lua:* (glob)
  [4]
  $ for engine in local server; do
  >   moonshift run each_pcall --scripts scripts --engine $engine --timeout 200ms 2>&1 | grep -E 'moonshift:[0-9]+|in stopped'
  > done
  [1]

The same in find, in a task's own verify, and in a check.

  $ cat > scripts/find.lua <<'EOF'
  > return task {
  >   find = function(p, emit) while true do pcall(function() while true do end end) end end,
  >   each = function(p, key) return "removed" end,
  > }
  > EOF
  $ cat > scripts/verify.lua <<'EOF'
  > return task {
  >   find = function(p, emit) end,
  >   each = function(p, key) return "removed" end,
  >   verify = function(p, run) while true do end end,
  > }
  > EOF
  $ for script in find verify; do
  >   for engine in local server; do
  >     timeout 10 moonshift run $script --scripts scripts --engine $engine --timeout 200ms | told | grep -E '^ +(stopped|not verified|NOT verified)' || echo "[$?]"
  >   done
  > done
    stopped: the time was up* (glob)
    not verified
  [4]
    stopped: the time was up* (glob)
    not verified
  [4]
    stopped: the time was up* (glob)
    not verified
  [4]
    stopped: the time was up* (glob)
    not verified
  [4]
  $ mkdir scripts/checks
  $ echo 'return check { run = function(p) while true do end end }' > scripts/checks/endless.lua
  $ timeout 10 moonshift verify endless --scripts scripts --timeout 200ms | tail -1
  run * took *: stopped early; running it again resumes (glob)
  [4]

A find that never runs out of items is ended, and so is one that waits for Redis again and again.

  $ cat > scripts/more.lua <<'EOF'
  > return task {
  >   find = function(p, emit) while true do emit("item") end end,
  >   each = function(p, key) redis.call("PING"); return "kept" end,
  > }
  > EOF
  $ for engine in local server; do
  >   timeout 10 moonshift run more --scripts scripts --engine $engine --timeout 200ms --json | fields stopped exit_code || echo "[$?]"
  > done
  stopped = "deadline"
  exit_code = 4
  [4]
  stopped = "deadline"
  exit_code = 4
  [4]

A script that has written cannot be killed by SCRIPT KILL: it is waited for, Redis is not shot down, and
what it did is told.

  $ cat > scripts/written.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key)
  >     redis.call("DEL", key)
  >     if key == "k:1" then
  >       local ends = redis.call("TIME")
  >       ends = ends[1] * 1000000 + ends[2] + 600000
  >       repeat local now = redis.call("TIME") until now[1] * 1000000 + now[2] >= ends
  >     end
  >     return "removed"
  >   end,
  > }
  > EOF
  $ timeout 10 moonshift run written --scripts scripts --engine server --timeout 200ms --json 2>log | fields stopped outcomes interrupted
  stopped = "deadline"
  outcomes = {"removed": 2}
  interrupted = 0
  [4]
  $ grep -c 'cannot be ended by SCRIPT KILL' log
  1
  $ redis dbsize
  0

Where the user may not end it, the run does not wait for ever.

  $ fill 2; redis acl setuser runner on nopass '~*' '&*' +@all '-script|kill' >/dev/null
  $ timeout 20 moonshift run each --scripts scripts --engine server --timeout 200ms --url "unix://runner:x@$PWD/redis.sock" 2>log >/dev/null
  [3]
  $ grep -c 'cannot be ended by SCRIPT KILL: NOPERM' log
  1
  $ redis script kill
  OK
  $ idle() { redis ping | grep PONG; }; eventually idle; redis del k:1 k:2
  2

A job's own timeout ends its steps; no later step and no check begins.

  $ mkdir schedules; cat > schedules/short.toml <<'EOF'
  > timeout = "200ms"
  > [[step]]
  > script = "find"
  > [[step]]
  > script = "verify"
  > [verify]
  > checks = ["clients"]
  > EOF
  $ moonshift job short --scripts scripts --json > report
  [4]
  $ < report python3 -c 'import json, sys; r = json.load(sys.stdin); print([s["script"] for s in r["steps"]], r["findings"], r["exit_code"])'
  ['find'] [] 4
  $ moonshift job short --scripts scripts --timeout 10ms --json | fields steps.0.stopped
  steps.0.stopped = "deadline"
  [4]

Signals

SIGINT and SIGTERM: no new item begins, those under way are completed, and the next run does the rest.

  $ cat > scripts/slow.lua <<'EOF'
  > local function spend(steps) for _ = 1, steps do end end
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key)
  >     spend(300000)
  >     redis.call("DEL", key)
  >     return "removed"
  >   end,
  > }
  > EOF
  $ begun() { [ "$(redis dbsize)" -lt 2000 ]; }
  $ for signal in INT TERM; do
  >   for engine in local server; do
  >     redis flushall >/dev/null; fill 2000
  >     moonshift run slow --scripts scripts --engine $engine --json > report & run=$!
  >     eventually begun; kill -$signal $run; wait $run; echo "$signal $engine: exit code $?"
  >     < report fields stopped failed interrupted
  >     python3 -c 'import json, sys; r = json.load(open("report")); done = r["outcomes"]["removed"]; left = int(sys.argv[1]); print(done + left, 0 < left < 2000, done == r["found"])' $(redis dbsize)
  >   done
  > done
  INT local: exit code 4
  stopped = "signal"
  failed = 0
  interrupted = 0
  2000 True True
  INT server: exit code 4
  stopped = "signal"
  failed = 0
  interrupted = 0
  2000 True True
  TERM local: exit code 4
  stopped = "signal"
  failed = 0
  interrupted = 0
  2000 True True
  TERM server: exit code 4
  stopped = "signal"
  failed = 0
  interrupted = 0
  2000 True True
  $ sed -i 's/spend(300000)/spend(1)/' scripts/slow.lua
  $ moonshift run slow --scripts scripts --json | fields failed verification.holds exit_code; redis dbsize
  failed = 0
  verification.holds = true
  exit_code = 0
  0

A person is told so.

  $ sed -i 's/spend(1)/spend(300000)/' scripts/slow.lua; fill 2000
  $ moonshift run slow --scripts scripts > report & run=$!
  $ eventually begun; kill -INT $run; wait $run
  [4]
  $ grep -E 'stopped|^run' report
    stopped by a signal; run it again to go on
  run * took *: stopped early; running it again resumes (glob)

A script that does not come to its end holds nobody up: two seconds after the signal all that is under way is
interrupted, and a second signal ends everything at once.

  $ redis flushall >/dev/null; fill 5
  $ cat > scripts/told.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key) redis.call("SET", "begun", "x"); while true do end end,
  > }
  > EOF
  $ has_begun() { redis exists begun | grep 1; }
  $ moonshift run told --scripts scripts --json > report & run=$!
  $ eventually has_begun; kill -TERM $run; SECONDS=0; wait $run
  [4]
  $ [ $SECONDS -lt 5 ]
  $ < report fields stopped interrupted
  stopped = "signal"
  interrupted = 5

  $ catches_term() { [ "$(cat /proc/$run/comm)" = moonshift ] && (( 0x$(sed -n 's/^SigCgt:\t//p' /proc/$run/status) & 1 << 14 )); }
  $ has_seen_it() { ! catches_term; }
  $ redis del begun >/dev/null; moonshift run told --scripts scripts > report & run=$!
  $ eventually has_begun; kill -TERM $run
  $ eventually has_seen_it; kill -TERM $run
  $ { wait $run; } 2>/dev/null
  [143]

A signal that comes before the first step, or between two, is no success: what was skipped was not done.

  $ kill -STOP ${servers[0]}
  $ moonshift run slow --scripts scripts --json > report & run=$!
  $ eventually catches_term; kill -TERM $run; eventually has_seen_it
  $ kill -CONT ${servers[0]}; wait $run
  [4]

A Redis that does not answer (a host that swaps, a network that is gone) holds nobody up either.

  $ kill -STOP ${servers[0]}
  $ timeout --signal KILL 3 moonshift run slow --scripts scripts --timeout 200ms >/dev/null 2>&1
  \[[34]\] (re)
  $ moonshift run slow --scripts scripts >/dev/null 2>&1 & run=$!
  $ eventually catches_term; kill -TERM $run
  $ ends() { ! kill -0 $run; }
  $ eventually ends || kill -KILL $run; { wait $run; } 2>/dev/null
  \[[34]\] (re)
  $ kill -CONT ${servers[0]}

In the middle of a run, too: what had been done by then is told.

  $ redis flushall >/dev/null; fill 2000
  $ moonshift run slow --scripts scripts --timeout 2s --json > report & run=$!
  $ eventually begun; kill -STOP ${servers[0]}
  $ eventually ends || kill -KILL $run; { wait $run; } 2>/dev/null
  \[[34]\] (re)
  $ kill -CONT ${servers[0]}
  $ < report fields outcomes.removed
  outcomes.removed = [1-9][0-9]* (re)

A scratch server and its directory are gone then, too.

  $ mkdir tmp; TMPDIR=$PWD/tmp moonshift run find --scripts scripts --url scratch: > report & run=$!
  $ scratch_running() { redis-cli -s tmp/moonshift-*/redis.sock client list | grep name=moonshift; }
  $ eventually scratch_running; kill -KILL $run; { wait $run; } 2>/dev/null
  [137]
  $ nothing_left() { [ -z "$(ls -A tmp)" ]; }
  $ eventually nothing_left

While a signal ends a run, its scratch server stays up to the end.

  $ TMPDIR=$PWD/tmp moonshift run find --scripts scripts --url scratch: --json > report & run=$!
  $ eventually scratch_running; kill -INT $run; wait $run
  [4]
  $ < report fields exit_code errors
  exit_code = 4
  errors = .* (re)
  $ ls -A tmp
