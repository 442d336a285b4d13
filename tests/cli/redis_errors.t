A Redis that cannot be reached, or cannot be used: exit code 3, and what to do about it.

  $ . "$TESTDIR/support.sh"
  $ purge() { moonshift run ratelimit/purge --param pattern='rl:*' "$@"; }

Nobody is there.

  $ purge --url "unix://$PWD/nobody.sock"
  moonshift: */nobody.sock: connection refused: is Redis running there? (glob)
  [3]
  $ purge --url redis://127.0.0.1:1
  moonshift: 127.0.0.1:1: connection refused: is Redis running there?
  [3]
  $ purge --url redis://no-such-host.invalid
  moonshift: no-such-host.invalid:6379: cannot resolve the host name: * (glob)
  [3]
  $ moonshift verify --url redis://127.0.0.1:1 --quiet
  moonshift: 127.0.0.1:1: connection refused: is Redis running there?
  [3]
  $ printf '[verify]\nchecks = ["memory"]\n' > look.toml
  $ moonshift job look.toml --url redis://127.0.0.1:1
  moonshift: 127.0.0.1:1: connection refused: is Redis running there?
  [3]

Somebody is there who speaks another language.

  $ cat > other.py <<'EOF'
  > import socket
  > server = socket.socket(socket.AF_UNIX)
  > server.bind("other.sock")
  > server.listen()
  > while True:
  >     client = server.accept()[0]
  >     client.recv(100)
  >     client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
  >     client.close()
  > EOF
  $ python3 other.py >/dev/null 2>&1 & servers+=($!); disown
  $ eventually test -S other.sock
  $ purge --url "unix://$PWD/other.sock"
  moonshift: */other.sock: *no Redis reply* (glob)
  [3]

Passwords

  $ start_redis guarded --requirepass hunter2
  $ redis-cli -s guarded.sock --no-auth-warning -a hunter2 acl setuser cleaner on '>s3cret' '~rl:*' +@all >/dev/null
  $ guarded=$PWD/guarded.sock
  $ purge --url "unix://$guarded"
  moonshift: */guarded.sock: NOAUTH Authentication required: write user:password@ before the host* (glob)
  [3]
  $ purge --url "unix://:hunter3@$guarded"
  moonshift: */guarded.sock: WRONGPASS * check the user and password in the URL (glob)
  [3]
  $ purge --url "unix://nobody:hunter2@$guarded"
  moonshift: */guarded.sock: WRONGPASS * check the user and password in the URL (glob)
  [3]
  $ purge --url "unix://:hunter2@$guarded" | sed -n 1p
  unix://:\*\*\*@*/guarded.sock, * 0 keys, * (glob)
  $ purge --url "unix://cleaner:s3cret@$guarded" | sed -n 1p
  unix://cleaner:\*\*\*@*/guarded.sock, * 0 keys, * (glob)

A password for a Redis that wants none.

  $ start_redis redis
  $ purge --url "unix://:hunter2@$PWD/redis.sock"
  moonshift: */redis.sock: ERR *AUTH* check the user and password in the URL (glob)
  [3]

No output has the password, at any verbosity and however the run ends.

  $ for url in "unix://:hunter2@$guarded" "unix://:hunter2@$guarded?db=99" "unix://nobody:hunter2@$guarded" \
  >   "unix://:hunter2@$PWD/nobody.sock" redis://:hunter2@127.0.0.1:1 redis://u:hunter2@no-such-host.invalid/1 \
  >   redis://:hunter2@127.0.0.1:hunter2 redis://:hunter2@host/one redis://default:hunter2 'redis://u:?hunter2@host' \
  >   redis://:hunter2@host?x=hunter2 rediss://:hunter2@host 'redis+sentinel://:hunter2@host' 'redis://u:hunter2%zz@host'; do
  >   for options in "" -v --quiet --json "--json -v" "--engine server"; do
  >     if purge --url "$url" $options > output 2>&1; then :; fi
  >     if grep -q hunter2 output; then echo "told: $url $options"; fi
  >   done
  > done

Nor where a URL stands in the wrong place.

  $ url=redis://:hunter2@host
  $ for arguments in "run ratelimit/purge $url" "$url" "run $url" "verify $url" "job $url" "run ratelimit/purge --param $url" \
  >   "run ratelimit/purge --engine $url" "run ratelimit/purge --param only=$url" "run ratelimit/purge --timeout $url" \
  >   "run ratelimit/purge --url-file $url" "run ratelimit/purge --scripts $url" "jobs --schedules $url" "run ratelimit/purge --$url"; do
  >   if moonshift $arguments > output 2>&1; then :; fi
  >   if grep -q hunter2 output; then echo "told: $arguments"; fi
  > done

