What goes wrong inside a script is told with its file and line, and costs only the item that it concerns.
In both engines.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock"
  $ both() { # NAME [OPTION...]: runs a task on five keys in either engine, and tells what is left
  >   for engine in local server; do
  >     redis flushall >/dev/null; fill 5
  >     moonshift run "$1" --scripts scripts --engine $engine "${@:2}" | told
  >     echo "$engine: exit code $?, $(redis dbsize) left"
  >   done
  > }

An item that fails: its name, the author's file and line, and a traceback of the author's own frames. The
rest goes on, and that the item is still there is no surprise to the verification.

  $ cat > scripts/odd.lua <<'EOF'
  > local function look_at(key)
  >   if key == "k:3" then error("it is odd") end
  > end
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key)
  >     look_at(key)
  >     redis.call("DEL", key)
  >     return "removed"
  >   end,
  > }
  > EOF
  $ both odd
  odd
    found 5: 4 removed, 1 failed
    failed: k:3
      scripts/odd.lua:2: it is odd
        at scripts/odd.lua:2: in function 'look_at'
        at scripts/odd.lua:7: in function * (glob)
    verified: find emits nothing more but what failed
  local: exit code 1, 1 left
  odd
    found 5: 4 removed, 1 failed
    failed: k:3
      scripts/odd.lua:2: it is odd
    verified: find emits nothing more but what failed
  server: exit code 1, 1 left

As JSON, too.

  $ for engine in local server; do
  >   moonshift run odd --scripts scripts --engine $engine --json | fields failures.0.item failures.0.error failures.0.where failed exit_code
  > done
  failures.0.item = ["k:3"]
  failures.0.error = "scripts/odd.lua:2: it is odd"
  failures.0.where = "scripts/odd.lua:2"
  failed = 1
  exit_code = 1
  failures.0.item = ["k:3"]
  failures.0.error = "scripts/odd.lua:2: it is odd"
  failures.0.where = "scripts/odd.lua:2"
  failed = 1
  exit_code = 1
  [1]

Lua's own runtime errors, and those of a library, name their place as well.

  $ mkdir scripts/lib
  $ cat > scripts/lib/ours.lua <<'EOF'
  > local ours = {}
  > 
  > function ours.length(value) return #value.field end
  > 
  > return ours
  > EOF
  $ cat > scripts/nil.lua <<'EOF'
  > local ours = require "lib.ours"
  > return task {
  >   find = function(p, emit) emit("k:1") end,
  >   each = function(p, key) return ours.length({}) end,
  > }
  > EOF
  $ both nil | grep -E '^ +scripts/.*field|exit code'
      scripts/lib/ours.lua:3: attempt to get length of field 'field' (a nil value)
  local: exit code 1, 5 left
      scripts/lib/ours.lua:3: attempt to get length of field 'field' (a nil value)
  server: exit code 1, 5 left

Redis's errors name the command and the key.

  $ cat > scripts/type.lua <<'EOF'
  > return task {
  >   find = function(p, emit) emit("k:1") end,
  >   each = function(p, key)
  >     redis.call("HGET", key, "field")
  >     return "removed"
  >   end,
  > }
  > EOF
  $ both type | grep -E 'WRONGTYPE|exit code'
      scripts/type.lua:4: WRONGTYPE Operation against a key holding the wrong kind of value (HGET k:1)
  local: exit code 1, 5 left
      scripts/type.lua:4: WRONGTYPE Operation against a key holding the wrong kind of value (HGET k:1)
  server: exit code 1, 5 left

An error that a script catches is no failure.

  $ cat > scripts/caught.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key)
  >     local ok, problem = pcall(redis.call, "HGET", key, "field")
  >     local reply = redis.pcall("HGET", key, "field")
  >     if ok or not reply.err:find("^WRONGTYPE") then error(problem) end
  >     redis.call("DEL", key)
  >     return "removed"
  >   end,
  > }
  > EOF
  $ both caught
  caught
    found 5: 5 removed, 0 failed
    verified: find emits nothing more
  local: exit code 0, 0 left
  caught
    found 5: 5 removed, 0 failed
    verified: find emits nothing more
  server: exit code 0, 0 left

A script that makes a global, or uses one that is not there, is told.

  $ cat > scripts/global.lua <<'EOF'
  > return task {
  >   find = function(p, emit) emit("k:1") end,
  >   each = function(p, key)
  >     counter = 1
  >     return "removed"
  >   end,
  > }
  > EOF
  $ both global | grep -E 'global.lua:[0-9]+: [A-Z]|exit code'
      scripts/global.lua:4: Script attempted to create global variable 'counter'* (glob)
  local: exit code 1, 5 left
      scripts/global.lua:4: * (glob)
  server: exit code 1, 5 left

Whatever a script throws can be printed, and does not differ from run to run.

  $ cat > scripts/thrown.lua <<'EOF'
  > return task {
  >   find = function(p, emit) emit("k:1") end,
  >   each = function(p, key) error({ code = 7 }) end,
  > }
  > EOF
  $ both thrown | grep 'error object\|table'
      error object is a table
      error object is a table

