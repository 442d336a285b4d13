Bad input is refused with exit code 2: the message says what is wrong and what would be right, and
nothing is changed.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis --enable-debug-command local
  $ fill 3 rl:; redis hset bull:mail:meta version bullmq:5.0.0 >/dev/null
  $ redis debug digest > before
  $ export REDIS_URL="unix://$PWD/redis.sock"

Which script

An unknown script is answered by the nearest names.

  $ moonshift run ratelimit/purg
  moonshift: there is no script 'ratelimit/purg' (did you mean ratelimit/purge?): `moonshift scripts` lists them all
  [2]
  $ moonshift run purge
  moonshift: there is no script 'purge' (did you mean ratelimit/purge*): `moonshift scripts` lists them all (glob)
  [2]
  $ moonshift run unheard-of
  moonshift: there is no script 'unheard-of': `moonshift scripts` lists them all
  [2]
  $ moonshift run ''
  moonshift: there is no script '': `moonshift scripts` lists them all
  [2]
  $ moonshift verify memry
  moonshift: there is no script 'checks/memry' (did you mean checks/memory?): `moonshift scripts` lists them all
  [2]

A library is no script, and a check is no task.

  $ moonshift run lib/bullmq
  moonshift: there is no script 'lib/bullmq'*: `moonshift scripts` lists them all (glob)
  [2]
  $ moonshift verify bullmq/clean
  moonshift: scripts/bullmq/clean.lua is no check but a task
  [2]

A file that is not there, and one that is none.

  $ moonshift run missing.lua
  moonshift: missing.lua: * (glob)
  [2]
  $ moonshift run ./scripts
  moonshift: ./scripts: * (glob)
  [2]
  $ moonshift run bullmq/clean --scripts missing
  moonshift: --scripts missing: there is no such directory
  [2]

A comment that is no UTF-8 is told as well as it can be.

  $ mkdir latin; printf -- '--- Caf\xe9.\nreturn task { find = function() end, each = function() end }\n' > latin/caf.lua
  $ moonshift scripts caf --scripts latin --json | fields documentation
  documentation = "Caf\ufffd."
  $ moonshift scripts --scripts latin --json | grep -c '"script":"caf"'
  1

A plain script is no task, even if it calls Redis at once, as they do.

  $ echo 'return redis.call("DEL", "rl:1")' > scripts/plain.lua
  $ printf '[[step]]\nscript = "plain"\n' > plain.toml
  $ moonshift job plain.toml --scripts scripts
  moonshift: *scripts/plain.lua is no task but a plain script: * (glob)
  [2]
  $ echo 'return 1' > scripts/plain.lua
  $ moonshift job plain.toml --scripts scripts
  moonshift: *scripts/plain.lua is no task but a plain script: * (glob)
  [2]

How a script is written

