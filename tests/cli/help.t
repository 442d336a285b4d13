What moonshift says of itself.

  $ . "$TESTDIR/support.sh"

It explains itself: the commands, and the exit codes.

  $ moonshift --help
  moonshift keeps a Redis healthy: it runs Lua maintenance scripts, and proves that they helped.
  
  usage: moonshift COMMAND [options]
  
    run       run one task now
    eval      run a plain script, as EVAL does
    job       run one job of schedules/ now
    jobs      the jobs
    next      when a cron or calendar expression fires
    daemon    run the jobs at their times
    scripts   the scripts with their help
    units     systemd timers made from the jobs
    verify    do the checks hold
  
  `moonshift COMMAND --help` tells more.
  
  exit codes
    0  done, and verified
    1  a script or a step failed
    2  bad usage, configuration or script
    3  Redis cannot be reached, or is not usable
    4  stopped early; running it again resumes
    5  done, but verification fails
    6  nothing done: another run holds the lock
  
  A plain script does not resume: what it has written stays, and it begins anew.
  $ moonshift --help > long; moonshift -h | diff long - && moonshift help | diff long -

Without a command the same stands on standard error, and it is bad usage.

  $ moonshift 2>&1 >/dev/null | diff long -
  [2]

  $ moonshift --version
  moonshift [0-9]+\.[0-9]+\.[0-9]+ (re)

Every command explains itself, and needs neither Redis nor jobs for that.

  $ for command in run eval job jobs daemon next scripts units verify; do moonshift $command --help </dev/null | sed -n '1p;/^  moonshift/p'; done
  Runs one task, and verifies that it helped; or one check.
    moonshift run SCRIPT [--param name=value ...] [options]
  Runs a plain script, as EVAL does. Takes what redis-cli --eval takes.
    moonshift eval FILE|-|-e TEXT [KEY ...] , [ARG ...] [options]
  Runs one job of schedules/ now: its steps, then its checks.
    moonshift job NAME [options]
  Lists the jobs of schedules/, or checks them.
    moonshift jobs [--check] [options]
  Runs the jobs of schedules/ at their times, each in a process of its own. SIGHUP, or a change in the directory, reads them anew; SIGTERM ends.
    moonshift daemon [options]
  Tells when a cron or calendar expression fires, or an interval: in words, as systemd's OnCalendar, and the next times.
    moonshift next EXPRESSION [options]
  Lists the scripts, or shows the help of one.
    moonshift scripts [NAME] [options]
  Writes a systemd timer for every job that has a schedule.
    moonshift units --output DIR [options]
  Runs the checks, all of checks/ unless some are named.
    moonshift verify [CHECK ...] [options]

  $ options() { moonshift $1 --help | grep -oE '^ +(-[a-z], |    )--[a-z-]+' | sed 's/.*--//' | xargs; }
  $ options run
  help param engine limit rate max-failures batch-time raw-keys memory dry-run now url url-file timeout json quiet verbose scripts
  $ options eval
  help engine batch raw-keys memory url url-file timeout output json quiet verbose
  $ options job
  help schedules scheduled unit dry-run now url url-file timeout json quiet verbose scripts
  $ options jobs
  help next check schedules json quiet verbose scripts
  $ options daemon
  help schedules max-parallel stop-timeout url-file quiet verbose scripts
  $ options next
  help timezone from count json
  $ options scripts
  help check into json quiet verbose scripts output
  $ options units
  help output generator schedules
  $ options verify
  help url url-file timeout json quiet verbose scripts

`help run` is `run --help`.

  $ moonshift help run | head -1
  Runs one task, and verifies that it helped; or one check.

--help wins over whatever else is wrong.

  $ moonshift run nonsense --engine nonsense --help | head -1
  Runs one task, and verifies that it helped; or one check.

An unknown command is answered by the nearest ones.

  $ moonshift jbo
  moonshift: there is no command 'jbo' (did you mean job or jobs?); see moonshift --help
  [2]
  $ moonshift verfy
  moonshift: there is no command 'verfy' (did you mean verify?); see moonshift --help
  [2]
  $ moonshift defragment
  moonshift: there is no command 'defragment'; see moonshift --help
  [2]
  $ moonshift --quiet
  moonshift: there is no command '--quiet'; see moonshift --help
  [2]
