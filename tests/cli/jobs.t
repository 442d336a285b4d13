What `moonshift jobs` tells about the jobs.

  $ . "$TESTDIR/support.sh"
  $ mkdir schedules
  $ cat > schedules/nightly.toml <<'EOF'
  > description = "Nightly maintenance"
  > cron        = "30 2 * * *"
  > timezone    = "Europe/Berlin"
  > url         = "redis://:hunter2@cache.example.com"
  > [[step]]
  > script = "bullmq/clean"
  > [[step]]
  > script = "ratelimit/purge"
  > params = { pattern = ["rl:*", "rlflx:*"] }
  > [verify]
  > checks = ["memory", { check = "clients", params = { warn = 0.5 } }]
  > EOF
  $ cat > schedules/sweep.toml <<'EOF'
  > [[step]]
  > script = "ratelimit/purge"
  > params = { pattern = "rl:*" }
  > EOF

It lists the jobs of ./schedules: when, what for, and with what.

  $ TZ=America/New_York moonshift jobs | sed -E 's/ +/ /g; s/[A-Z][a-z]{2} [0-9]{4}-[0-9]{2}-[0-9]{2}/DAY/g; s/(20|21):30:00 E[SD]T/EVENING/; s/CES?T/CET/; s/ +$//'
  job when next local time last run verdict description steps and checks
  nightly at 02:30 every day, Europe/Berlin DAY 02:30:00 CET DAY EVENING Nightly maintenance bullmq/clean, ratelimit/purge, checks/memory, checks/clients
  sweep by hand ratelimit/purge
  $ cd /; moonshift jobs --schedules "$OLDPWD/schedules" | wc -l; cd "$OLDPWD"
  3
  $ moonshift jobs --json | fields 0.job 0.schedule 0.timezone 0.steps 0.checks 1.job 1.path
  0.job = "nightly"
  0.schedule = "30 2 * * *"
  0.timezone = "Europe/Berlin"
  0.steps = ["bullmq/clean", "ratelimit/purge"]
  0.checks = ["checks/memory", "checks/clients"]
  1.job = "sweep"
  1.path = "schedules/sweep.toml"

The zone of a schedule is told wherever it stands.

  $ mkdir zones
  $ for when in 'calendar = "03:00 Asia/Tokyo"' 'every = "6h"' 'description = "by hand"'; do
  >   printf '%s\n[[step]]\nscript = "bullmq/clean"\n' "$when" > "zones/${when%% *}.toml"
  > done
  $ TZ=America/New_York moonshift jobs --schedules zones --json | fields 0.timezone 1.timezone 2.timezone
  0.timezone = "Asia/Tokyo"
  1.timezone = ""
  2.timezone = "America/New_York"

More of their next times, and what the daemon remembers of the last run.

  $ moonshift jobs --next 3 | grep -c 02:30:00
  3
  $ moonshift jobs --next 0
  moonshift: --next: '0' is no whole number from 1 to 1000
  [2]
  $ mkdir state; export STATE_DIRECTORY=$PWD/state
  $ cat > state/state.json <<'EOF'
  > {"version": 1, "jobs": {"nightly": {"handled": "2026-02-10T01:30:00.000Z", "running": false, "run": "20260210T013000Z-5f3a1c",
  >   "scheduled": "2026-02-10T01:30:00.000Z", "started": "2026-02-10T01:30:01.000Z", "ended": "2026-02-10T01:31:00.000Z", "exit_code": 5}}}
  > EOF
  $ moonshift jobs --json | fields 0.last_run.run 0.last_run.ending 0.overdue_since 1.last_run
  0.last_run.run = "20260210T013000Z-5f3a1c"
  0.last_run.ending = "done, but verification fails"
  0.overdue_since = "2026-02-11T01:30:00.000Z"
  1.last_run = null
  $ moonshift jobs | grep -oE '2026-02-10T01:30:01Z +overdue since 2026-02-11T01:30:00Z'
  2026-02-10T01:30:01Z  overdue since 2026-02-11T01:30:00Z

A password of a job's URL is nowhere in it.

  $ moonshift jobs -v 2>&1 | grep hunter2; moonshift jobs --json -v 2>&1 | grep hunter2
  [1]

--check reads every job, its scripts and their parameters, needs no Redis, and names every broken file.

  $ moonshift jobs --check >/dev/null
  $ printf 'timeout = "soon"\n' > schedules/a.toml
  $ printf '[[step]]\nscript = "bullmq/clen"\n' > schedules/b.toml
  $ printf '[[step]]\nscript = "ratelimit/purge"\n' > schedules/c.toml
  $ printf 'description = "\n' > schedules/d.toml
  $ moonshift jobs --check > list
  moonshift: schedules/a.toml:1:11: timeout: 'soon' is not a duration: * (glob)
  moonshift: schedules/b.toml:2:10: there is no script 'bullmq/clen' (did you mean bullmq/clean or bull/clean?): `moonshift scripts` lists them all
  moonshift: schedules/c.toml:*: ratelimit/purge: the parameter 'pattern' is required: which keys, such as rl:* (glob, several) (glob)
  moonshift: schedules/d.toml:1:*: * (glob)
  [2]

The jobs that can be read are listed all the same, with or without --check.

  $ grep -oE '^(nightly|sweep)' list
  nightly
  sweep
  $ moonshift jobs 2>/dev/null | grep -oE '^(nightly|sweep)'
  nightly
  sweep
  [2]

A job's scripts may come from a directory of one's own.

  $ rm schedules/[a-d].toml
  $ echo 'return task { find = function(p, emit) end, each = function() end }' > scripts/ours.lua
  $ printf '[[step]]\nscript = "ours"\n' > schedules/ours.toml
  $ moonshift jobs --check >/dev/null
  moonshift: schedules/ours.toml:2:10: there is no script 'ours'* (glob)
  [2]
  $ moonshift jobs --check --scripts scripts >/dev/null

Whatever a job calls itself, it can be shown.

  $ mkdir odd
  $ printf 'description = "a\\u001b[2Jb\\nc"\n[[step]]\nscript = "bullmq/clean"\n' > odd/$'\xff'.toml
  $ moonshift jobs --schedules odd --json | fields 0.job 0.description
  0.job = "\ufffd"
  0.description = "a\u001b[2Jb\nc"
  $ moonshift jobs --schedules odd | tail -n +2 | sed -E 's/ +/ /g'
  \xff by hand a\x1b[2Jb\nc bullmq/clean

What is no file, and what an editor leaves there, is no job.

  $ mkdir left; mkfifo left/fifo.toml; mkdir left/directory.toml; ln -s me@host.1234:5 left/.#job.toml
  $ moonshift jobs --schedules left --check --json
  []

What cannot be printed is no success.

  $ for command in jobs 'jobs --json' 'next @daily' 'scripts' '--version' 'jobs --help'; do
  >   moonshift $command >/dev/full; echo "exit $?"
  > done 2>&1 | sort | uniq -c | sed 's/^ *//'
  6 exit 1
  6 moonshift: standard output cannot be written
  $ moonshift jobs --next 0 --json >/dev/full
  moonshift: --next: '0' is no whole number from 1 to 1000
  [2]
  $ moonshift eval -e 'return 1' --url scratch: >/dev/full
  moonshift: standard output cannot be written
  [1]

No jobs are no error; no directory is one.

  $ mkdir none; moonshift jobs --schedules none --json
  []
  $ moonshift jobs --schedules missing
  moonshift: missing: there is no such directory of jobs (see --schedules)
  [2]