Lua's own complaints name the author's file and line.

  $ cat > scripts/syntax.lua <<'EOF'
  > return task {
  >   find = function(p, emit
  >   end,
  > }
  > EOF
  $ moonshift run syntax --scripts scripts
  moonshift: scripts/syntax.lua:3: ')' expected near 'end'
  [2]

  $ cat > scripts/broken.lua <<'EOF'
  > local function helper() error("it cannot be read") end
  > helper()
  > return task {}
  > EOF
  $ moonshift run broken --scripts scripts
  moonshift: scripts/broken.lua:1: it cannot be read
  [2]

A misspelt field of task{} is no silent default.

  $ cat > scripts/field.lua <<'EOF'
  > return task {
  >   find = function(p, emit) end,
  >   each = function(p, key) return "removed" end,
  >   verfy = function(p, run) return true end,
  > }
  > EOF
  $ moonshift run field --scripts scripts
  moonshift: scripts/field.lua: task{} has no field 'verfy'* (glob)
  [2]
  $ echo 'return task { find = function(p, emit) end }' > scripts/field.lua
  $ moonshift run field --scripts scripts
  moonshift: scripts/field.lua: task{} needs a function 'each'
  [2]
  $ echo 'return task { find = {}, each = function() end }' > scripts/field.lua
  $ moonshift run field --scripts scripts
  moonshift: scripts/field.lua: task{}: find must be a function
  [2]
  $ echo 'return check {}' > scripts/field.lua
  $ moonshift verify ./scripts/field.lua
  moonshift: ./scripts/field.lua: check{} needs a function 'run'
  [2]
  $ echo 'return task "rl:*"' > scripts/field.lua
  $ moonshift run field --scripts scripts
  moonshift: scripts/field.lua:* task takes a table: task{...} (glob)
  [2]

So are the parameters it declares.

  $ declare_parameter() {
  >   echo "return task { params = { $1 }, find = function(p, emit) end, each = function() end }" > scripts/params.lua
  >   moonshift run params --scripts scripts
  > }
  $ declare_parameter 'age = { type = "durration", help = "age" }'
  moonshift: params: parameter 'age': type 'durration' is none of string, integer, number, boolean, duration, time, bytes, glob, enum
  [2]
  $ declare_parameter 'age = { type = "duration", defualt = "7d", help = "age" }'
  moonshift: params: parameter 'age': the field 'defualt' is unknown or of the wrong type
  [2]
  $ declare_parameter 'age = { type = "duration", default = "seven days", help = "age" }'
  moonshift: params: parameter 'age': 'seven days' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms
  [2]
  $ declare_parameter 'age = { type = "duration" }'
  moonshift: params: parameter 'age': needs a help text
  [2]
  $ declare_parameter 'state = { type = "enum", help = "state" }'
  moonshift: params: parameter 'state': an enum needs values = { "...", ... }
  [2]
  $ declare_parameter 'now = { type = "string", help = "time" }'
  moonshift: params: parameter 'now': is always there: it is Redis's clock
  [2]
  $ declare_parameter '"age"'
  moonshift: params: * (glob)
  [2]

A missing library is answered by the nearest names; two that require each other are told.

  $ task_with() { echo "local x = $1; return task { find = function(p, emit) end, each = function() end }" > scripts/lib.lua; }
  $ task_with 'require "lib.bulmq"'; moonshift run lib --scripts scripts
  moonshift: scripts/lib.lua:1: require 'lib.bulmq': there is no such library (did you mean lib.bullmq*) (glob)
  [2]
  $ task_with 'require "socket"'; moonshift run lib --scripts scripts
  moonshift: scripts/lib.lua:1: require 'socket': there is no such library* (glob)
  [2]
  $ mkdir scripts/lib
  $ echo 'return { b = require "lib.b" }' > scripts/lib/a.lua
  $ echo 'return { a = require "lib.a" }' > scripts/lib/b.lua
  $ task_with 'require "lib.a"'; moonshift run lib --scripts scripts
  moonshift: scripts/lib/b.lua:1: require 'lib.a': it requires itself* (glob)
  [2]
  $ printf 'local x = {\nx x\n}' > scripts/lib/c.lua
  $ task_with 'require "lib.c"'; moonshift run lib --scripts scripts
  moonshift: scripts/lib/c.lua:2: '}' expected (to close '{' at line 1) near 'x'
  [2]

A script that never ends its own declaration does not hang whoever looks at it.

  $ mkdir endless; echo 'while true do end return task {}' > endless/script.lua
  $ timeout --signal KILL 5 moonshift run script --scripts endless --timeout 200ms
  moonshift: endless/script.lua:1: * (glob)
  [2]

A task that must be atomic cannot run locally.

  $ echo 'return task { atomic = true, find = function(p, emit) end, each = function() end }' > scripts/atomic.lua
  $ moonshift run atomic --scripts scripts --engine local
  moonshift: atomic needs each item to be atomic: run it with --engine server or auto
  [2]

Parameters

An unknown one is answered by the nearest names and by all there are; a missing one by what it is for.

  $ moonshift run ratelimit/purge --param patern='rl:*'
  moonshift: ratelimit/purge: there is no parameter 'patern' (did you mean pattern?); it has: *only, pattern, type* (glob)
  [2]
  $ moonshift run ratelimit/purge
  moonshift: ratelimit/purge: the parameter 'pattern' is required: which keys, such as rl:* (glob, several)
  [2]

Every type says what it takes.

  $ cat > scripts/types.lua <<'EOF'
  > return task {
  >   params = {
  >     count = { type = "integer",  default = 1,     help = "count" },
  >     share = { type = "number",   default = 0.5,   help = "share" },
  >     force = { type = "boolean",  default = false, help = "force" },
  >     age   = { type = "duration", default = "7d",  help = "age" },
  >     size  = { type = "bytes",    default = "1kb", help = "size" },
  >     state = { type = "enum",     default = "a",   values = { "a", "b" }, help = "state" },
  >   },
  >   find = function(p, emit) emit("rl:1") end,
  >   each = function(p, key) redis.call("DEL", key); return "removed" end,
  > }
  > EOF
  $ for given in count=many count=1.5 count= count=9007199254740993 share=half share=nan share=inf force=maybe \
  >   'age=seven days' age=-1s age= size=1tb size=-1 state=c; do
  >   moonshift run types --scripts scripts --param "$given" || echo "[$?]"
  > done
  moonshift: types: parameter 'count' (integer): 'many' is not a whole number
  [2]
  moonshift: types: parameter 'count' (integer): '1.5' is not a whole number
  [2]
  moonshift: types: parameter 'count' (integer): '' is not a whole number
  [2]
  moonshift: types: parameter 'count' (integer): '9007199254740993' * (glob)
  [2]
  moonshift: types: parameter 'share' (number): 'half' is not a number
  [2]
  moonshift: types: parameter 'share' (number): 'nan' is not a number
  [2]
  moonshift: types: parameter 'share' (number): 'inf' is not a number
  [2]
  moonshift: types: parameter 'force' (boolean): 'maybe' is neither true nor false
  [2]
  moonshift: types: parameter 'age' (duration): 'seven days' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms
  [2]
  moonshift: types: parameter 'age' (duration): '-1s' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms
  [2]
  moonshift: types: parameter 'age' (duration): '' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms
  [2]
  moonshift: types: parameter 'size' (bytes): '1tb' is not a size: write a number and a unit of b k kb m mb g gb, as in 64mb
  [2]
  moonshift: types: parameter 'size' (bytes): '-1' is not a size: write a number and a unit of b k kb m mb g gb, as in 64mb
  [2]
  moonshift: types: parameter 'state' (a | b): 'c' is none of a, b
  [2]

A duration without its unit, or with one that is none, is no duration of nothing: `older_than=7` must
not remove what is older than zero.

  $ for age in 7 7D 30days 1h30 5x; do
  >   moonshift run types --scripts scripts --param age=$age | told || echo "[$?]"
  > done 2>&1 | sed 's/ is not a duration:.*/ is not a duration/'
  moonshift: types: parameter 'age' (duration): '7' is not a duration
  [2]
  moonshift: types: parameter 'age' (duration): '7D' is not a duration
  [2]
  moonshift: types: parameter 'age' (duration): '30days' is not a duration
  [2]
  moonshift: types: parameter 'age' (duration): '1h30' is not a duration
  [2]
  moonshift: types: parameter 'age' (duration): '5x' is not a duration
  [2]

A parameter given twice is a list, and only for one that takes several.

  $ moonshift run types --scripts scripts --param count=1 --param count=2
  moonshift: types: parameter 'count' (integer): takes one value only
  [2]
  $ moonshift run types --scripts scripts --param count
  moonshift: --param count: write it as name=value
  [2]
  $ moonshift run types --scripts scripts --param =1
  moonshift: --param =1: write it as name=value
  [2]

Options

  $ moonshift run types --scripts scripts --timeuot 5s
  moonshift: *timeuot* (glob)
  usage: moonshift run SCRIPT [--param name=value ...] [options]
  [2]
  $ moonshift run types --scripts scripts --timeout
  moonshift: *timeout* (glob)
  usage: moonshift run SCRIPT [--param name=value ...] [options]
  [2]
  $ moonshift run types --scripts scripts --engine lua
  moonshift: --engine must be auto, local or server, not 'lua'
  [2]
  $ for most in 0 -1 1.5 many 99999999999999999999; do
  >   moonshift run types --scripts scripts --max-failures=$most || echo "[$?]"
  > done
  moonshift: --max-failures must be a whole number above 0
  [2]
  moonshift: --max-failures must be a whole number above 0
  [2]
  moonshift: --max-failures must be a whole number above 0
  [2]
  moonshift: --max-failures must be a whole number above 0
  [2]
  moonshift: --max-failures must be a whole number above 0
  [2]

An option's message names the option.

  $ moonshift run types --scripts scripts --timeout soon
  moonshift: --timeout* 'soon' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms (glob)
  [2]
  $ moonshift run types --scripts scripts --batch-time fast
  moonshift: --batch-time* 'fast' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms (glob)
  [2]
  $ for now in tonight 2026-11-01 2026-13-01T02:30:00Z 2026-02-31T00:00:00Z -1; do
  >   moonshift run types --scripts scripts --dry-run --now=$now | told || echo "[$?]"
  > done
  moonshift: --now*'tonight' is not a time: write 2026-11-01T02:30:00Z, or milliseconds since 1970 (glob)
  [2]
  moonshift: --now*'2026-11-01' is not a time: write 2026-11-01T02:30:00Z, or milliseconds since 1970 (glob)
  [2]
  moonshift: --now*'2026-13-01T02:30:00Z' is not a time: write 2026-11-01T02:30:00Z, or milliseconds since 1970 (glob)
  [2]
  moonshift: --now*'2026-02-31T00:00:00Z' is not a time: write 2026-11-01T02:30:00Z, or milliseconds since 1970 (glob)
  [2]
  moonshift: --now*'-1' is not a time: write 2026-11-01T02:30:00Z, or milliseconds since 1970 (glob)
  [2]

No time at all is no time limit to run with.

  $ moonshift run types --scripts scripts --dry-run --timeout 0s | told
  moonshift: --timeout: it must be above 0
  [2]
  $ moonshift run types --scripts scripts --dry-run --batch-time 0s | told
  moonshift: --batch-time: it must be above 0
  [2]

Words

  $ moonshift run
  moonshift: which script? (see --help)
  [2]
  $ moonshift job
  moonshift: which job? (see --help)
  [2]
  $ moonshift run ratelimit/purge bullmq/clean
  moonshift: ratelimit/purge is no plain script, which alone takes words after its name: what is 'bullmq/clean'?
  [2]
  $ moonshift scripts bullmq/clean ratelimit/purge
  moonshift: one script at a time: what is 'ratelimit/purge'?
  [2]
  $ mkdir schedules; moonshift job nightly weekly
  moonshift: one job at a time: what is 'weekly'?
  [2]
  $ moonshift jobs nightly
  moonshift: *'nightly'* (glob)
  usage: moonshift jobs [--check] [options]
  [2]

Which Redis

  $ env -u REDIS_URL moonshift verify
  moonshift: which Redis? Give --url redis://host:6379, or set REDIS_URL; --url scratch: starts a private one
  [2]
  $ moonshift verify --url-file missing
  moonshift: --url-file missing: it cannot be read, or its first line is empty
  [2]
  $ : > empty; moonshift verify --url-file empty
  moonshift: --url-file empty: it cannot be read, or its first line is empty
  [2]

  $ for url in localhost http://host redis:// redis://host:0 redis://host:65536 redis://host:6379:1 redis://host:port \
  >   'redis://[::1' redis://host/one redis://host/-1 redis://host/1/2 redis://user@host redis://a,b redis://host?x=1 \
  >   redis://:%zz@host unix://relative.sock unix:// redis+sentinel://host; do
  >   echo "$url"; moonshift verify --url "$url" memory || echo "[$?]"
  > done 2>&1 | sed 's/^moonshift: bad Redis URL:/ /'
  localhost
    it must start with redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or scratch:
  [2]
  http://host
    it must start with redis://, rediss://, unix://, redis+sentinel://, redis+cluster:// or scratch:
  [2]
  redis://
    there is no host in it
  [2]
  redis://host:0
    * port* (glob)
  [2]
  redis://host:65536
    * port* (glob)
  [2]
  redis://host:6379:1
    * port* (glob)
  [2]
  redis://host:port
    * port* (glob)
  [2]
  redis://[::1
    * (glob)
  [2]
  redis://host/one
    * database * (glob)
  [2]
  redis://host/-1
    * database * (glob)
  [2]
  redis://host/1/2
    * database * (glob)
  [2]
  redis://user@host
    a user needs a password: write user:password@ before the host (:password@ for a password alone)
  [2]
  redis://a,b
    only one host can be given
  [2]
  redis://host?x=1
    * db=* (glob)
  [2]
  redis://:%zz@host
    a % must be followed by two hexadecimal digits (write %25 for a % itself)
  [2]
  unix://relative.sock
    unix:// needs the socket's absolute path: unix:///run/redis/redis.sock
  [2]
  unix://
    unix:// needs the socket's absolute path: unix:///run/redis/redis.sock
  [2]
  redis+sentinel://host
    redis+sentinel:// needs the master's name: redis+sentinel://host/mymaster
  [2]

A database that this Redis has not.

  $ moonshift verify --url "$REDIS_URL?db=16"
  moonshift: */redis.sock: there is no database 16: CONFIG GET databases tells how many (glob)
  [2]

A scratch server needs the snapshot that was named, and a server program to start.

  $ moonshift verify --url scratch:missing.rdb
  moonshift: scratch: there is no snapshot missing.rdb
  [2]
  $ moonshift verify --url "scratch:$PWD"
  moonshift: scratch: there is no snapshot * (glob)
  [2]
  $ PATH=$PWD/bin moonshift verify --url scratch:
  moonshift: scratch: needs redis-server or valkey-server in PATH: install the package redis-server or valkey-server
  [3]

What the server itself says of a bad directive is part of the message, and nothing else is printed.

  $ moonshift verify --url 'scratch:?maxmemroy=1gb'
  moonshift: scratch: *maxmemroy* (glob)
  \[[23]\] (re)

Job files

  $ job() { cat > schedules/$1.toml; moonshift job $1; }
  $ job unknown-key <<'EOF'
  > description = "Nightly maintenance"
  > crom = "30 2 * * *"
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/unknown-key.toml:2:1: unknown key 'crom' in a job (did you mean cron?); it may have: * (glob)
  [2]
  $ job unknown-key <<'EOF'
  > [[step]]
  > script = "bullmq/clean"
  > parms = {}
  > EOF
  moonshift: schedules/unknown-key.toml:3:1: unknown key 'parms' in [[step]] (did you mean params?); it may have: script, params, engine, limit, rate
  [2]
  $ job syntax <<'EOF'
  > description = "Nightly maintenance"
  > [[step]
  > EOF
  moonshift: schedules/syntax.toml:2:*: * (glob)
  [2]
  $ job type <<'EOF'
  > description = 5
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/type.toml:1:15: description must be text in quotes
  [2]
  $ job timeout <<'EOF'
  > timeout = "2 hours"
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/timeout.toml:1:11: timeout: '2 hours' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms
  [2]
  $ job timeout <<'EOF'
  > timeout = "7"
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/timeout.toml:1:11: timeout: '7' is not a duration: write a number and a unit of w d h m s ms us, as in 7d, 1h30m, 2ms
  [2]
  $ job cron <<'EOF'
  > cron = "every day"
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/cron.toml:1:8: cron 'every day', column 10: this has 2 fields: write five (minute, hour, day of the month, month, weekday), as in "30 2 * * *", or six with seconds first
  [2]
  $ job both <<'EOF'
  > cron = "30 2 * * *"
  > calendar = "daily"
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/both.toml:2:12: give cron or calendar, not both
  [2]
  $ job engine <<'EOF'
  > [[step]]
  > script = "bullmq/clean"
  > engine = "sever"
  > EOF
  moonshift: schedules/engine.toml:3:10: engine must be auto, local or server, not 'sever'
  [2]
  $ job failures <<'EOF'
  > max_failures = 0
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/failures.toml:1:16: max_failures must be a whole number above 0
  [2]
  $ job budget <<'EOF'
  > [budget]
  > batch_time = "0ms"
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/budget.toml:2:14: batch_time must be above 0
  [2]
  $ job step <<'EOF'
  > [step]
  > script = "bullmq/clean"
  > EOF
  moonshift: schedules/step.toml:1:1: steps are written [[step]]
  [2]
  $ job script <<'EOF'
  > [[step]]
  > params = {}
  > EOF
  moonshift: schedules/script.toml:1:1: [[step]] needs 'script'
  [2]
  $ job checks <<'EOF'
  > [verify]
  > checks = "memory"
  > EOF
  moonshift: schedules/checks.toml:2:10: checks must be a list: checks = ["persistence", "memory"]
  [2]
  $ job empty < /dev/null
  moonshift: schedules/empty.toml:1:1: the job has neither a [[step]] nor [verify] checks
  [2]

What a job names is looked at where it stands in the file, before anything runs.

  $ job names <<'EOF'
  > [[step]]
  > script = "ratelimit/purge"
  > params = { pattern = "rl:*", only = "all" }
  > [[step]]
  > script = "ratelimit/purg"
  > EOF
  moonshift: schedules/names.toml:5:10: there is no script 'ratelimit/purg' (did you mean ratelimit/purge?): `moonshift scripts` lists them all
  [2]
  $ job names <<'EOF'
  > [[step]]
  > script = "bullmq/clean"
  > params = { older_then = "7d" }
  > EOF
  moonshift: schedules/names.toml:3:*: bullmq/clean: there is no parameter 'older_then' (did you mean older_than?); it has: keep, older_than, prefix, queues, state (glob)
  [2]
  $ job names <<'EOF'
  > [[step]]
  > script = "bullmq/clean"
  > params = { older_than = 7 }
  > EOF
  moonshift: schedules/names.toml:3:*: bullmq/clean: parameter 'older_than' (duration): '7' must be written as text, in quotes (glob)
  [2]
  $ job names <<'EOF'
  > [[step]]
  > script = "checks/memory"
  > EOF
  moonshift: schedules/names.toml:2:10: scripts/checks/memory.lua is no task but a check
  [2]
  $ job names <<'EOF'
  > [verify]
  > checks = ["memory", "memry"]
  > EOF
  moonshift: schedules/names.toml:2:21: there is no script 'checks/memry' (did you mean checks/memory?): `moonshift scripts` lists them all
  [2]
  $ job names <<'EOF'
  > [verify]
  > checks = [{ check = "memory", params = { warn = "much" } }]
  > EOF
  moonshift: schedules/names.toml:2:*: checks/memory: parameter 'warn' (number): 'much' is not a number (glob)
  [2]
  $ job url <<'EOF'
  > url = "${NO_SUCH_VARIABLE}"
  > [[step]]
  > script = "bullmq/clean"
  > EOF
  moonshift: the job's url names the environment variable NO_SUCH_VARIABLE, which is not set: * (glob)
  [2]

An unknown job is answered by the nearest names.

  $ rm schedules/*; printf '[verify]\nchecks = ["memory"]\n' | tee schedules/nightly.toml > schedules/weekly.toml
  $ moonshift job nightli
  moonshift: there is no job 'nightli' in schedules (did you mean nightly?); it has: nightly, weekly
  [2]
  $ moonshift job nightli.toml
  moonshift: nightli.toml: there is no such file
  [2]
  $ moonshift job nightly --schedules missing
  moonshift: missing: there is no such directory of jobs (see --schedules)
  [2]

With --json a program gets an object all the same, and its exit code in it.

  $ moonshift run ratelimit/purg --json 2>/dev/null > report
  [2]
  $ < report fields error exit_code
  error = "there is no script 'ratelimit/purg' * (glob)
  exit_code = 2
  $ moonshift verify --url redis://127.0.0.1:1 --json 2>/dev/null | fields error exit_code
  error = "127.0.0.1:1: connection refused: is Redis running there?"
  exit_code = 3
  [3]

After all this Redis holds what it held.

  $ redis debug digest | diff before -
