"""All tasks at once, again and again, beside producers and workers at full speed, some of which are killed."""

import collections
import os
import random
import threading
import time
from datetime import timedelta

import jobs
from rq import Queue, Retry
from support import ENGINES, moonshift, moonshift_done, until
from world import RqTest

SECONDS = float(os.environ.get("MOONSHIFT_LIVE_SECONDS", "10"))
heartbeat = 4  # seconds; a worker that gets no turn on the processor for so long counts as dead

#: How often a job of each kind runs.
runs = {"ok": 1, "often": 3, "once": 2, "later": 1, "parent": 1, "child": 1}

tasks = [
    ("rq/clean", {"older_than": "1s"}),
    ("rq/clean", {"older_than": "1s", "state": "failed", "queues": "bad"}),
    ("rq/requeue-stalled", {}),
    ("rq/retry-failed", {"error": "*the first time*"}),
    ("rq/retry-failed", {"error": "*Moved to FailedJobRegistry*"}),
    ("rq/promote-overdue", {}),
]


class Traffic:
    """Producers and workers on one server; knows what was added, and how many workers were killed."""

    def __init__(self, test, server):
        self.test, self.server = test, server
        self.added, self.killed = [], 0
        self.going = True
        self.workers = [self.hire() for _ in range(2)]
        self.workers.append(self.hire("--scheduler"))
        self.threads = [threading.Thread(target=it) for it in (self.produce, self.kill)]
        for it in self.threads:
            it.start()

    def hire(self, *options):
        return self.test.worker(self.server, "mail", "bad", options=options, heartbeat=heartbeat)

    def produce(self):
        client = self.server.connect()
        mail, bad = Queue("mail", connection=client), Queue("bad", connection=client)
        kept = {"result_ttl": -1, "failure_ttl": -1}
        spare = {**kept, "retry": Retry(max=5)}
        number = 0
        while self.going:
            if client.llen("rq:queue:mail") > 300:
                time.sleep(0.01)
                continue
            number += 1

            def name(kind, number=number):
                self.added.append(f"{kind}-{number}")
                return self.added[-1]

            mail.enqueue(jobs.succeed, job_id=name("ok"), **spare)
            if number % 5 == 0:
                bad.enqueue(jobs.fail, job_id=name("often"), retry=Retry(max=2), **kept)
            if number % 5 == 1:
                mail.enqueue(jobs.fail_once, job_id=name("once"), **kept)
            if number % 5 == 2:
                mail.enqueue_in(timedelta(seconds=1), jobs.succeed, job_id=name("later"), **spare)
            if number % 5 == 3:
                parent = mail.enqueue(jobs.succeed, job_id=name("parent"), **spare)
                mail.enqueue(jobs.succeed, job_id=name("child"), depends_on=parent, **spare)
        client.close()

    def kill(self):
        """Kills a worker every other second, whatever it does, and hires another."""
        while self.going:
            time.sleep(2)
            victim = self.workers.pop(random.randrange(2))
            self.test.kill(victim)
            self.killed += 1
            self.workers.insert(0, self.hire())

    def stop(self):
        self.going = False
        for it in self.threads:
            it.join()


class Live(RqTest):
    def test_nothing_is_lost_and_nothing_runs_twice(self):
        for engine in ENGINES:
            server = self.world()
            server.client.set("rq:clean_registries:mail", 1, ex=800)  # as if a worker had cleaned long ago
            server.client.set("rq:clean_registries:bad", 1, ex=800)
            traffic = Traffic(self, server)
            fsck = threading.Thread(target=self.fsck, args=(server, engine, traffic))
            fsck.start()
            until(lambda: len(server.ran()) > 50, "jobs run")
            deadline = time.monotonic() + SECONDS / len(ENGINES)
            while time.monotonic() < deadline:
                for script, params in tasks:
                    self.run_task(server, script, engine, params)
            traffic.stop()
            fsck.join()
            self.drain(server, engine)
            self.check(server, traffic)
            self.clear(server, engine)
            for it in traffic.workers:
                self.kill(it)
            server.stop()

    def run_task(self, server, script, engine, params):
        code, report, errors = moonshift(script, server.url, engine=engine, **params)
        self.assertIn(code, (0, 5), (report, errors))  # 5: some failed again while it looked
        self.assertEqual(report["failed"], 0, report)

    def fsck(self, server, engine, traffic):
        while traffic.going:
            self.run_task(server, "rq/orphans", engine, {"repair": "true", "grace": "3s"})

    def drain(self, server, engine):
        """Until all work is done: what was lost by a killed worker comes back by the tasks."""

        def is_done():
            for script, params in tasks[2:]:
                self.run_task(server, script, engine, params)
            counts = [server.client.llen(f"rq:queue:{it}") for it in ("mail", "bad")]
            counts += [server.client.zcard(f"rq:wip:{it}") for it in ("mail", "bad")]
            counts.append(server.client.zcard("rq:scheduled:mail") + server.client.zcard("rq:failed:mail"))
            return not sum(counts)

        until(is_done, "all work is done", seconds=60)
        self.run_task(server, "rq/orphans", engine, {"repair": "true", "grace": "100ms"})
        until(is_done, "all work is done", seconds=60)

    def check(self, server, traffic):
        ran = collections.Counter(server.ran())
        self.assertEqual([it for it in traffic.added if not ran[it]], [], "lost")
        extra = {it: ran[it] for it in traffic.added if ran[it] > runs[it.split("-")[0]]}
        missing = {it: ran[it] for it in traffic.added if ran[it] < runs[it.split("-")[0]]}
        self.assertLessEqual(len(extra), traffic.killed, f"more often than needed: {extra}")
        self.assertLessEqual(len(missing), traffic.killed, f"not often enough: {missing}")
        print(f"{len(traffic.added)} jobs, {traffic.killed} workers killed, again ran {extra}", flush=True)

    def clear(self, server, engine):
        """After everything is cleaned away, no key of a job is left."""
        now = int(server.client.time()[0] + 60) * 1000
        for state in ("finished", "failed"):
            moonshift_done("rq/clean", server.url, engine=engine, state=state, older_than="0s", now=now)
        moonshift_done("rq/orphans", server.url, engine=engine, repair="true", grace="10ms")
        kept = (b"rq:worker", b"rq:clean", b"rq:sched")
        self.assertEqual([key for key in server.client.keys("rq:*") if not key.startswith(kept)], [b"rq:queues"])