`each` must say what became of the item.

  $ cat > scripts/silent.lua <<'EOF'
  > return task {
  >   find = function(p, emit) emit("k:1") end,
  >   each = function(p, key) redis.call("GET", key) end,
  > }
  > EOF
  $ both silent
  silent
    found 1: 1 failed
    failed: k:1
      each must return its outcome, one word such as "removed" or "kept"
    verified: find emits nothing more but what failed
  local: exit code 1, 5 left
  silent
    found 1: 1 failed
    failed: k:1
      each must return its outcome, one word such as "removed" or "kept"
    verified: find emits nothing more but what failed
  server: exit code 1, 5 left

What `each` chose to keep stays, with its reason, and the verification knows.

  $ cat > scripts/kept.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key)
  >     if key < "k:3" then return "kept", "too small" end
  >     if key == "k:3" then return "kept" end
  >     redis.call("DEL", key)
  >     return "removed"
  >   end,
  > }
  > EOF
  $ both kept
  kept
    found 5: 3 kept, 2 removed, 0 failed
      2 kept: too small
    verified: find emits nothing more but what was kept
  local: exit code 0, 3 left
  kept
    found 5: 3 kept, 2 removed, 0 failed
      2 kept: too small
    verified: find emits nothing more but what was kept
  server: exit code 0, 3 left

Items that were treated and would not go: the work did not help, exit code 5, and they are named and
counted once.

  $ cat > scripts/stuck.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key)
  >     if key ~= "k:2" then redis.call("DEL", key) end
  >     return "removed"
  >   end,
  > }
  > EOF
  $ both stuck
  stuck
    found 5: 5 removed, 0 failed
    NOT verified: 1 treated item is still there
    still there: k:2
  local: exit code 5, 1 left
  stuck
    found 5: 5 removed, 0 failed
    NOT verified: 1 treated item is still there
    still there: k:2
  server: exit code 5, 1 left
  $ moonshift run stuck --scripts scripts --json | fields found verification.holds verification.arrived verification.remaining verification.examples
  found = 1
  verification.holds = false
  verification.arrived = 0
  verification.remaining = 1
  verification.examples = [["k:2"]]
  [5]

A task's own verify, which knows what the run did.

  $ cat > scripts/own.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key) redis.call("DEL", key); return "removed" end,
  >   verify = function(p, run)
  >     local removed = run.outcomes.removed or 0
  >     return removed < 5, removed .. " keys are suspiciously many"
  >   end,
  > }
  > EOF
  $ both own
  own
    found 5: 5 removed, 0 failed
    NOT verified: 5 keys are suspiciously many
  local: exit code 5, 0 left
  own
    found 5: 5 removed, 0 failed
    NOT verified: 5 keys are suspiciously many
  server: exit code 5, 0 left
  $ moonshift run own --scripts scripts --json | fields verification.holds verification.task_says exit_code
  verification.holds = true
  verification.task_says = ""
  exit_code = 0

Too many failures

A run stops when --max-failures items have failed. Those that were under way then are told as well.

  $ cat > scripts/never.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "k:*" } do emit(key) end end,
  >   each = function(p, key) error("never") end,
  > }
  > EOF
  $ both never --max-failures 3 | grep -E 'stopped|verified|exit code'
    stopped: too many items failed (--max-failures)
    not verified
  local: exit code 1, 5 left
    stopped: too many items failed (--max-failures)
    not verified
  server: exit code 1, 5 left
  $ redis flushall >/dev/null; fill 300
  $ moonshift run never --scripts scripts --max-failures 3 --json | fields failed stopped exit_code
  failed = 3
  stopped = "failures"
  exit_code = 1
  [1]

The default is 100; of the failures the first ten are shown, and the others counted.

  $ moonshift run never --scripts scripts | grep -E '^  (found|and|stopped)'
    found 1[0-9]{2}: 1[0-9]{2} failed (re)
    and [0-9]+ more failed (re)
    stopped: too many items failed (--max-failures)
  [1]
  $ moonshift run never --scripts scripts | grep -c '  failed: k:'
  10
  [1]
  $ moonshift run never --scripts scripts --max-failures 301 --json | fields failed stopped
  failed = 300
  stopped = ""
  [1]

find

An error in find ends the run. What it had emitted is completed and told.

  $ cat > scripts/find.lua <<'EOF'
  > return task {
  >   find = function(p, emit)
  >     emit("k:1")
  >     error("it cannot be found")
  >   end,
  >   each = function(p, key) redis.call("DEL", key); return "removed" end,
  > }
  > EOF
  $ both find
  find
    found 1: 1 removed, 0 failed
    error: scripts/find.lua:4: it cannot be found
        at scripts/find.lua:4: in function 'find'
    not verified
  local: exit code 1, 4 left
  find
    found 1: 1 removed, 0 failed
    error: scripts/find.lua:4: it cannot be found
        at scripts/find.lua:4: in function 'find'
    not verified
  server: exit code 1, 4 left

