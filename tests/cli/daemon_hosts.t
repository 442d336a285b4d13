Two daemons have the same job. The first one is stopped for longer than its lease, with all that it runs.

  $ . "$TESTDIR/support.sh"
  $ start_redis redis
  $ export REDIS_URL="unix://$PWD/redis.sock"
  $ cat > scripts/work.lua <<'EOS'
  > --- Counts what is done, and by whom.
  > return task {
  >   params = { host = { type = "string", default = "", help = "who" } },
  >   find = function(p, emit) for i = 1, 100000 do emit(tostring(i)) end end,
  >   each = function(p, i) redis.call("INCR", p.host) return "kept" end,
  > }
  > EOS
  $ daemon() {
  >   mkdir "$1"
  >   printf '%s\n' 'every = "1s"' 'lease = "1s"' '[[step]]' 'script = "work"' "params = { host = \"$1\" }" 'rate = 200' > "$1/work.toml"
  >   STATE_DIRECTORY=$PWD/$1-state setpriv --pdeathsig KILL moonshift daemon --schedules "$1" --scripts scripts </dev/null 2>>"$1.log" &
  >   daemon=$!
  >   servers+=($daemon)
  > }
  $ works() { local before=$(redis get $1); eventually eval "((\$(redis get $1) > ${before:-0}))"; }
  $ daemon first; first=$daemon
  $ works first
  $ run=$(pgrep -P $first)

The second one finds the lease held, until the first one cannot renew it.

  $ daemon second; second=$daemon
  $ eventually grep 'nothing done: another run holds the lock' second.log
  $ redis exists second
  0
  $ kill -STOP $first $run
  $ works second
  $ done_by_first=$(redis get first)

When the first one goes on, it does nothing more, and the second one is not disturbed.

  $ kill -CONT $run $first
  $ eventually grep 'work .*stopped early' first.log
  $ grep -o 'moonshift:lease:work is lost: another host may run the job now' first.log
  moonshift:lease:work is lost: another host may run the job now
  $ (($(redis get first) == done_by_first)) || redis get first
  $ works second
  $ grep -c 'stopped early' second.log
  0
  [1]
  $ eventually grep 'nothing done: another run holds the lock' first.log

A second daemon with the state of the first one is refused.

  $ STATE_DIRECTORY=$PWD/first-state moonshift daemon --schedules first --scripts scripts
  moonshift: */first-state: another daemon has its state there; give each its own STATE_DIRECTORY (glob)
  [2]
  $ kill -TERM $first $second; wait $first; wait $second
  $ redis exists moonshift:lease:work
  0
