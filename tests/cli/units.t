Timers of systemd, made from jobs.

  $ . "$TESTDIR/support.sh"
  $ mkdir -p etc/schedules
  $ job() { printf '%s\n' "${@:2}" '[verify]' 'checks = ["memory"]' > "etc/schedules/$1.toml"; }
  $ job nightly 'description = "Nightly maintenance"' 'cron = "30 2 * * *"' 'timezone = "Europe/Berlin"' 'catch_up = true' 'jitter = "10m"'
  $ job hourly-stalled 'cron = "7 * * * *"' 'timezone = "UTC"' 'url = "redis://cache.example.com"'
  $ job recovery

A job without a schedule gets none.

  $ moonshift units --schedules etc/schedules --output units
  units/moonshift@hourly-stalled.timer
  units/moonshift@nightly.timer
  $ sed "s,$PWD,HERE," units/moonshift@nightly.timer | sed -E 's/^(OnCalendar=)20.*/\1DATE/' | uniq
  # Made by moonshift from a job. Change the job instead.
  [Unit]
  Description=moonshift job nightly: Nightly maintenance
  Documentation=man:moonshift(1)
  SourcePath=HERE/etc/schedules/nightly.toml
  
  [Timer]
  OnCalendar=*-*-* 02:30:00 Europe/Berlin
  # Where clocks change, systemd leaves out some of these:
  OnCalendar=DATE
  Persistent=true
  RandomizedDelaySec=10m
  FixedRandomDelay=true
  AccuracySec=1s
  
  [Install]
  WantedBy=timers.target

One that systemd cannot express is refused with its reason, and so is a broken one; the others are written.

  $ job either 'cron = "0 3 1 * MON"' 'url = "redis://cache.example.com"'
  $ job broken 'cron = "61 * * * *"'
  $ rm -r units; moonshift units --schedules etc/schedules --output units 2> errors
  units/moonshift@hourly-stalled.timer
  units/moonshift@nightly.timer
  [2]
  $ cut -c 1-80 errors
  moonshift: etc/schedules/broken.toml:1:8: cron '61 * * * *', column 1: * (glob)
  moonshift: etc/schedules/either.toml: systemd has no form of '0 3 1 * MON': * (glob)

A generator never fails, and writes nothing before there is a Redis, but for a job that has its own.

  $ moonshift units --generator normal early late --schedules etc/schedules 2> again; diff errors again
  $ find normal -type f -o -type l | sort
  normal/moonshift@hourly-stalled.timer
  normal/timers.target.d/moonshift.conf
  normal/timers.target.wants/moonshift@hourly-stalled.timer
  $ echo unix:///run/redis.sock > etc/redis-url
  $ moonshift units --generator normal early late --schedules etc/schedules 2> /dev/null
  $ cat normal/timers.target.d/moonshift.conf
  [Unit]
  Upholds=moonshift@hourly-stalled.timer
  Upholds=moonshift@nightly.timer
  $ moonshift units --generator full --schedules nowhere; ls -d full
  ls: cannot access 'full': No such file or directory
  [2]
  $ echo > file; moonshift units --generator file --schedules etc/schedules 2>&1 | tail -1
  moonshift: * (glob)

A service gives a job's name as it stands in the unit's name.

  $ mv etc/schedules/nightly.toml 'etc/schedules/night & day.toml'
  $ moonshift job --unit 'night\x20\x26\x20day' --schedules etc/schedules --url scratch: --quiet; echo $?
  0
  $ moonshift job --unit 'hourly-stalled' --schedules etc/schedules --url scratch: --quiet; echo $?
  0

A job that is gone has no timer any more.

  $ rm etc/schedules/broken.toml
  $ moonshift units --schedules etc/schedules --output units 2> /dev/null
  units/moonshift@hourly-stalled.timer
  units/moonshift@night\x20\x26\x20day.timer
  units/moonshift@nightly.timer (removed: its job is gone)
  [2]

What a timer starts leaves a time that another host has run.

  $ start_redis redis
  $ printf '%s\n' 'every = "1h"' '[[step]]' 'script = "ratelimit/purge"' 'params = { pattern = "rl:*" }' > etc/schedules/hourly.toml
  $ redis set moonshift:ran:hourly "2199-01-01T00:00:00.000Z web2" > /dev/null
  $ moonshift job --unit hourly --schedules etc/schedules --url "unix://$PWD/redis.sock" --quiet > /dev/null
  [6]
  $ moonshift job --unit hourly.toml --schedules etc/schedules
  moonshift: there is no job 'hourly.toml' in etc/schedules; it has: * (glob)
  [2]

It wants to know where to.

  $ moonshift units
  moonshift: where to? Give --output DIR (see --help)
  [2]
  $ moonshift units here
  moonshift: what is 'here'? Give --output DIR
  [2]
  $ moonshift units --generator
  moonshift: --generator: into which directory?
  [2]