That there was nothing to do, nobody knows.

  $ cat > scripts/find.lua <<'EOF'
  > return task {
  >   find = function(p, emit) error("it cannot be found") end,
  >   each = function(p, key) return "removed" end,
  > }
  > EOF
  $ moonshift run find --scripts scripts | grep 'nothing to do'
  [1]

find must emit strings.

  $ cat > scripts/find.lua <<'EOF'
  > return task {
  >   find = function(p, emit) emit({ "k:1" }) end,
  >   each = function(p, key) return "removed" end,
  > }
  > EOF
  $ moonshift run find --scripts scripts | grep error:
    error: scripts/find.lua:2: *emit* (glob)
  [1]

A command that writes is refused in find and in verify, by name, and does nothing.

  $ for call in '"SET", "written", "x"' '"FLUSHALL"' '"eval", "return 1", "0"' '"GETDEL", "k:1"' '"CONFIG", "SET", "maxmemory", "1gb"' \
  >   '"SORT", "k:1", "STORE", "written"'; do
  >   cat > scripts/writes.lua <<EOF
  > return task {
  >   find = function(p, emit)
  >     redis.call($call)
  >   end,
  >   each = function(p, key) return "removed" end,
  > }
  > EOF
  >   redis flushall >/dev/null; fill 5
  >   moonshift run writes --scripts scripts | grep error: || echo "[$?] $(redis dbsize)"
  > done
    error: scripts/writes.lua:3: find may only read, and SET writes (SET written)
  [1] 5
    error: scripts/writes.lua:3: *FLUSHALL* (glob)
  [1] 5
    error: scripts/writes.lua:3: *eval* (glob)
  [1] 5
    error: scripts/writes.lua:3: find may only read, and GETDEL writes (GETDEL k:1)
  [1] 5
    error: scripts/writes.lua:3: *CONFIG* (glob)
  [1] 5
    error: scripts/writes.lua:3: find may only read, and SORT writes (SORT k:1)
  [1] 5

  $ cat > scripts/writes.lua <<'EOF'
  > return task {
  >   find = function(p, emit) end,
  >   each = function(p, key) return "removed" end,
  >   verify = function(p, run)
  >     return redis.call("SET", "written", "x") ~= nil
  >   end,
  > }
  > EOF
  $ both writes | grep -v ' at '
  writes
    nothing to do
    error: scripts/writes.lua:5: verify may only read, and SET writes (SET written)
    NOT verified: the task's verify failed
  local: exit code 1, 5 left
  writes
    nothing to do
    error: scripts/writes.lua:5: verify may only read, and SET writes (SET written)
    NOT verified: the task's verify failed
  server: exit code 1, 5 left

Nor can pcall hide it.

  $ cat > scripts/writes.lua <<'EOF'
  > return task {
  >   find = function(p, emit)
  >     pcall(redis.call, "SET", "written", "x")
  >     redis.pcall("DEL", "k:1")
  >   end,
  >   each = function(p, key) return "removed" end,
  > }
  > EOF
  $ moonshift run writes --scripts scripts >/dev/null
  $ redis exists k:1 written
  1

A key of another type under an expected name

The index of a queue is a list: that is one failed item, which names the key. The other queues are cleaned.

  $ for engine in local server; do
  >   redis flushall >/dev/null
  >   redis hset bull:mail:meta version bullmq:5.0.0 >/dev/null; redis rpush bull:mail:completed 1 >/dev/null
  >   redis hset bull:sms:meta version bullmq:5.0.0 >/dev/null; redis zadd bull:sms:completed 1000 1 2000 2 >/dev/null
  >   redis hset bull:sms:1 name a timestamp 900 finishedOn 1000 >/dev/null; redis set bull:sms:2 x >/dev/null
  >   moonshift run bullmq/clean --engine $engine | told | grep -v ' at '
  >   redis --raw keys '*' | sort | xargs
  > done
  bullmq/clean keep=0 older_than=7d prefix=bull queues=* state=completed
    found 2: 1 removed, 2 failed
    failed: bull:* (glob)
      *WRONGTYPE Operation against a key holding the wrong kind of value (*) (glob)
    failed: bull:* (glob)
      *WRONGTYPE Operation against a key holding the wrong kind of value (*) (glob)
    verified: find emits nothing more but what failed
  bull:mail:completed bull:mail:meta bull:sms:2 bull:sms:completed bull:sms:meta
  bullmq/clean keep=0 older_than=7d prefix=bull queues=* state=completed
    found 2: 1 removed, 2 failed
    failed: bull:* (glob)
      *WRONGTYPE Operation against a key holding the wrong kind of value (*) (glob)
    failed: bull:* (glob)
      *WRONGTYPE Operation against a key holding the wrong kind of value (*) (glob)
    verified: find emits nothing more but what failed
  bull:mail:completed bull:mail:meta bull:sms:2 bull:sms:completed bull:sms:meta
  $ moonshift run bullmq/clean --json > report
  [1]
  $ < report fields failures | grep -oE '\((ZRANGEBYSCORE|HMGET) [^)]+' | sort
  (HMGET bull:sms:2
  (ZRANGEBYSCORE bull:mail:completed
