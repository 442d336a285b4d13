`moonshift run` runs one task, and verifies that it helped.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock"

A person is told where, what, what for, what it cost, and how it ended.

  $ fill 3 rl:; redis set rl:window x EX 60 >/dev/null
  $ moonshift run ratelimit/purge --param pattern='rl:*'
  unix://*/redis.sock, * *.*, 4 keys, * (glob)
  
  ratelimit/purge only=leaked pattern=rl:* type=string
    found 3: 3 removed, 0 failed
    verified: find emits nothing more
  
  step +engine +time +commands +batches +freed +PING p50 +p99 +worst (re)
  ratelimit/purge  local * (glob)
  
  keys 4 -> 1, memory * -> * (glob)
  run [0-9]{8}T[0-9]{6}Z-[0-9a-f]{6} took .*: done, and verified (re)
  $ redis keys '*'
  rl:window

Run again, there is nothing to do.

  $ moonshift run ratelimit/purge --param pattern='rl:*' | told
  ratelimit/purge only=leaked pattern=rl:* type=string
    nothing to do
    verified: find emits nothing more

A list parameter takes several values, each by a --param of its own; commas are part of a value.

  $ redis mset a:1 x b:1 x c:1 x d,1 x >/dev/null
  $ moonshift run ratelimit/purge --param pattern='a:*' -p pattern='b:*' -p pattern='d,*' | told
  ratelimit/purge only=leaked pattern=a:*,b:*,d,* type=string
    found 3: 3 removed, 0 failed
    verified: find emits nothing more
  $ redis --raw keys '*' | sort
  c:1
  rl:window

A dry run finds, and changes nothing.

  $ moonshift run ratelimit/purge --param pattern='*' --param everything=true --param only=all --dry-run | told
  ratelimit/purge everything=true only=all pattern=* type=string
    found 2; nothing was changed (dry run)
    would treat [a-z:1]+ (re)
    would treat [a-z:1]+ (re)
  $ redis dbsize
  2

It does not claim to have done or verified anything.

  $ moonshift run ratelimit/purge --param pattern='*' --param everything=true --dry-run | tail -1 | grep 'done, and verified'
  [1]
  $ moonshift run ratelimit/purge --param pattern='c:*' --dry-run --json | fields dry_run found outcomes sample verification.done exit_code
  dry_run = true
  found = 1
  outcomes = {}
  sample = [["c:1"]]
  verification.done = false
  exit_code = 0

The JSON object has everything, and is one line.

  $ moonshift run ratelimit/purge --param pattern='c:*' --engine server --json > report; wc -l < report
  1
  $ < report fields script engine parameters.pattern dry_run found outcomes failed failures stopped error passes batches
  script = "ratelimit/purge"
  engine = "server"
  parameters.pattern = "c:*"
  dry_run = false
  found = 1
  outcomes = {"removed": 1}
  failed = 0
  failures = []
  stopped = ""
  error = ""
  passes = 2
  batches = 1
  $ < report fields verification.done verification.holds findings errors verdict exit_code before.keys after.keys
  verification.done = true
  verification.holds = true
  findings = []
  errors = []
  verdict = "ok"
  exit_code = 0
  before.keys = 2
  after.keys = 1
  $ < report fields id now commands bytes.sent bytes.received durations.total_ms latency.p99_ms duration_ms redis
  id = "[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}" (re)
  now = "20[0-9-]+T[0-9:.]+Z" (re)
  commands = [0-9]+ (re)
  bytes.sent = [0-9]+ (re)
  bytes.received = [0-9]+ (re)
  durations.total_ms = [0-9.]+ (re)
  latency.p99_ms = [0-9.]+ (re)
  duration_ms = [0-9.]+ (re)
  redis = "unix:///.*/redis.sock" (re)

--quiet prints only what went wrong; with --json the object is printed all the same.

  $ moonshift run ratelimit/purge --param pattern='c:*' --quiet
  $ moonshift run ratelimit/purge --param pattern='c:*' --quiet --json | fields exit_code
  exit_code = 0

-v tells what happens underneath, on standard error; standard output stays as it is.

  $ moonshift run ratelimit/purge --param pattern='c:*' --json -v 2>log | fields exit_code
  exit_code = 0
  $ test -s log

Tasks of one's own