Nor does `ps` show it while the run goes on.

  $ cat > scripts/endless.lua <<'EOF'
  > return task {
  >   find = function(p, emit) while true do end end,
  >   each = function(p, key) return "removed" end,
  > }
  > EOF
  $ moonshift run endless --scripts scripts --timeout 20s --url "unix://:hunter2@$guarded" >/dev/null & run=$!
  $ connected() { redis-cli -s guarded.sock --no-auth-warning -a hunter2 client list | grep name=moonshift; }
  $ eventually connected
  $ tr '\0' ' ' < /proc/$run/cmdline; echo
  * --url unix://*\*\*\*@*/guarded.sock * (glob)
  $ { kill -KILL $run; wait $run; } 2>/dev/null
  [137]

A user who may do only part of it

What the ACL forbids to the run as a whole is told at once, what it forbids for one item is that item's failure.

  $ cli() { redis-cli -s guarded.sock --no-auth-warning -a hunter2 "$@"; }
  $ cli acl setuser reader on '>s3cret' '~*' +@read +@connection +info +command +time >/dev/null
  $ cli set rl:1 x >/dev/null
  $ purge --url "unix://reader:s3cret@$guarded" | grep -E 'NOPERM|^run'
      scripts/lib/limiter.lua:*: NOPERM *pexpire* (glob)
  run * took *: a script or a step failed (glob)
  [1]
  $ cli acl setuser reader -info >/dev/null
  $ purge --url "unix://reader:s3cret@$guarded"
  moonshift: */guarded.sock: NOPERM * (glob)
  [3]

A replica that may only be read

Nothing can be changed there: that is no failure of a thousand items.

  $ start_redis replica; fill_at() { redis-cli -s $1.sock eval 'for i = 1, 300 do redis.call("SET", "rl:" .. i, "x") end' 0 >/dev/null; }
  $ fill_at replica; redis-cli -s replica.sock replicaof 127.0.0.1 1 >/dev/null
  $ for engine in local server; do
  >   purge --url "unix://$PWD/replica.sock" --engine $engine --json > report || echo "[$?]"
  >   < report fields failed error exit_code
  > done
  [3]
  failed = 0
  error = "*/replica.sock: READONLY * this is a replica: give the URL of its master" (glob)
  exit_code = 3
  [3]
  failed = 0
  error = "*/replica.sock: READONLY * this is a replica: give the URL of its master" (glob)
  exit_code = 3

Looking is possible.

  $ purge --url "unix://$PWD/replica.sock" --dry-run --json | fields found
  found = 300
  $ moonshift verify memory --url "unix://$PWD/replica.sock" --quiet

A Redis that is loading its dataset is waited for.

  $ start_redis big --rdbcompression no
  $ redis-cli -s big.sock eval 'for i = 1, 300 do redis.call("SET", "rl:" .. i, ("x"):rep(1500)) end' 0 >/dev/null
  $ redis-cli -s big.sock save
  OK
  $ cp big.rdb slow.rdb; cp big.rdb slower.rdb
  $ start_redis slow --key-load-delay 1000 --loading-process-events-interval-bytes 1024
  $ redis-cli -s slow.sock ping
  LOADING Redis is loading the dataset in memory
  
  $ purge --url "unix://$PWD/slow.sock" --dry-run --json | fields found
  found = 300

But not for longer than --timeout.

  $ start_redis slower --key-load-delay 10000 --loading-process-events-interval-bytes 1024
  $ purge --url "unix://$PWD/slower.sock" --timeout 200ms
  moonshift: */slower.sock: LOADING Redis is loading the dataset in memory: * (glob)
  [3]

A Redis that cannot save refuses to be written to (MISCONF).

  $ start_redis unsaved; fill_at unsaved; redis-cli -s unsaved.sock config set save '900 1' >/dev/null
  $ mkdir unsaved.rdb; redis-cli -s unsaved.sock bgsave >/dev/null
  $ save_failed() { redis-cli -s unsaved.sock info persistence | grep rdb_last_bgsave_status:err; }
  $ eventually save_failed
  $ for engine in local server; do
  >   purge --url "unix://$PWD/unsaved.sock" --engine $engine > output 2>&1 || echo "[$?]"
  >   grep -oE 'MISCONF|Redis cannot save its dataset: see its log and INFO persistence' output
  > done
  [3]
  MISCONF
  Redis cannot save its dataset: see its log and INFO persistence
  [3]
  MISCONF
  Redis cannot save its dataset: see its log and INFO persistence
  $ redis-cli -s unsaved.sock dbsize
  300

