"""Puts the Python library limits to use on a Redis: use_limits.py SOCKET.

Without a socket it prints the Lua scripts that the library brings, as JSON: name -> text.
"""

import json
import pathlib
import sys

import limits
import limits.storage
import limits.strategies

directory = pathlib.Path(limits.__file__).parent / "resources/redis/lua_scripts"
scripts = {file.stem: file.read_text() for file in sorted(directory.glob("*.lua"))}


def use(socket):
    storage = limits.storage.storage_from_string(f"redis+unix://{socket}")
    rates = [limits.parse("3/hour"), limits.parse("5 per 2 days")]
    for strategy in limits.strategies.STRATEGIES.values():
        limiter = strategy(storage)
        for visitor in ("203.0.113.7", "ключ-ü-🚀", "two\nlines", "nul\0inside"):
            for rate in rates:
                for cost in (1, 2, 1):
                    limiter.hit(rate, strategy.__name__, visitor, cost=cost)
                    limiter.test(rate, strategy.__name__, visitor)
                    limiter.get_window_stats(rate, strategy.__name__, visitor)
        limiter.clear(rates[0], strategy.__name__, "203.0.113.7")
    # Some versions bring this one, and no class of theirs calls it: key, burst, rate, period and
    # cost. Its own expiry is in ms where it means s, so the period is long enough for both.
    if "gcra_consume" in scripts:
        consume = storage.storage.register_script(scripts["gcra_consume"])
        for cost in (1, 1, 2, 0, 3, 1):
            consume(["LIMITER/gcra/visitor"], [4.5, 10, 100_000_000, cost])
    # A reset deletes what KEYS finds, 5000 keys at a time.
    storage.storage.mset({f"LIMITER/many/{i}": i for i in range(5100)} | {"NO LIMITER": 1})
    storage.reset()
    storage.reset()


if len(sys.argv) > 1:
    use(sys.argv[1])
else:
    print(json.dumps(scripts))
