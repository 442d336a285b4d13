`moonshift job` runs a job's steps, then its checks.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock"
  $ mkdir schedules
  $ cat > scripts/drop.lua <<'EOF'
  > --- Deletes keys.
  > return task {
  >   params = { like = { type = "glob", required = true, help = "which keys" } },
  >   find = function(p, emit) for key in scan.keys { match = p.like } do emit(key) end end,
  >   each = function(p, key)
  >     if key == "b:odd" then error("it is odd") end
  >     redis.call("DEL", key)
  >     return "removed"
  >   end,
  > }
  > EOF
  $ mkdir scripts/checks
  $ cat > scripts/checks/size.lua <<'EOF'
  > --- How many keys there are.
  > return check {
  >   params = { most = { type = "integer", default = 1, help = "most keys" } },
  >   run = function(p)
  >     local keys = redis.call("DBSIZE")
  >     return { { level = keys > p.most and "critical" or "ok", what = "keys", value = tostring(keys), limit = tostring(p.most) } }
  >   end,
  > }
  > EOF
  $ cat > schedules/nightly.toml <<'EOF'
  > description = "Nightly maintenance"
  > cron        = "30 2 * * *"
  > url         = "${REDIS_URL}"
  > timeout     = "1m"
  > [budget]
  > batch_time = "1ms"
  > [[step]]
  > script = "drop"
  > params = { like = "a:*" }
  > [[step]]
  > script = "drop"
  > params = { like = "b:*" }
  > engine = "server"
  > [verify]
  > checks = ["size", { check = "size", params = { most = 5 } }]
  > EOF

The steps run one after the other, each with its own parameters and engine; then the checks.

  $ fill 2 a:; fill 3 b:; fill 1 c:
  $ moonshift job nightly --scripts scripts
  nightly: Nightly maintenance
  unix://*/redis.sock, * *.*, 6 keys, * (glob)
  
  drop like=a:*
    found 2: 2 removed, 0 failed
    verified: find emits nothing more
  
  drop like=b:*
    found 3: 3 removed, 0 failed
    verified: find emits nothing more
  
  step  engine * (glob)
  drop  local  * (glob)
  drop  server * (glob)
  
  level  check        what        value
  ok     checks/size  keys  1 (limit 1)
  ok     checks/size  keys  1 (limit 5)
  
  keys 6 -> 1, memory * -> * (glob)
  run * took *: done, and verified (glob)

As JSON it is one object, with an object a step.

  $ fill 2 a:
  $ moonshift job nightly --scripts scripts --json > report; wc -l < report
  1
  $ < report fields job description steps.0.script steps.0.outcomes steps.1.engine steps.1.found findings.1.limit verdict exit_code
  job = "nightly"
  description = "Nightly maintenance"
  steps.0.script = "drop"
  steps.0.outcomes = {"removed": 2}
  steps.1.engine = "server"
  steps.1.found = 0
  findings.1.limit = "5"
  verdict = "ok"
  exit_code = 0

A critical check: the work was done, but did not help; exit code 5.

  $ fill 3 c:; fill 1 a:
  $ moonshift job nightly --scripts scripts --json > report
  [5]
  $ < report fields steps.0.outcomes findings.0.level findings.0.value findings.1.level verdict exit_code
  steps.0.outcomes = {"removed": 1}
  findings.0.level = "critical"
  findings.0.value = "3"
  findings.1.level = "ok"
  verdict = "critical"
  exit_code = 5

A step that fails does not keep the others from their work; exit code 1 says so, whatever the checks say.

  $ redis flushall >/dev/null; fill 2 a:; redis mset b:odd x b:1 x >/dev/null
  $ moonshift job nightly --scripts scripts --json > report
  [1]
  $ < report fields steps.0.exit_code steps.1.exit_code steps.1.outcomes steps.1.failed findings.0.level
  steps.0.exit_code = 0
  steps.1.exit_code = 1
  steps.1.outcomes = {"removed": 1}
  steps.1.failed = 1
  findings.0.level = "ok"
  $ fill 3 c:
  $ moonshift job nightly --scripts scripts --quiet | tail -1
  run * took *: a script or a step failed (glob)
  [1]

