"""sidekiq/clean, promote-overdue and retry-failed on jobs that Sidekiq itself ran, beside Sidekiq's own ways."""

import json
import random
import threading
import unittest
from collections import Counter

from sidekiq_support import DAY, HOUR, MINUTE, SECOND, SidekiqTest, World, payload
from support import ENGINES, differences, moonshift_done, snapshot


def live_through(world, now, steps=70):
    """Jobs of all kinds in two queues, over the last two weeks: done, failing, dead, waiting, scheduled."""
    choice = random.Random(1)
    for i in range(steps):
        queue = ("default", "low:er")[i % 2]
        world.at(now - 14 * DAY + i * (14 * DAY // steps) + choice.randrange(HOUR))
        jobs = [
            [[f"good{i}"], {"queue": queue}],
            [[f"fails{i}", 2, 0, {"ü🚀": [None, 1.0, {}, []]}], {"queue": queue}],
            [[f"dies{i}", 3], {"queue": queue, "retry": 0}],
        ]
        jids = world.push(jobs)
        world.work(3, [queue])
        if i % 7 == 0:  # fails a second time
            world.at(now - 14 * DAY + i * (14 * DAY // steps) + 2 * HOUR)
            world.retry_by_hand("retry", [jids[1]])
            world.work(1, [queue])
    world.at(now)
    together = now / 1000 - 3600
    world.push([[[f"late{i}"], {"at": together - i // 5}] for i in range(30)])
    world.push([[[f"early{i}"], {"at": now / 1000 + 60 + i, "queue": "low:er"}] for i in range(20)])
    world.push([[[f"waits{i}"], {}] for i in range(10)])


class JobsTest(SidekiqTest):
    @classmethod
    def setUpClass(cls):
        maker = cls("make")
        cls.addClassCleanup(maker.doCleanups)
        maker.make()

    def make(self):
        world = self.world()
        type(self).now = world.now() // 1000 * 1000  # to the second, or floats differ in their last digit
        live_through(world, self.now)
        sizes = world.sizes()
        assert sum(sizes[it] for it in ("retry", "dead", "schedule")) >= 190, sizes
        type(self).rdb = world.server.save()

    def in_both_engines(self):
        """A fresh copy of the world for each engine."""
        for engine in ENGINES:
            world = self.world(self.rdb)
            world.at(self.now)
            yield engine, world

    def run_task(self, world, script, engine, **params):
        return moonshift_done(f"sidekiq/{script}", world.server.url, engine=engine, now=self.now, **params)

    def twin(self):
        """The same world for Sidekiq itself to work on."""
        world = self.world(self.rdb)
        world.at(self.now)
        return world


class CleanTest(JobsTest):
    def test_dead_jobs_go_as_if_deleted_by_hand(self):
        cutoff = (self.now - 5 * DAY) / 1000
        twin = self.twin()
        old = [jid for jid, score in twin.entries("dead") if score < cutoff]
        twin.delete_by_hand("dead", old)
        self.assertGreater(len(old), 20)
        for engine, world in self.in_both_engines():
            report = self.run_task(world, "clean", engine, older_than="5d")
            self.assertEqual(report["outcomes"], {"removed": len(old)})
            self.assertEqual(differences(snapshot(twin.server.client), snapshot(world.server.client)), [])
            self.assertEqual(world.sizes(), twin.sizes())

    def test_retries_go_by_their_first_failure(self):
        cutoff = (self.now - 5 * DAY) / 1000
        for engine, world in self.in_both_engines():
            before = world.jobs("retry")
            old = {jid for jid, (job, _) in before.items() if job["failed_at"] < cutoff}
            report = self.run_task(world, "clean", engine, state="retry", older_than="5d")
            self.assertEqual(report["outcomes"], {"removed": len(old)})
            self.assertGreater(len(old), 20)
            self.assertEqual(world.jobs("retry"), {jid: it for jid, it in before.items() if jid not in old})

    def test_keeps_the_newest_and_other_queues(self):
        for engine, world in self.in_both_engines():
            before = sorted(world.jobs("dead").items(), key=lambda it: it[1][1])
            gone = {jid for jid, (job, _) in before[:-7] if job["queue"] == "low:er"}
            report = self.run_task(world, "clean", engine, older_than="0s", keep=7, queues="low:*")
            self.assertEqual(report["outcomes"].get("removed"), len(gone))
            self.assertEqual(set(world.jobs("dead")), {jid for jid, _ in before} - gone)

    def test_one_that_died_exactly_then_stays(self):
        for engine, world in self.in_both_engines():
            world.server.client.delete("dead")
            at = (self.now - 5 * DAY) / 1000
            world.server.client.zadd("dead", {payload("exact"): at, payload("older"): at - 0.001, "no job": at - 1})
            self.run_task(world, "clean", engine, older_than="5d")
            self.assertEqual(set(world.jobs("dead")), {"exact"})


class PromoteTest(JobsTest):
    def test_does_what_the_poller_does(self):
        twin = self.twin()
        twin.poll()
        for engine, world in self.in_both_engines():
            overdue = sum(score <= self.now / 1000 for it in ("retry", "schedule") for _, score in world.entries(it))
            report = self.run_task(world, "promote-overdue", engine, overdue_by="0s")
            self.assertEqual(report["outcomes"], {"promoted": overdue})
            self.assertGreater(overdue, 90)
            for queue in ("default", "low:er"):
                self.assertEqual(world.queue(queue), twin.queue(queue))
            self.assertEqual(world.sizes(), twin.sizes())
            world.work(world.sizes()["queues"]["default"])
            for name, times in world.done().items():
                self.assertEqual(times, 1, name)
            for i in range(30):
                self.assertIn(f"late{i}", world.done())

    def test_takes_only_what_is_long_overdue_and_asked_for(self):
        for engine, world in self.in_both_engines():
            limit = self.now / 1000 - 3600
            report = self.run_task(world, "promote-overdue", engine, overdue_by="1h", queues="low*")
            self.assertGreater(report["outcomes"]["promoted"], 20)
            left = [it for name in ("retry", "schedule") for it in world.jobs(name).values()]
            self.assertEqual([job for job, score in left if score <= limit and job["queue"] == "low:er"], [])
            self.assertTrue([job for job, score in left if score <= limit])
            self.assertTrue([job for job, score in left if score > limit and job["queue"] == "low:er"])


class RetryTest(JobsTest):
    def test_does_what_the_button_does(self):
        failed = [jid for name in ("retry", "dead") for jid, _ in self.twin().entries(name)]
        twin = self.twin()
        for name in ("retry", "dead"):
            twin.retry_by_hand(name, failed)
        for engine, world in self.in_both_engines():
            report = self.run_task(world, "retry-failed", engine)
            self.assertEqual(report["outcomes"], {"retried": len(failed)})
            by_jid = lambda it, queue: sorted(it.queue(queue), key=lambda job: job["jid"])
            for queue in ("default", "low:er"):
                self.assertEqual(by_jid(world, queue), by_jid(twin, queue))
            self.assertEqual(world.sizes(), twin.sizes())

        for it in (twin, world):  # and what follows is the same
            for queue in ("default", "low:er"):
                it.work(it.sizes()["queues"][queue], [queue])
        outcome = lambda it: {jid: job["retry_count"] for jid, (job, _) in it.jobs("retry").items()}
        self.assertEqual(outcome(world), outcome(twin))
        self.assertEqual(world.done(), twin.done())

    def test_since_and_error_and_state(self):
        since = self.now - 3 * DAY
        for engine, world in self.in_both_engines():
            last = lambda job: job.get("retried_at", job["failed_at"])
            want = {jid for jid, (job, _) in world.jobs("retry").items() if last(job) * 1000 >= since}
            client = world.server.client
            client.zadd("retry", {payload("other", failed_at=self.now / 1000 - 9, retry_count=0,
                                          error_class="KeyError", error_message="no luck: not this"): 1})
            dead = world.entries("dead")
            report = self.run_task(
                world, "retry-failed", engine, state="retry", since="3d", error="IOError: no luck*")
            self.assertEqual(report["outcomes"], {"retried": len(want)})
            self.assertGreater(len(want), 10)
            pushed = {job["jid"] for queue in ("default", "low:er") for job in world.queue(queue)}
            self.assertEqual(want - pushed, set())
            self.assertIn("other", world.jobs("retry"))
            self.assertEqual(world.entries("dead"), dead)
            report = self.run_task(world, "retry-failed", engine, error="no luck: not*")
            self.assertEqual(report["outcomes"], {"retried": 1})
            recent = [jid for jid, score in dead if score * 1000 >= since]
            report = self.run_task(world, "retry-failed", engine, state="dead", since="3d")
            self.assertEqual(report["outcomes"], {"retried": len(recent)})

    def test_what_fails_during_the_run_stays(self):
        for engine, world in self.in_both_engines():
            world.server.client.delete("retry", "dead")
            world.server.client.zadd("retry", {payload("new", failed_at=self.now / 1000 + 1, retry_count=0): 1})
            self.run_task(world, "retry-failed", engine)
            self.assertEqual(set(world.jobs("retry")), {"new"})


# Members as any client may write them, and the same after a move at 1600000000 s.
BYTES = {
    '{"class":"A","args":[[],{},1.0,9007199254740993,"\\u0000\\/ü"],"jid":"a","queue":"q","retry_count":0}':
        '{"class":"A","args":[[],{},1.0,9007199254740993,"\\u0000\\/ü"],"jid":"a","queue":"q","retry_count":-1'
        ',"enqueued_at":1600000000.000}',
    ' { "enqueued_at" : 5 , "class": "A", "args": [{"enqueued_at": 1}], "jid": "b", "queue": "q", "retry_count": null}':
        ' { "enqueued_at" : 1600000000.000 , "class": "A", "args": [{"enqueued_at": 1}], "jid": "b", "queue": "q",'
        ' "retry_count": null}',
    '{"class":"A","args":[],"jid":"c","queue":"a:b*[","retry_count":12}':
        '{"class":"A","args":[],"jid":"c","queue":"a:b*[","retry_count":11,"enqueued_at":1600000000.000}',
}

NO_JOBS = {
    "garbage": "it is no job: not a JSON object",
    "[1]": "it is no job: class or args are missing",
    '{"class":"A"}': "it is no job: class or args are missing",
    '{"class":"A","args":[],"jid":"x"}': "it is no job: jid or queue are missing",
    payload("at", at=5): "its layout is unknown: it has a time `at` of its own",
    payload("ms", created_at=1600000000000): "its layout is unknown: its times are no seconds",
    payload("string", queue="string"): "its queue's key is no list",
}


class MembersTest(SidekiqTest):
    now = 1600000000 * SECOND

    def each_engine(self):
        for engine in ENGINES:
            server = self.redis()
            server.client.set("queue:string", "x")
            yield engine, server

    def test_a_job_keeps_its_bytes(self):
        for engine, server in self.each_engine():
            for prefix in ("", "{a*b}:[ns]:"):
                for script, uncounted in (("promote-overdue", False), ("retry-failed", True)):
                    server.client.zadd(f"{prefix}dead" if uncounted else f"{prefix}retry", {it: 1 for it in BYTES})
                    moonshift_done(f"sidekiq/{script}", server.url, engine=engine, now=self.now, prefix=prefix)
                    pushed = server.client.lrange(f"{prefix}queue:q", 0, -1)
                    pushed += server.client.lrange(f"{prefix}queue:a:b*[", 0, -1)
                    want = [moved if uncounted else moved.replace("-1,", "0,").replace("11,", "12,")
                            for moved in BYTES.values()]
                    self.assertEqual({it.decode() for it in pushed}, set(want))
                    self.assertEqual(server.client.smembers(f"{prefix}queues"), {b"q", b"a:b*["})
                    server.client.delete(f"{prefix}queue:q", f"{prefix}queue:a:b*[", f"{prefix}queues")

    def test_what_is_no_job_stays_and_is_reported(self):
        for engine, server in self.each_engine():
            for script in ("promote-overdue", "retry-failed"):
                server.client.zadd("retry", {it: 1 for it in NO_JOBS})
                before = snapshot(server.client)
                report = moonshift_done(f"sidekiq/{script}", server.url, engine=engine, now=self.now)
                self.assertEqual(report["outcomes"], {"kept": len(NO_JOBS)})
                self.assertEqual(differences(before, snapshot(server.client)), [])
                reasons = Counter(NO_JOBS.values())
                if script == "retry-failed":
                    del reasons["its queue's key is no list"]
                    reasons["it does not say when it failed"] = 1
                self.assertEqual(report["reasons"], {f"kept: {it}": n for it, n in reasons.items()})

    def test_large_jobs(self):
        for engine, server in self.each_engine():
            big = {payload(f"big{i}", args=["x" * (2 << 20)]): i for i in range(6)}
            server.client.zadd("schedule", big)
            report = moonshift_done("sidekiq/promote-overdue", server.url, engine=engine, now=self.now)
            self.assertEqual(report["outcomes"], {"promoted": 6})
            jids = [json.loads(it)["jid"] for it in server.client.lrange("queue:default", 0, -1)]
            self.assertEqual(jids[::-1], [f"big{i}" for i in range(6)])

    def test_a_set_of_another_type_is_reported(self):
        for engine, server in self.each_engine():
            server.client.set("retry", "x")
            server.client.zadd("schedule", {payload("a"): 1})
            with self.assertRaisesRegex(AssertionError, "WRONGTYPE"):
                moonshift_done("sidekiq/promote-overdue", server.url, engine=engine, now=self.now)
            self.assertEqual(server.client.llen("queue:default"), 1)

    def test_beside_a_poller_each_job_is_moved_once(self):
        for engine in ENGINES:
            server = self.redis()
            client = server.client
            client.zadd("schedule", {payload(f"j{i}"): 1.5e9 + i for i in range(6000)})

            def poll():  # as Scheduled::Enq does, but faster
                with server.connect() as rival:
                    while popped := rival.zpopmin("schedule"):
                        rival.lpush("queue:default", popped[0][0])

            poller = threading.Thread(target=poll)
            poller.start()
            report = moonshift_done("sidekiq/promote-overdue", server.url, engine=engine)
            poller.join()
            jids = [json.loads(it)["jid"] for it in client.lrange("queue:default", 0, -1)]
            self.assertEqual(sorted(jids), sorted(f"j{i}" for i in range(6000)))
            self.assertGreater(report["outcomes"]["promoted"], 0)

    def test_in_a_namespace(self):
        for engine in ENGINES:
            with self.subTest(engine=engine):
                world = World(self, self.redis(), "app:1")
                if world.version().startswith("7"):
                    self.skipTest("Sidekiq 7 knows no namespaces")
                now = world.now()
                world.at(now - HOUR)
                world.push([[["a", 1], {}], [["b", 9], {"retry": 0}], [["c"], {"at": now / 1000 - 60}]])
                world.work(2)
                world.at(now)
                options = {"engine": engine, "now": now, "prefix": "app:1:"}
                report = moonshift_done("sidekiq/retry-failed", world.server.url, state="retry", **options)
                self.assertEqual(report["outcomes"], {"retried": 1})
                report = moonshift_done("sidekiq/promote-overdue", world.server.url, overdue_by="1m", **options)
                self.assertEqual(report["outcomes"], {"promoted": 1})
                report = moonshift_done("sidekiq/clean", world.server.url, older_than="1m", **options)
                self.assertEqual(report["outcomes"], {"removed": 1})
                world.work(2)
                self.assertEqual(world.done(), {"a": 1, "c": 1})


class KillTest(SidekiqTest):
    def test_runs_that_are_killed(self):
        now = 1600000000 * SECOND
        for engine in ENGINES:
            server = self.redis()
            pipe = server.client.pipeline()
            for i in range(2000):
                for name in ("retry", "dead", "schedule"):
                    job = payload(f"{name}{i}", failed_at=1.5e9 + i, retry_count=3, queue=f"q{i % 3}")
                    pipe.zadd(name, {job: 1.5e9 + i // 4})
            pipe.execute()
            rdb = server.save()
            for script, params in (
                ("clean", {"older_than": "1d"}), ("clean", {"older_than": "1d", "state": "retry"}),
                ("retry-failed", {}), ("promote-overdue", {}),
            ):
                with self.subTest(engine=engine, script=script, **params):
                    self.assert_survives_kill(f"sidekiq/{script}", rdb, cuts=3, engine=engine, now=now, **params)


del JobsTest  # it is only the ground for others

if __name__ == "__main__":
    unittest.main()
