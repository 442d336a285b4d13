"""All tasks again and again while Sidekiq's processes run jobs as fast as they can, and one of them is killed."""

import os
import time
import unittest

from sidekiq_support import SidekiqTest, payload
from support import ENGINES, moonshift, moonshift_done, until

SECONDS = int(os.environ.get("MOONSHIFT_LIVE_SECONDS", 10))
QUEUES = ["default", "low:er"]
THREADS, LONG = 6, 4


class LiveTest(SidekiqTest):
    def test_no_job_is_lost_or_runs_twice(self):
        world = self.world()
        client = world.server.client
        killed, survivor = world.worker(["long", *QUEUES], THREADS), world.worker(QUEUES, 5)
        world.begin("produce", SECONDS)
        end = time.monotonic() + SECONDS
        rounds = 0
        outcomes = {}
        while time.monotonic() < end:
            engine = ENGINES[rounds % 2]
            for script, params in (
                ("retry-failed", {}), ("promote-overdue", {"overdue_by": "0s"}), ("requeue-stalled", {}),
                ("orphans", {"repair": "true", "grace": "0s"}), ("clean", {"older_than": "1h"}),
            ):
                code, report, errors = moonshift(f"sidekiq/{script}", world.server.url, engine=engine, **params)
                self.assertIn(code, (0, 5), (report, errors))  # new work may come as fast as it is done
                self.assertEqual(report["failed"], 0, report)
                for word, count in report["outcomes"].items():
                    outcomes[script, word] = outcomes.get((script, word), 0) + count
            rounds += 1
            if rounds == 2:
                long_jobs = [payload(f"long{i}", "long", args=[f"long{i}", 0, 3600]) for i in range(LONG)]
                client.lpush("queue:long", *long_jobs)
                until(lambda: client.llen("test:begun") == LONG, "the long jobs run", 30)
                beat = client.hget(killed.identity, "beat")
                until(lambda: client.hget(killed.identity, "beat") != beat, "their process has recorded them", 30)
                world.kill(killed)
        count = world.answer()
        if client.exists(killed.identity):
            self.assertEqual(client.llen("queue:long"), 0, "the process is not yet known to be dead")
            client.pexpire(world.record(killed), 530_000)  # a minute goes by
            world.forget(killed.identity)
        for engine in ENGINES:
            moonshift_done("sidekiq/requeue-stalled", world.server.url, engine=engine)

        def all_is_done():
            for script, params in (("retry-failed", {}), ("promote-overdue", {"overdue_by": "0s"})):
                moonshift(f"sidekiq/{script}", world.server.url, **params)
            sizes = world.sizes()
            sizes["queues"].pop("long")
            return not any([sizes["retry"], sizes["dead"], sizes["schedule"], *sizes["queues"].values()])

        until(all_is_done, "all is done", 60)
        self.assertEqual(sorted(job["jid"] for job in world.queue("long")), [f"long{i}" for i in range(LONG)])
        done = world.done()
        # The killed process may have taken a few jobs after its last heartbeat, and finished a few since.
        missing = [i for i in range(count) if f"p{i}" not in done]
        twice = [name for name, times in done.items() if times > 1]
        print(f"\n{count} jobs, {rounds} rounds, missing {missing}, twice {twice}, {outcomes}")
        self.assertLessEqual(len(missing), THREADS - LONG)
        self.assertLessEqual(len(twice), THREADS - LONG)
        self.assertGreater(rounds, 2)
        names = {it.decode().split(":")[0] for it in client.scan_iter()}
        self.assertLessEqual(
            {it for it in names if it not in survivor.identity},
            {"queues", "queue", "processes", "stat", "test", "process_cleanup"} | {it for it in names if it[:2] == "j|"}
            | {it for it in names if it.startswith("Record-")})


if __name__ == "__main__":
    unittest.main()
