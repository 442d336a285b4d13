The daemon runs the jobs at their times, each in a process of its own.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock" STATE_DIRECTORY=$PWD/state
  $ mkdir schedules
  $ cat > scripts/count.lua <<'EOS'
  > --- Counts its runs.
  > return task {
  >   params = { key = { type = "string", default = "runs", help = "where" } },
  >   find = function(p, emit) emit(p.key) end,
  >   each = function(p, key) redis.call("INCR", key) return "kept" end,
  > }
  > EOS
  $ job() { printf '%s\n' "$2" '[[step]]' 'script = "count"' "params = { key = \"$1\" }" > new; mv new schedules/$1.toml; }
  $ start_daemon() { moonshift daemon --scripts scripts "$@" </dev/null 2>>log & daemon=$!; servers+=($daemon); }
  $ runs_more() { local before=$(redis get $1); eventually eval "((\$(redis get $1) > ${before:-0}))"; }
  $ stop_daemon() { kill -TERM $daemon; wait $daemon; }

A job's output is in the log under its name and its run's id.

  $ job often 'every = "1s"'
  $ start_daemon
  $ runs_more often && runs_more often
  $ eventually grep -E 'often [0-9TZ]+-[0-9a-f]{6}: run [0-9TZ]+-[0-9a-f]{6} took .*: done, and verified' log

What `moonshift jobs` tells of it.

  $ moonshift jobs --scripts scripts --next 2 | sed -E 's/[0-9]{4}-[0-9-]+[T ][0-9:]+/TIME/g; s/ +/ /g; s/ (Mon|Tue|Wed|Thu|Fri|Sat|Sun) / DAY /g'
  job when next local time last run verdict description steps and checks
  often every second* (glob)
  * (glob)
  $ eventually eval 'moonshift jobs --json | fields 0.last_run.ending | grep -q verified'
  $ moonshift jobs --json | fields 0.overdue_since
  0.overdue_since = null

A new job, and a changed one, are read at once; so is everything at SIGHUP.

  $ job second 'every = "1s"'
  $ runs_more second
  $ kill -HUP $daemon; runs_more second

A file that is broken leaves the job as it was, and that is told.

  $ echo 'every = "1 sec' > schedules/second.toml
  $ eventually grep 'second.toml:1:15: .*; the job stays as it was' log
  $ runs_more second
  $ rm schedules/second.toml; eventually grep -E '1 of 1 jobs' log; : > log

A link to a job, and another directory in the place of the old one, are seen as well; one that is gone leaves the jobs as they were.

  $ mkdir elsewhere; job linked 'every = "1s"'; mv schedules/linked.toml elsewhere; ln -s ../elsewhere/linked.toml schedules/linked.toml
  $ runs_more linked
  $ mkdir new; cp schedules/often.toml new/moved.toml; sed -i 's/often/moved/' new/moved.toml
  $ mv schedules old; mv new schedules
  $ runs_more moved
  $ mv schedules gone; eventually grep 'all jobs stay as they were' log
  $ runs_more moved
  $ mv old schedules; runs_more often
  $ rm schedules/linked.toml; eventually grep -E '1 of 1 jobs' log

SIGTERM lets running jobs end between two batches.

  $ cat > scripts/long.lua <<'EOS'
  > return task {
  >   find = function(p, emit) for i = 1, 100000 do emit(tostring(i)) end end,
  >   each = function(p, i) redis.call("INCR", "long") return "kept" end,
  > }
  > EOS
  $ printf 'every = "1s"\n[[step]]\nscript = "long"\nrate = 100\n' > new; mv new schedules/long.toml
  $ runs_more long; rm schedules/often.toml
  $ stop_daemon
  $ grep -oE 'long [0-9TZ]+-[0-9a-f]{6}: stopped early' log | sed 's/ .*:/:/'
  long: stopped early
  $ redis exists moonshift:lease:long
  0

What it remembers of its runs survives it.

  $ moonshift jobs --json | fields 0.job 0.last_run.exit_code 0.last_run.running
  0.job = "long"
  0.last_run.exit_code = 4
  0.last_run.running = false

While Redis is gone a due job waits for it.

  $ rm schedules/*; job often 'every = "1s"'; : > log
  $ kill -KILL ${servers[0]}; eventually eval '! redis ping'; rm -f redis.sock
  $ start_daemon
  $ eventually grep 'Redis is gone; its jobs wait for it' log
  $ start_redis redis
  $ runs_more often
  $ grep -c 'Redis is gone' log
  1
  $ stop_daemon

Of two daemons one runs the job; the other one finds its lease held.

  $ rm schedules/*; : > log
  $ printf 'every = "1s"\n[[step]]\nscript = "both"\nrate = 10\nlimit = 100\n' > schedules/both.toml
  $ cat > scripts/both.lua <<'EOS'
  > return task {
  >   find = function(p, emit) for i = 1, 100 do emit(tostring(i)) end end,
  >   each = function(p, i) redis.call("INCR", "both") return "kept" end,
  > }
  > EOS
  $ start_daemon; first=$daemon
  $ STATE_DIRECTORY=$PWD/state2 start_daemon
  $ eventually grep 'both .*nothing done: another run holds the lock' log
  $ kill -TERM $first $daemon; wait $first; wait $daemon

What it is given is looked at before it begins.

  $ moonshift daemon --schedules nowhere
  moonshift: nowhere: there is no such directory of jobs (see --schedules)
  [2]
  $ moonshift daemon --max-parallel 0
  moonshift: --max-parallel: '0' is no whole number above 0
  [2]
