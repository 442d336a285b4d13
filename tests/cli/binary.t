Keys and ids are bytes: whatever stands in them is treated exactly, and shown so that it harms no terminal.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock"

An empty Redis: nothing to do, exit code 0, for every task that ships, in both engines.

  $ for engine in local server; do
  >   moonshift run ratelimit/purge --param pattern='*' --param everything=true --engine $engine | told
  >   moonshift run bullmq/clean --engine $engine | told
  > done
  ratelimit/purge everything=true only=leaked pattern=* type=string
    nothing to do
    verified: find emits nothing more
  bullmq/clean keep=0 older_than=7d prefix=bull queues=* state=completed
    nothing to do
    verified: find emits nothing more
  ratelimit/purge everything=true only=leaked pattern=* type=string
    nothing to do
    verified: find emits nothing more
  bullmq/clean keep=0 older_than=7d prefix=bull queues=* state=completed
    nothing to do
    verified: find emits nothing more

Newlines, NULs, UTF-8, bytes that are no UTF-8, an escape sequence, quotes, globs, a percent sign, nothing.

  $ cat > names.lua <<'EOF'
  > local names = { "line\nbreak", "nul\0byte", "grün", "\255\254", "\27[31mred", "it's \"quoted\"", "*", "[a]", "a?", "%s%n", "", "\\", " " }
  > for _, name in ipairs(names) do redis.call("SET", ARGV[1] .. name, "x") end
  > return #names
  > EOF
  $ names() { redis eval "$(cat names.lua)" 0 "$1"; }
  $ for engine in local server; do
  >   redis flushall >/dev/null; names rl:; names other:
  >   moonshift run ratelimit/purge --param pattern='rl:*' --engine $engine --json | fields found outcomes failed exit_code
  >   redis dbsize
  > done
  13
  13
  found = 13
  outcomes = {"removed": 13}
  failed = 0
  exit_code = 0
  13
  13
  13
  found = 13
  outcomes = {"removed": 13}
  failed = 0
  exit_code = 0
  13

