"""What python-limits says to visitors: limits_visitors.py SOCKET STRATEGY LIMIT HITS VISITOR...

Each visitor knocks HITS times; prints as JSON whether the last one was let in, a visitor each.
"""

import json
import sys

import limits
import limits.storage
import limits.strategies

socket, strategy, limit, hits, *visitors = sys.argv[1:]
storage = limits.storage.storage_from_string(f"redis+unix://{socket}")
limiter = limits.strategies.STRATEGIES[strategy](storage)
rate = limits.parse(limit)
print(json.dumps({who: [limiter.hit(rate, who) for _ in range(int(hits))][-1] for who in visitors}))
