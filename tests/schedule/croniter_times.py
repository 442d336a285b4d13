"""Reads a line `FROM COUNT`, in seconds since 1970, and then cron expressions, seconds first.
Prints the next times of each in a line; `refused` for what croniter does not take."""

import sys
from datetime import datetime, timezone

from croniter import croniter

first, *lines = sys.stdin.read().splitlines()
start, count = (int(word) for word in first.split())
for line in lines:
    fields = line.split()
    if len(fields) == 6:  # croniter has the seconds last
        fields = fields[1:] + fields[:1]
    try:
        times = croniter(" ".join(fields), datetime.fromtimestamp(start, timezone.utc))
        print(*[int(times.get_next(float)) for _ in range(count)])
    except (ValueError, KeyError):
        print("refused")