A directory of scripts wins over the ones that ship.

  $ mkdir scripts/ratelimit
  $ cat > scripts/ratelimit/purge.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "ours:*" } do emit(key) end end,
  >   each = function(p, key) redis.call("DEL", key); return "dropped" end,
  > }
  > EOF
  $ redis set ours:1 x >/dev/null
  $ moonshift run ratelimit/purge --scripts scripts | told
  ratelimit/purge
    found 1: 1 dropped, 0 failed
    verified: find emits nothing more

So does a library: the one that ships may be replaced, in both engines.

  $ mkdir scripts/lib; echo 'return { outcome = "replaced" }' > scripts/lib/bullmq.lua
  $ cat > scripts/library.lua <<'EOF'
  > local bullmq = require "lib.bullmq"
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "ours:*" } do emit(key) end end,
  >   each = function(p, key) redis.call("DEL", key); return bullmq.outcome end,
  > }
  > EOF
  $ for engine in local server; do
  >   redis set ours:1 x >/dev/null
  >   moonshift run library --scripts scripts --engine $engine --json | fields outcomes engine
  > done
  outcomes = {"replaced": 1}
  engine = "local"
  outcomes = {"replaced": 1}
  engine = "server"

A file is named by its path.

  $ redis set ours:1 x >/dev/null; moonshift run ./scripts/ratelimit/purge.lua --json | fields script outcomes
  script = "./scripts/ratelimit/purge.lua"
  outcomes = {"dropped": 1}

