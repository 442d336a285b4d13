"""Every task on what Sidekiq 7 left behind: sidekiq7.rdb, which make_sidekiq7.rb made."""

import os
import unittest

from sidekiq_support import HERE, HOUR, SECOND, SidekiqTest
from support import ENGINES, moonshift_done

RDB = os.path.join(HERE, "sidekiq7.rdb")
YEAR = 365 * 24 * HOUR


class Sidekiq7Test(SidekiqTest):
    def each_world(self):
        for engine in ENGINES:
            world = self.world(RDB)
            identity = world.server.client.smembers("processes").pop().decode()
            world.at(world.now())
            yield engine, world, identity

    def run_task(self, world, script, engine, **params):
        return moonshift_done(f"sidekiq/{script}", world.server.url, engine=engine, **params)

    def test_jobs_of_a_crashed_process(self):
        for engine, world, identity in self.each_world():
            client = world.server.client
            client.pexpire(identity, 50 * SECOND)
            client.pexpire(f"{identity}:work", 50 * SECOND)
            report = self.run_task(world, "requeue-stalled", engine)
            self.assertEqual(report["reasons"], {"kept: its process lives": 1})
            client.pexpire(f"{identity}:work", 539 * SECOND)
            client.delete(identity)
            report = self.run_task(world, "requeue-stalled", engine)
            self.assertEqual(report["outcomes"], {"requeued": 3})
            self.assertEqual({job["args"][0] for job in world.queue("default")[:2]}, {"runs0", "runs1"})
            self.assertEqual([job["args"] for job in world.queue("low:er")], [["runs2", 0, 600]])
            report = self.run_task(world, "orphans", engine, grace="0s", repair="true")
            self.assertEqual(report["outcomes"], {"removed": 1})
            self.assertEqual(client.scard("processes"), 0)

    def test_failed_jobs(self):
        for engine, world, _ in self.each_world():
            later = world.now(HOUR)
            report = self.run_task(world, "retry-failed", engine, state="dead", now=later)
            self.assertEqual(report["outcomes"], {"retried": 10})
            report = self.run_task(world, "retry-failed", engine, error="IOError: no luck: fails1*", now=later)
            self.assertEqual(report["outcomes"], {"retried": 11})
            self.assertEqual({job["retry_count"] for job in world.queue("default")[3:]}, {-1})
            report = self.run_task(world, "promote-overdue", engine, now=later)
            self.assertEqual(report["outcomes"], {"promoted": 9 + 10})
            self.assertEqual(world.sizes()["schedule"], 5)
            count = len(world.queue("default"))
            world.work(count)
            self.assertEqual(world.sizes()["retry"], 20)
            self.assertEqual(world.sizes()["dead"], 10)
            self.assertEqual({name[:4] for name, n in world.done().items() if n == 1}, {"good", "late", "wait"})

    def test_old_jobs_go(self):
        for engine, world, _ in self.each_world():
            report = self.run_task(world, "clean", engine, older_than="7d", now=world.now(YEAR))
            self.assertEqual(report["outcomes"], {"removed": 10})
            report = self.run_task(world, "clean", engine, state="retry", older_than="7d", now=world.now(YEAR))
            self.assertEqual(report["outcomes"], {"removed": 20})
            self.assertEqual(world.sizes()["dead"] + world.sizes()["retry"], 0)

    def test_a_process_is_told_to_be_quiet(self):
        for engine, world, identity in self.each_world():
            report = self.run_task(world, "pause", engine, queues="low:er")
            self.assertEqual(report["outcomes"], {"paused": 1})
            self.assertEqual(world.server.client.lrange(f"{identity}-signals", 0, -1), [b"TSTP", b"TSTP"])


if __name__ == "__main__":
    unittest.main()