--quiet prints nothing if all is well.

  $ redis flushall >/dev/null; moonshift job nightly --scripts scripts --quiet

A report that cannot be printed is no success, and hides no failure.

  $ moonshift job nightly --scripts scripts >/dev/full
  moonshift: standard output cannot be written
  [1]
  $ fill 3 c:; moonshift job nightly --scripts scripts --json >/dev/full
  moonshift: standard output cannot be written
  [5]
  $ redis flushall >/dev/null

A dry run changes nothing, and runs no checks.

  $ fill 3 a:
  $ moonshift job nightly --scripts scripts --dry-run --json | fields steps.0.found steps.0.dry_run findings exit_code
  steps.0.found = 3
  steps.0.dry_run = true
  findings = []
  exit_code = 0
  $ redis dbsize
  3

A job may be a file anywhere, or one of a directory of jobs.

  $ mkdir elsewhere; mv schedules/nightly.toml elsewhere/ours.toml
  $ moonshift job elsewhere/ours.toml --scripts scripts --dry-run --json | fields job
  job = "ours"
  $ moonshift job ours --schedules elsewhere --scripts scripts --dry-run --json | fields job
  job = "ours"

Which Redis: --url wins over the job's own; that may name a variable; without one, as everywhere else.

  $ start_redis other; redis-cli -s other.sock set a:other x >/dev/null
  $ keys_at() { moonshift job elsewhere/ours.toml --scripts scripts --dry-run --json "$@" | fields steps.0.found; }
  $ keys_at
  steps.0.found = 3
  $ REDIS_URL=unix://$PWD/other.sock keys_at
  steps.0.found = 1
  $ keys_at --url "unix://$PWD/other.sock"
  steps.0.found = 1
  $ echo "unix://$PWD/other.sock" > url; keys_at --url-file url
  steps.0.found = 1
  $ env -u REDIS_URL moonshift job elsewhere/ours.toml --scripts scripts
  moonshift: * REDIS_URL* (glob)
  [2]
  $ sed -i '/^url/d' elsewhere/ours.toml; keys_at
  steps.0.found = 3
  $ mkdir credentials; cp url credentials/redis-url; CREDENTIALS_DIRECTORY=$PWD/credentials keys_at
  steps.0.found = 1

On a host with systemd the credential is where the password is: ${REDIS_URL} is found there, too.

  $ sed -i '1i url = "${REDIS_URL}"' elsewhere/ours.toml
  $ keys_at_credential() (unset REDIS_URL; CREDENTIALS_DIRECTORY=$PWD/credentials keys_at)
  $ keys_at_credential
  steps.0.found = 1

A job of checks alone writes nothing and has no steps.

  $ printf '[verify]\nchecks = ["clients"]\n' > schedules/look.toml
  $ moonshift job look --json | fields steps findings.0.check exit_code
  steps = []
  findings.0.check = "checks/clients"
  exit_code = 0

Another run holds the job's lease: nothing is done. A dry run needs none, nor does a job that says so.

  $ printf '[[step]]\nscript = "drop"\nparams = { like = "a:*" }\n' > schedules/leased.toml
  $ export REDIS_URL="unix://$PWD/redis.sock"; redis flushall >/dev/null; fill 2 a:
  $ redis set moonshift:lease:leased 'web1 pid 7 5f3a1c' px 60000
  OK
  $ moonshift job leased --scripts scripts | sed 1,2d
  error: web1 pid 7 runs the job: it holds its lease, for * if it does not renew it (glob)
  run * took *: nothing done: another run holds the lock (glob)
  [6]
  $ redis exists a:1 a:2
  2
  $ moonshift job leased --scripts scripts --dry-run --json | fields exit_code
  exit_code = 0
  $ sed -i '1i lease = false' schedules/leased.toml
  $ moonshift job leased --scripts scripts --json | fields steps.0.outcomes exit_code
  steps.0.outcomes = {"removed": 2}
  exit_code = 0