A Redis without memory still lets go: removing works in both engines.

  $ start_redis full; fill_at full; redis-cli -s full.sock config set maxmemory 500kb >/dev/null
  $ redis-cli -s full.sock set another x
  OOM command not allowed when used memory > 'maxmemory'.
  
  $ for engine in local server; do
  >   moonshift run ratelimit/purge --param pattern='rl:1*' --url "unix://$PWD/full.sock" --engine $engine --json | fields found outcomes exit_code
  >   redis-cli -s full.sock config set maxmemory 0 >/dev/null; fill_at full; redis-cli -s full.sock config set maxmemory 500kb >/dev/null
  > done
  found = 111
  outcomes = {"removed": 111}
  exit_code = 0
  found = 111
  outcomes = {"removed": 111}
  exit_code = 0

BullMQ's jobs, too: Redis takes no transactions then, so auto chooses the server engine.

  $ for engine in auto server; do
  >   redis-cli -s full.sock config set maxmemory 0 >/dev/null
  >   redis-cli -s full.sock hset bull:mail:meta version bullmq:5.0.0 >/dev/null
  >   redis-cli -s full.sock zadd bull:mail:completed 1000 1 2000 2 >/dev/null
  >   redis-cli -s full.sock hset bull:mail:1 name a timestamp 900 finishedOn 1000 >/dev/null
  >   redis-cli -s full.sock hset bull:mail:2 name a timestamp 900 finishedOn 2000 >/dev/null
  >   redis-cli -s full.sock config set maxmemory 500kb >/dev/null
  >   moonshift run bullmq/clean --url "unix://$PWD/full.sock" --engine $engine --json | fields outcomes exit_code
  > done
  outcomes = {"removed": 2}
  exit_code = 0
  outcomes = {"removed": 2}
  exit_code = 0

A write that needs memory is that item's failure.

  $ cat > scripts/grow.lua <<'EOF'
  > return task {
  >   find = function(p, emit) emit("a") end,
  >   each = function(p, key) redis.call("SET", key, "x"); return "made" end,
  > }
  > EOF
  $ for engine in local server; do
  >   moonshift run grow --scripts scripts --url "unix://$PWD/full.sock" --engine $engine | grep -E 'OOM|^run'
  > done
      scripts/grow.lua:3: OOM command not allowed when used memory > 'maxmemory'.* (glob)
  run * took *: a script or a step failed (glob)
      scripts/grow.lua:3: OOM command not allowed when used memory > 'maxmemory'.* (glob)
  run * took *: a script or a step failed (glob)
  [1]

A script of somebody else blocks Redis.

  $ start_redis busy --busy-reply-threshold 50
  $ redis-cli -s busy.sock eval 'while true do end' 0 >/dev/null 2>&1 & disown
  $ busy() { redis-cli -s busy.sock ping | grep BUSY; }
  $ eventually busy
  $ purge --url "unix://$PWD/busy.sock"
  moonshift: */busy.sock: BUSY Redis is busy running a script.* a script blocks it: SCRIPT KILL ends one that has not written (glob)
  [3]
  $ redis-cli -s busy.sock script kill
  OK

Redis is lost in the middle of a run: what was done until then is told.

  $ cat > scripts/last.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "rl:*" } do emit(key) end end,
  >   each = function(p, key)
  >     while key == "rl:150" do redis.call("PING") end
  >     redis.call("DEL", key)
  >     return "removed"
  >   end,
  > }
  > EOF
  $ start_redis lost; fill_at lost; lost=${servers[-1]}; unset 'servers[-1]'
  $ moonshift run last --scripts scripts --url "unix://$PWD/lost.sock" --json > report & run=$!
  $ one_left() { [ "$(redis-cli -s lost.sock dbsize)" = 1 ]; }
  $ eventually one_left; kill -KILL $lost; wait $run
  [3]
  $ < report fields exit_code error found outcomes
  exit_code = 3
  error = "*/lost.sock: the server closed the connection" (glob)
  found = 300
  outcomes = {"removed": 299}