Parameters reach the script as what they are declared to be, the same in both engines: durations in
milliseconds, sizes in bytes, lists as lists.

  $ cat > scripts/types.lua <<'EOF'
  > local function describe(p)
  >   local words = {}
  >   for _, name in ipairs { "text", "count", "share", "force", "age", "size", "like", "state", "names" } do
  >     local value = p[name]
  >     if type(value) == "table" then value = #value .. ":" .. table.concat(value, "|") end
  >     words[#words + 1] = type(p[name]):sub(1, 1) .. " " .. tostring(value)
  >   end
  >   return table.concat(words, ", ")
  > end
  > return task {
  >   params = {
  >     text  = { type = "string",   default = "x",   help = "text" },
  >     count = { type = "integer",  default = 1,     help = "count" },
  >     share = { type = "number",   default = 0.5,   help = "share" },
  >     force = { type = "boolean",  default = false, help = "force" },
  >     age   = { type = "duration", default = "1m",  help = "age" },
  >     size  = { type = "bytes",    default = "1kb", help = "size" },
  >     like  = { type = "glob",     default = "*",   help = "glob" },
  >     state = { type = "enum",     default = "a",   values = { "a", "b" }, help = "enum" },
  >     names = { type = "string",   list = true,     default = { "p", "q" }, help = "list" },
  >   },
  >   find = function(p, emit) emit("item") end,
  >   each = function(p) return "kept", describe(p) end,
  > }
  > EOF
  $ reason() { moonshift run types --scripts scripts --json "$@" | fields reasons; }
  $ reason --engine local; reason --engine server
  reasons = {"kept: s x, n 1, n 0.5, b false, n 60000, n 1024, s *, s a, t 2:p|q": 1}
  reasons = {"kept: s x, n 1, n 0.5, b false, n 60000, n 1024, s *, s a, t 2:p|q": 1}
  $ for engine in local server; do
  >   reason --engine $engine -p text=a=b,c -p count=-3 -p share=1e-3 -p force=yes -p age=1h30m -p size=64mb -p like='[ab]?*' \
  >     -p state=b -p names=one -p names=two,three -p names=
  > done
  reasons = {"kept: s a=b,c, n -3, n 0.001, b true, n 5400000, n 67108864, s [ab]?*, s b, t 3:one|two,three|": 1}
  reasons = {"kept: s a=b,c, n -3, n 0.001, b true, n 5400000, n 67108864, s [ab]?*, s b, t 3:one|two,three|": 1}
  $ reason -p count=9007199254740991 -p age=1.5s -p force=0 -p size=0 -p text=
  reasons = {"kept: s , n 9.007199254741e+15, n 0.5, b false, n 1500, n 0, s *, s a, t 2:p|q": 1}

--now is what p.now says, so that a backup can be rehearsed as of its own night.

  $ cat > scripts/now.lua <<'EOF'
  > return task {
  >   find = function(p, emit) emit(string.format("%.0f", p.now)) end,
  >   each = function() return "kept" end,
  > }
  > EOF
  $ moonshift run now --scripts scripts --dry-run --now 2026-11-01T02:30:00Z --json | fields sample now
  sample = [["1793500200000"]]
  now = "2026-11-01T02:30:00.000Z"
  $ moonshift run now --scripts scripts --dry-run --now 1793500200001 --json | fields sample
  sample = [["1793500200001"]]

Where Redis is

--url wins over --url-file, that over a credential, and that over $REDIS_URL.

  $ start_redis other; redis flushall >/dev/null; redis-cli -s other.sock set ours:1 x >/dev/null
  $ found() { moonshift run ratelimit/purge --scripts scripts --dry-run --json "$@" | fields found; }
  $ other="unix://$PWD/other.sock"
  $ found
  found = 0
  $ found --url "$other"
  found = 1
  $ echo "$other" > url; found --url-file url
  found = 1
  $ found --url-file url --url "$REDIS_URL"
  found = 0
  $ mkdir credentials; echo "$other" > credentials/redis-url
  $ CREDENTIALS_DIRECTORY=$PWD/credentials found
  found = 1
  $ CREDENTIALS_DIRECTORY=$PWD/credentials found --url "$REDIS_URL"
  found = 0
  $ CREDENTIALS_DIRECTORY=$PWD found
  found = 0

A file that was edited on Windows, or ends in a blank, is read too.

  $ printf '%s \r\n' "$other" > url; found --url-file url
  found = 1

A database is chosen by the URL.

  $ redis-cli -s other.sock -n 3 mset ours:1 x ours:2 x >/dev/null
  $ found --url "$other?db=3"
  found = 2

A scratch server holds a copy of a snapshot: what is done there stays there, and nothing of it is left behind.

  $ redis-cli -s other.sock save >/dev/null; cp other.rdb backup.rdb
  $ mkdir tmp; TMPDIR=$PWD/tmp moonshift run ratelimit/purge --scripts scripts --url "scratch:backup.rdb?db=3" | tail -2
  keys 2 -> 0, memory * -> * (glob)
  run * took *: done, and verified (glob)
  $ cmp backup.rdb other.rdb; ls -A tmp
  $ redis-cli -s other.sock -n 3 dbsize
  2

Engines

Left to itself, a task runs locally; one whose items must each be atomic, inside Redis.

  $ cat > scripts/atomic.lua <<'EOF'
  > return task {
  >   atomic = true,
  >   find = function(p, emit) for key in scan.keys { match = "ours:*" } do emit(key) end end,
  >   each = function(p, key) redis.call("DEL", key); return "dropped" end,
  > }
  > EOF
  $ redis mset ours:1 x ours:2 x >/dev/null
  $ moonshift run ratelimit/purge --scripts scripts --dry-run --json | fields engine
  engine = "local"
  $ moonshift run atomic --scripts scripts --json | fields engine outcomes
  engine = "server"
  outcomes = {"dropped": 2}

Items that come while a run goes on are treated too, and told apart.

  $ cat > scripts/busy.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "job:*" } do emit(key) end end,
  >   each = function(p, key)
  >     redis.call("DEL", key)
  >     if key == "job:1" then redis.call("SET", "job:2", "x") end
  >     return "removed"
  >   end,
  > }
  > EOF
  $ for engine in local server; do
  >   redis set job:1 x >/dev/null
  >   moonshift run busy --scripts scripts --engine $engine | told
  > done
  busy
    found 2: 2 removed, 0 failed
    verified: find emits nothing more; 1 item came during the run and was treated too
  busy
    found 2: 2 removed, 0 failed
    verified: find emits nothing more; 1 item came during the run and was treated too

A check is run the same way.

  $ moonshift run checks/clients | tail -1
  run [0-9]{8}T[0-9]{6}Z-[0-9a-f]{6} took .*: the checks hold (re)
  $ moonshift run checks/clients --limit 1
  moonshift: --limit is for tasks, and checks/clients is a check
  [2]

A limit leaves the rest for another run.

  $ redis flushall >/dev/null; fill 9 rl:
  $ moonshift run ratelimit/purge -p pattern='rl:*' --limit 4 --rate 1000 | told
  ratelimit/purge only=leaked pattern=rl:* type=string
    found 4, the limit: 4 removed, 0 failed
    verified: find emits none of them again; there may be more
  $ redis dbsize
  5
  $ moonshift run ratelimit/purge -p pattern='rl:*' --limit 0
  moonshift: --limit must be a whole number above 0
  [2]
  $ moonshift run ratelimit/purge -p pattern='rl:*' --rate fast
  moonshift: --rate must be a number above 0: items a second
  [2]