They are shown without line breaks and escape sequences.

  $ moonshift run ratelimit/purge --param pattern='other:*' --dry-run | grep 'would treat' | LC_ALL=C sort
    would treat other:
    would treat other: 
    would treat other:%s%n
    would treat other:* (glob)
    would treat other:[a]
    would treat other:\
    would treat other:\x1b[31mred
    would treat other:\xff\xfe
    would treat other:a?
    would treat other:gr\xc3\xbcn (esc)
    would treat other:it's "quoted"
    would treat other:line\nbreak
    would treat other:nul\x00byte

In JSON a name that is UTF-8 is a string; another is base64, so that nothing is lost.

  $ moonshift run ratelimit/purge --param pattern='other:*' --dry-run --json | python3 -c '
  > import base64, json, sys
  > names = [item[0] for item in json.load(sys.stdin)["sample"]]
  > for name in sorted(base64.b64decode(n["b64"]) if isinstance(n, dict) else n.encode() for n in names): print(name)
  > '
  b'other:'
  b'other:\x1b[31mred'
  b'other: '
  b'other:%s%n'
  b'other:*'
  b'other:[a]'
  b'other:\\'
  b'other:a?'
  b'other:gr\xc3\xbcn'
  b'other:it\'s "quoted"'
  b'other:line\nbreak'
  b'other:nul\x00byte'
  b'other:\xff\xfe'

So is the name of an item that fails.

  $ cat > scripts/fails.lua <<'EOF'
  > return task {
  >   find = function(p, emit) for key in scan.keys { match = "other:nul*" } do emit(key) end end,
  >   each = function(p, key) error("not " .. key) end,
  > }
  > EOF
  $ for engine in local server; do
  >   moonshift run fails --scripts scripts --engine $engine | grep -A 1 'failed: other' || echo "[$?]"
  >   moonshift run fails --scripts scripts --engine $engine --json | fields failures.0.item failures.0.error || echo "[$?]"
  > done
    failed: other:nul\x00byte
      scripts/fails.lua:3: not other:nul\x00byte
  [1]
  failures.0.item = ["other:nul\u0000byte"]
  failures.0.error = "scripts/fails.lua:3: not other:nul\u0000byte"
  [1]
    failed: other:nul\x00byte
      scripts/fails.lua:3: not other:nul\x00byte
  [1]
  failures.0.item = ["other:nul\u0000byte"]
  failures.0.error = "scripts/fails.lua:3: not other:nul\u0000byte"
  [1]

Names of a megabyte; a report shows their beginning.

  $ for engine in local server; do
  >   redis flushall >/dev/null
  >   redis eval 'for i = 1, 9 do redis.call("SET", "rl:" .. i .. ("x"):rep(1048576), "x") end' 0
  >   moonshift run ratelimit/purge --param pattern='rl:*' --dry-run --engine $engine | grep 'would treat' | awk '{ print length($0) < 200 }' | sort -u
  >   moonshift run ratelimit/purge --param pattern='rl:*' --engine $engine --json | fields found outcomes exit_code
  >   redis dbsize
  > done
  
  1
  found = 9
  outcomes = {"removed": 9}
  exit_code = 0
  0
  
  1
  found = 9
  outcomes = {"removed": 9}
  exit_code = 0
  0

A pattern's own special characters: `\*` is a star, and a name with globs in it is no pattern.

  $ redis mset 'rl:*' x rl:1 x 'rl:[ab]' x rl:a x >/dev/null
  $ moonshift run ratelimit/purge --param pattern='rl:\*' --json | fields outcomes
  outcomes = {"removed": 1}
  $ moonshift run ratelimit/purge --param pattern='rl:\[ab\]' --json | fields outcomes
  outcomes = {"removed": 1}
  $ redis --raw keys '*' | sort
  rl:1
  rl:a

Queues and job ids with colons, globs, spaces and bytes: exactly the old jobs go, with exactly what is theirs.

  $ cat > jobs.lua <<'EOF'
  > local queues = { "mail", "a:b", "[x]*", "line\nbreak", "grün" }
  > local ids = { "1", "job:1", "job:1:logs", "*", "with blank", "nul\0byte", "\255", "" }
  > for _, queue in ipairs(queues) do
  >   local base = "bull:" .. queue .. ":"
  >   redis.call("HSET", base .. "meta", "version", "bullmq:5.0.0")
  >   for i, id in ipairs(ids) do
  >     redis.call("ZADD", base .. "completed", 1000 + i, id)
  >     redis.call("HSET", base .. id, "name", "n", "timestamp", "900", "finishedOn", 1000 + i)
  >   end
  >   redis.call("RPUSH", base .. "1:logs", "one", "two")
  >   redis.call("ZADD", base .. "completed", 33333333333333, "new")
  >   redis.call("HSET", base .. "new", "name", "n", "timestamp", "900", "finishedOn", 33333333333333)
  > end
  > return #queues * #ids
  > EOF
  $ for engine in local server; do
  >   redis flushall >/dev/null; redis eval "$(cat jobs.lua)" 0
  >   moonshift run bullmq/clean --engine $engine --json | fields found outcomes failures exit_code
  >   redis eval 'local keys = redis.call("KEYS", "*") table.sort(keys) return keys' 0
  > done > both; cat both
  40
  found = 40
  outcomes = {"removed": 40}
  failures = []
  exit_code = 0
  bull:[x]*:completed
  bull:[x]*:meta
  bull:[x]*:new
  bull:a:b:completed
  bull:a:b:meta
  bull:a:b:new
  bull:gr\xc3\xbcn:completed (esc)
  bull:gr\xc3\xbcn:meta (esc)
  bull:gr\xc3\xbcn:new (esc)
  bull:line
  break:completed
  bull:line
  break:meta
  bull:line
  break:new
  bull:mail:completed
  bull:mail:meta
  bull:mail:new
  40
  found = 40
  outcomes = {"removed": 40}
  failures = []
  exit_code = 0
  bull:[x]*:completed
  bull:[x]*:meta
  bull:[x]*:new
  bull:a:b:completed
  bull:a:b:meta
  bull:a:b:new
  bull:gr\xc3\xbcn:completed (esc)
  bull:gr\xc3\xbcn:meta (esc)
  bull:gr\xc3\xbcn:new (esc)
  bull:line
  break:completed
  bull:line
  break:meta
  bull:line
  break:new
  bull:mail:completed
  bull:mail:meta
  bull:mail:new

One queue is chosen by its name, as a glob; a name with globs in it is escaped.

  $ redis flushall >/dev/null; redis eval "$(cat jobs.lua)" 0 >/dev/null
  $ moonshift run bullmq/clean --param queues='\[x\]\*' --json | fields outcomes
  outcomes = {"removed": 8}
  $ moonshift run bullmq/clean --param queues='a:?' --json | fields outcomes
  outcomes = {"removed": 8}
  $ moonshift run bullmq/clean --param prefix='bul?' --json | fields found
  found = 0
