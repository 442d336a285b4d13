`moonshift next` tells when an expression fires.

  $ . "$TESTDIR/support.sh"
  $ unset TZ

In words, as a calendar expression of systemd, and as times: of the zone, in UTC, and from now on.

  $ moonshift next '30 2 * * *' --timezone Europe/Berlin --from 2026-03-27T12:00:00Z --count 3
  at 02:30 every day, Europe/Berlin
  calendar: *-*-* 02:30:00 Europe/Berlin
  
  next                                           UTC      in
  Sat 2026-03-28 02:30:00 CET   2026-03-28T01:30:00Z  13h30m
  Sun 2026-03-29 03:00:00 CEST  2026-03-29T01:00:00Z   1d13h
  Mon 2026-03-30 02:30:00 CEST  2026-03-30T00:30:00Z   2d12h

  $ moonshift next '30 2 * * *' --timezone UTC --from 2026-03-01T12:00:00Z --count 2 --json
  {"expression":"30 2 * * *","words":"at 02:30 every day, UTC","timezone":"UTC","calendar":"*-*-* 02:30:00 UTC","next":["2026-03-02T02:30:00Z","2026-03-03T02:30:00Z"]}

It takes cron, calendars and intervals, and five times if nothing else is said.

  $ words() { moonshift next "$@" | head -2; }
  $ words 'Fri *-*~07/1 18:00 America/New_York'
  at 18:00 on Friday that is among the last 7 days of every month, America/New_York
  calendar: Fri *-*~01..07 18:00:00 America/New_York
  $ words 6h
  every 6 hours, counted from midnight UTC
  calendar: *-*-* 00/6:00:00 UTC
  $ words '0 0 13 * FRI' --timezone UTC
  at 00:00 on Friday or on day 13 of every month, UTC
  calendar: none: a calendar expression has no 'or' between the day of the month and the weekday; make two jobs of it
  $ moonshift next '0 0 13 * FRI' --timezone UTC --json | fields calendar calendar_reason
  calendar = null
  calendar_reason = "a calendar expression has no 'or' between the day of the month and the weekday; make two jobs of it"
  $ moonshift next @hourly --json | fields next | grep -o 'T' | wc -l
  5

Without a time zone it is this host's.

  $ TZ=Asia/Tokyo moonshift next daily --from 2026-03-01T00:00:00Z --count 1
  at 00:00 every day, Asia/Tokyo
  calendar: *-*-* 00:00:00 Asia/Tokyo
  
  next                                          UTC   in
  Mon 2026-03-02 00:00:00 JST  2026-03-01T15:00:00Z  15h

  $ TZ=:/etc/localtime moonshift next daily --json | fields timezone > linked
  $ moonshift next daily --json | fields timezone | diff linked -
  $ TZ=CET-1CEST,M3.5.0,M10.5.0/3 moonshift next daily --from 2026-07-01 --count 1
  at 00:00 every day, CET-1CEST,M3.5.0,M10.5.0/3
  calendar: none: systemd has no time zone 'CET-1CEST,M3.5.0,M10.5.0/3', which is that of the environment variable TZ; give the schedule a timezone of its own
  
  next                                           UTC  in
  Thu 2026-07-02 00:00:00 CEST  2026-07-01T22:00:00Z  1d

The times may be those after a day, and after a time of the zone or with an offset.

  $ after() { moonshift next 1s --timezone Asia/Tokyo --count 1 --json --from "$1" | fields next.0; }
  $ after 2026-12-31
  next.0 = "2026-12-30T15:00:01Z"
  $ after 2026-12-31T10:00
  next.0 = "2026-12-31T01:00:01Z"
  $ after 2026-12-31T10:00:00+05:30
  next.0 = "2026-12-31T04:30:01Z"

What does not come again has no times.

  $ moonshift next '2025-12-24 18:00' --timezone UTC --from 2026-03-01T00:00:00Z
  at 18:00 on day 24 of December in 2025, UTC
  calendar: 2025-12-24 18:00:00 UTC
  
  It does not come again after 2026-03-01T00:00:00.000Z.
  $ moonshift next '2025-12-24 18:00' --from 2026-03-01T00:00:00Z --json | fields next
  next = []

What is wrong is told with its place in the expression, and with what is allowed.

  $ moonshift next '30 25 * * *'
  moonshift: cron '30 25 * * *', column 4: 25 is no hour: write 0 to 23
  [2]
  $ moonshift next '0 0 31 2 *'
  moonshift: cron '0 0 31 2 *', column 5: February has no day 31
  [2]
  $ moonshift next '30 2 * *'
  moonshift: cron '30 2 * *', column 9: this has 4 fields: write five (minute, hour, day of the month, month, weekday), as in "30 2 * * *", or six with seconds first
  [2]
  $ moonshift next 'Mon..Fry 10:00'
  moonshift: calendar 'Mon..Fry 10:00', column 6: 'Fry' is no weekday: write Mon, Tue, Wed, Thu, Fri, Sat or Sun, a range Mon..Fri, or a list with commas
  [2]
  $ moonshift next dayly
  moonshift: calendar 'dayly', column 1: what is 'dayly'? (did you mean daily?) Write weekdays such as Mon..Fri, or a word such as daily
  [2]
  $ moonshift next 5
  moonshift: '5' may mean much: an interval has a unit, such as 5m. Write cron, minute hour day month weekday: "30 2 * * *"; a calendar expression of systemd: "Mon..Fri *-*-* 02:30" or "daily"; or an interval: "6h"
  [2]
  $ moonshift next 30 2 '*' '*' '*'
  moonshift: the expression is one word: put it in quotes, as in moonshift next "30 ..."
  [2]
  $ moonshift next
  moonshift: which expression? (see --help)
  [2]
  $ moonshift next daily --timezone Europe/Berln
  moonshift: --timezone: there is no time zone 'Europe/Berln' (did you mean Europe/Berlin*?); it is an IANA name, such as Europe/Berlin (glob)
  [2]
  $ TZ=Nowhere/Land words daily 2>&1 | head -2
  moonshift: the environment variable TZ: there is no time zone 'Nowhere/Land'; UTC is taken for it
  at 00:00 every day, UTC
  $ moonshift next daily --count 0
  moonshift: --count: '0' is no whole number from 1 to 10000
  [2]
  $ TZ=Etc/UTC moonshift next daily --from yesterday
  moonshift: --from: 'yesterday' is not a time: write 2026-11-01T02:30:00Z, 2026-11-01T02:30+01:00, 2026-11-01T02:30 or 2026-11-01 as the clocks of Etc/UTC show it, or milliseconds since 1970
  [2]
  $ moonshift next daily --timezone localtime
  moonshift: --timezone: there is no time zone 'localtime' (did you mean this host's, *?); it is an IANA name, such as Europe/Berlin (glob)
  [2]
  $ moonshift next 5M
  moonshift: '5M' is not a duration (did you mean 5m?): an interval is a number and a unit of w d h m s, as in 90m, 6h, 1h30m
  [2]
  $ moonshift next dayly --json 2>/dev/null | fields exit_code
  exit_code = 2
  [2]
