`moonshift verify` tells whether the checks hold.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock"

All checks run, unless some are named; `memory` is short for checks/memory. A warning is told, and is no failure.

  $ moonshift verify --json | fields exit_code verdict | sed 's/"warning"/"ok or warning"/'
  exit_code = 0
  verdict = "ok or warning"
  $ checks() { python3 -c 'import json, sys; print(*sorted({f["check"] for f in json.load(sys.stdin)["findings"]}))'; }
  $ moonshift verify --json | checks
  checks/clients checks/memory checks/persistence
  $ moonshift verify memory --json | checks
  checks/memory
  $ moonshift verify memory checks/clients --json | checks
  checks/clients checks/memory

A person gets a table: level, what was looked at, its value, and what to do.

  $ moonshift verify persistence
  verify: the checks
  unix://*/redis.sock, * keys, * (glob)
  
  level    check               what           value
  ok       checks/persistence  dataset        loaded
  ok       checks/persistence  last RDB save  * ago (glob)
  warning  checks/persistence  AOF            off (limit on): for durability: CONFIG SET appendonly yes
  run [0-9TZ]+-[0-9a-f]{6} took .*: the checks hold (re)

Redis beyond 95 % of its maxmemory is critical: exit code 5.

  $ fill 2000; redis config set maxmemory 1mb >/dev/null
  $ moonshift verify memory | grep -E 'maxmemory|^run'
  critical  checks/memory  memory used of maxmemory  [0-9]+ % \(limit 95 %\): .* (re)
  run * took *: done, but verification fails (glob)
  [5]
  $ moonshift verify memory --json | fields findings.0.level findings.0.what findings.0.limit verdict exit_code
  findings.0.level = "critical"
  findings.0.what = "memory used of maxmemory"
  findings.0.limit = "95 %"
  verdict = "critical"
  exit_code = 5
  [5]

--quiet prints nothing while all is well, and all when not.

  $ moonshift verify clients --quiet
  $ moonshift verify memory --quiet | grep -c critical
  1
  [5]
  $ redis config set maxmemory 0 >/dev/null

A queue server that may throw jobs away is warned of.

  $ redis hset bull:mail:meta version bullmq:5.0.0 >/dev/null
  $ redis config set maxmemory-policy allkeys-lru >/dev/null
  $ moonshift verify memory | grep policy
  warning  checks/memory  eviction policy  allkeys-lru (limit noeviction): it can delete jobs: CONFIG SET maxmemory-policy noeviction

A save that failed is critical, though Redis then refuses even PING with MISCONF.

  $ mkdir redis.rdb; redis config set save '900 1' >/dev/null
  $ redis set a b >/dev/null; redis bgsave >/dev/null
  $ save_failed() { redis info persistence | grep rdb_last_bgsave_status:err; }
  $ eventually save_failed
  $ redis ping
  MISCONF * (glob)
  
  $ moonshift verify persistence | grep 'last RDB save'
  critical  checks/persistence  last RDB save  failed (limit ok): * (glob)
  [5]

A check of one's own

  $ mkdir scripts/checks
  $ start_redis fresh
  $ export REDIS_URL="unix://$PWD/fresh.sock"
  $ cat > scripts/checks/depth.lua <<'EOF'
  > --- Whether the queue is short.
  > return check {
  >   params = { most = { type = "integer", default = 10, help = "most entries" } },
  >   run = function(p)
  >     local depth = redis.call("LLEN", "queue")
  >     local level = depth > p.most and "critical" or "ok"
  >     return { { level = level, what = "queue depth", value = tostring(depth), limit = tostring(p.most) } }
  >   end,
  > }
  > EOF
  $ moonshift verify depth --scripts scripts | grep queue
  ok     checks/depth  queue depth  0 (limit 10)
  $ moonshift verify --scripts scripts --json | checks
  checks/clients checks/depth checks/memory checks/persistence
  $ redis-cli -s fresh.sock rpush queue 1 2 3 4 5 6 7 8 9 10 11 >/dev/null
  $ moonshift verify depth --scripts scripts | grep queue
  critical  checks/depth  queue depth  11 (limit 10)
  [5]

A check that writes, fails or returns nonsense is a failed script (exit code 1), with its file and line;
the other checks run.

  $ echo 'return check { run = function(p) redis.call("SET", "a", "b") return {} end }' > scripts/checks/depth.lua
  $ moonshift verify depth clients --scripts scripts | grep -E 'error:|^ok +checks/clients  connected'
  ok     checks/clients  connected clients * (glob)
  error: *scripts/checks/depth.lua:1: a check may only read, and SET writes* (glob)
  [1]
  $ redis-cli -s fresh.sock exists a
  0
  $ echo 'return check { run = function(p) return { { level = "fine", what = "depth" } } end }' > scripts/checks/depth.lua
  $ moonshift verify depth --scripts scripts | grep error:
  error: *checks/depth*: a finding's level must be ok, warning or critical, not 'fine' (glob)
  [1]
  $ echo 'return check { run = function(p) end }' > scripts/checks/depth.lua
  $ moonshift verify depth --scripts scripts | grep error:
  error: *scripts/checks/depth.lua: a check must return a list of findings (glob)
  [1]

A check that finds nothing to look at returns an empty list.

  $ echo 'return check { run = function(p) return {} end }' > scripts/checks/depth.lua
  $ moonshift verify depth --scripts scripts --json | fields findings verdict exit_code
  findings = []
  verdict = "ok"
  exit_code = 0

A check may look at what Redis lets no EVAL script look at: its configuration, its clients, its role.

  $ cat > scripts/checks/depth.lua <<'EOF'
  > return check {
  >   run = function(p)
  >     local most = redis.call("CONFIG", "GET", "maxclients")[2]
  >     local clients = redis.call("CLIENT", "LIST")
  >     return { { level = "ok", what = redis.call("ROLE")[1], value = most .. " " .. type(clients) } }
  >   end,
  > }
  > EOF
  $ moonshift verify depth --scripts scripts --json | fields findings.0.what findings.0.value
  findings.0.what = "master"
  findings.0.value = "[0-9]+ string" (re)
