"""The tasks for Celery while producers and workers run at full speed and workers are killed."""

import os
import threading
import time
import unittest
from collections import defaultdict

from celery_support import HOUR, Celery
from support import RealTest, moonshift_done, until

SECONDS = float(os.environ.get("MOONSHIFT_LIVE_SECONDS", "10"))


class Traffic(threading.Thread):
    """Sends tasks to two queues, in all priorities, until it is stopped."""

    def __init__(self, celery):
        super().__init__(daemon=True)
        self.celery, self.sent, self.going = celery, [], True

    def run(self):
        with self.celery.app.producer_pool.acquire() as producer:
            while self.going:
                i = len(self.sent)
                queue = ("celery", "mail:out")[i % 2]
                self.celery.send(f"t{i}", queue, priority=i % 10, producer=producer)
                self.sent.append(f"t{i}")
                if i % 50 == 0:
                    until(lambda: i - self.celery.records.llen("ran") < 500 or not self.going, "the workers keep up")

    def stop(self):
        self.going = False
        self.join()


class Live(RealTest):
    def test_every_task_runs_once(self):
        celery = Celery(self, self.redis(), task_acks_late=True)
        url, killed = celery.server.url, []
        both = "celery,mail:out"
        celery.worker(queues=both, name="lives", prefetch=20)
        traffic = Traffic(celery)
        traffic.start()
        requeued, end = 0, time.monotonic() + SECONDS

        def maintain():
            report = moonshift_done("celery/requeue-stalled", url, engine="server", visibility_timeout="4s")
            self.assertEqual(set(report["outcomes"]) - {"requeued", "gone"}, set(), report)
            seen = moonshift_done("celery/orphans", url, engine="server", grace="300ms", repair="true")["outcomes"]
            self.assertEqual(set(seen) - {"gone"}, set(), "nothing that lives is an orphan")
            for engine in ("local", "server"):
                moonshift_done("celery/clean", url, engine=engine, older_than="1s", state="any")
            return report["outcomes"].get("requeued", 0)

        while time.monotonic() < end:
            name = f"dies{len(killed)}"
            victim, here = celery.worker(queues=both, name=name, prefetch=20), f"celery@{name}"
            until(lambda: here.encode() in b"".join(celery.records.lrange("ran", -50, -1)), "it works")
            requeued += maintain()
            celery.fill(name, 20)
            celery.kill(victim)
            killed.append(here)
        traffic.stop()
        while True:
            requeued += maintain()
            if celery.held() == (0, 0) and not celery.server.client.exists("celery", "mail:out"):
                break

        runs = defaultdict(list)
        for line in celery.records.lrange("ran", 0, -1):
            name, where = line.decode().split(" ")
            runs[name].append(where)
        self.assertEqual(set(runs), set(traffic.sent))
        self.assertEqual({name: where for name, where in runs.items() if len(where) > 1}, {})
        self.assertEqual(requeued, 20 * len(killed))

        moonshift_done("celery/clean", url, now=celery.now(HOUR), older_than="1s", state="any")
        left = [it for it in celery.server.client.scan_iter() if not it.startswith(b"_kombu.binding.")]
        self.assertEqual(left, [])
        print(f"{len(runs)} tasks, {len(killed)} workers killed, {requeued} messages requeued")


if __name__ == "__main__":
    unittest.main()
