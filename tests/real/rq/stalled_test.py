"""rq/requeue-stalled on jobs of workers that were killed."""

from datetime import timedelta

import jobs
from rq import Retry
from rq.job import Dependency
from rq.registry import StartedJobRegistry
from support import ENGINES, differences, moonshift_done, snapshot, until
from world import IS_RQ_2, RqTest, comparable, key_of


class Stalled(RqTest):
    def lock(self, server):
        """Takes the lock that a worker takes to clean a queue."""
        queue = server.queue()
        return queue.acquire_maintenance_lock() if IS_RQ_2 else queue.acquire_cleaning_lock()

    def mixture(self, server):
        """More than 200 jobs of a dead worker, of a living one, and others."""
        queue = server.queue()
        dead = []
        for i in range(20):
            for tag, options in {
                "plain": {},
                "forever": {"failure_ttl": -1},
                "day": {"failure_ttl": 86400},
                "ttl": {"ttl": 7200, "retry": Retry(max=1)},
                "retry": {"retry": Retry(max=3)},
                "wait": {"retry": Retry(max=3, interval=3600)},
                "waits": {"retry": Retry(max=2, interval=[600, 7200, 90000])},
                "timeout": {"job_timeout": -1},
                "spent": {"retry": Retry(max=1)},
            }.items():
                dead.append(queue.enqueue(jobs.succeed, job_id=f"{tag}-{i}", **options).id)
        self.start(server, *dead)
        for i in range(20):
            server.client.hset(key_of(f"spent-{i}"), "retries_left", 0)
            server.client.delete(key_of(f"timeout-{i}"))
        alive = [queue.enqueue(jobs.succeed, job_id=f"alive-{i}").id for i in range(10)]
        self.start(server, *alive, ago=-timedelta(hours=1))
        for i in range(10):
            queue.enqueue(jobs.succeed, job_id=f"waiting-{i}")
        return dead, alive

    def test_does_what_the_library_does(self):
        theirs, _ = self.made(self.mixture)
        StartedJobRegistry("mail", connection=theirs.client).cleanup()
        end = comparable(snapshot(theirs.client))
        for engine in ENGINES:
            ours, _ = self.made(self.mixture)
            report = moonshift_done("rq/requeue-stalled", ours.url, engine=engine)
            self.assertEqual(report["outcomes"], {"requeued": 80, "moved": 80, "removed": 20})
            self.assertEqual(differences(end, comparable(snapshot(ours.client))), [])
            for tag in ("plain", "forever", "day", "spent"):
                self.assertIn("Moved to FailedJobRegistry", ours.job(f"{tag}-1").exc_info)
            self.assertEqual(ours.job("retry-1").retries_left, 2)
            self.assertEqual(ours.job("waits-1").get_status(), "scheduled")

    def test_a_job_that_waits_for_several_dead_ones_is_queued_once(self):
        for engine in ENGINES:
            server = self.world()
            queue = server.queue()
            dead = [[queue.enqueue(jobs.succeed, job_id=f"{it}-{i}") for it in "ab"] for i in range(20)]
            for i, pair in enumerate(dead):
                queue.enqueue(jobs.succeed, job_id=f"child-{i}", depends_on=Dependency(pair, allow_failure=True))
            self.start(server, *[job.id for pair in dead for job in pair])
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"moved": 40})
            self.assertEqual(sorted(server.waiting()), sorted(f"child-{i}" for i in range(20)))
            self.assertEqual(server.ids("rq:deferred:mail"), set())

    def test_a_job_that_two_workers_left_is_queued_once(self):
        for engine in ENGINES:
            server = self.world()
            ids = [server.queue().enqueue(jobs.succeed, retry=Retry(max=1)).id for _ in range(20)]
            server.client.delete("rq:queue:mail")
            for job_id in ids:
                server.client.hset(key_of(job_id), "status", "started")
                for execution in ("a" * 32, "b" * 32):  # as RQ 2 has it
                    server.client.zadd("rq:wip:mail", {f"{job_id}:{execution}": 1})
                    server.client.zadd(f"rq:executions:{job_id}", {execution: 1})
                    server.client.hset(f"rq:execution:{job_id}:{execution}", "id", execution)
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"requeued": 20, "removed": 20})
            self.assertEqual(sorted(server.waiting()), sorted(ids))
            self.assertEqual(server.client.keys("rq:execution*"), [])

    def test_an_expired_job_whose_id_looks_like_an_execution_of_a_running_one(self):
        for engine in () if IS_RQ_2 else ENGINES:
            server = self.world()
            expired = "report:" + "a" * 32
            server.queue().enqueue(jobs.succeed, job_id=expired)
            self.start(server, expired)
            server.queue().enqueue(jobs.succeed, job_id="report")
            self.start(server, "report", ago=-timedelta(hours=1))
            server.client.delete(key_of(expired))
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"removed": 1})
            self.assertEqual(server.job("report").get_status(), "started")

    def test_what_was_given_back_runs_once(self):
        for engine in ENGINES:
            server, _ = self.made(self.mixture)
            moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            server.client.zremrangebyscore("rq:wip:mail", 0, "inf")
            self.burst(server)
            wanted = {f"{tag}-{i}" for tag in ("ttl", "retry") for i in range(20)}
            wanted |= {f"waiting-{i}" for i in range(10)}
            self.assertEqual(sorted(server.ran()), sorted(wanted))

    def test_a_job_whose_worker_was_killed(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.hang, job_id="hanging", retry=Retry(max=1))
            worker = self.worker(server)
            until(lambda: server.ran() == ["hanging"], "the job has begun")
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["found"], 0)
            self.kill(worker)
            server.client.expire("rq:clean_registries:mail", 800)  # the worker took it when it came
            until(
                lambda: server.client.zcount("rq:wip:mail", 0, server.client.time()[0]),
                "its heartbeat is overdue",
            )
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"requeued": 1})
            self.worker(server)
            until(lambda: server.ran() == ["hanging", "hanging"], "it runs again")

    def test_a_job_that_was_queued_again_by_hand_is_not_queued_twice(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.succeed, job_id="rescued", retry=Retry(max=3))
            self.start(server, "rescued")
            server.queue().enqueue_job(server.job("rescued"))
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"removed": 1})
            self.burst(server)
            self.assertEqual(server.ran(), ["rescued"])
            self.assertEqual(server.job("rescued").retries_left, 3)

    def test_jobs_that_allow_its_failure_are_released(self):
        for engine in ENGINES:
            server = self.world()
            queue = server.queue()
            queue.enqueue(jobs.succeed, job_id="lost")
            other = server.queue("other").enqueue(jobs.succeed, job_id="other")
            lenient = Dependency(jobs=["lost"], allow_failure=True)
            queue.enqueue(jobs.succeed, job_id="lenient", depends_on=lenient)
            queue.enqueue(jobs.succeed, job_id="strict", depends_on="lost")
            both = Dependency(jobs=["lost", other], allow_failure=True)
            queue.enqueue(jobs.succeed, job_id="both", depends_on=both)
            self.start(server, "lost")
            moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(server.waiting(), ["lenient"])
            self.assertEqual(server.ids("rq:deferred:mail"), {"strict", "both"})
            self.burst(server, "mail", "other")
            self.assertEqual(server.ran(), ["lenient", "other", "both"])
            self.assertEqual(server.ids("rq:deferred:mail"), {"strict"})

    def test_leaves_a_queue_alone_that_a_worker_is_cleaning(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.succeed, job_id="lost", retry=Retry(max=3))
            self.start(server, "lost")
            self.assertTrue(self.lock(server))
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"kept": 1})
            server.client.expire("rq:clean_registries:mail", 800)
            report = moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"requeued": 1})
            self.assertEqual(server.client.get("rq:clean_registries:mail"), b"1")

    def test_keeps_workers_from_cleaning_beside_it(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.succeed, job_id="lost", retry=Retry(max=3))
            self.start(server, "lost")
            moonshift_done("rq/requeue-stalled", server.url, engine=engine)
            self.assertFalse(self.lock(server))
            self.assertLessEqual(server.client.ttl("rq:clean_registries:mail"), 60)

    def test_survives_kill(self):
        server = self.world()
        server.queue().enqueue(jobs.succeed, job_id="retried", retry=Retry(max=3))
        server.queue().enqueue(jobs.succeed, job_id="failed")
        self.start(server, "retried", "failed")
        with server.client.pipeline() as pipe:
            for it in ("retried", "failed"):
                model = server.client.hgetall(key_of(it))
                for i in range(1500):
                    pipe.hset(key_of(f"{it}-{i}"), mapping=model)
                    pipe.zadd("rq:wip:mail", {f"{it}-{i}": 1000 + i})
            pipe.execute()
        rdb = server.save()
        now = int(server.client.time()[0]) * 1000

        def by_the_clock(key):
            return key.startswith((b"rq:clean_registries:", b"rq:results:")) or key == b"rq:queue:mail"

        for engine in ENGINES:
            self.assert_survives_kill(
                "rq/requeue-stalled", rdb, cuts=3, ignore=by_the_clock, engine=engine, now=now
            )
            self.assert_nothing_twice(rdb, engine, now)

    def assert_nothing_twice(self, rdb, engine, now):
        server = self.world(rdb)
        moonshift_done("rq/requeue-stalled", server.url, engine=engine, now=now)
        waiting = server.waiting()
        self.assertEqual(sorted(waiting), sorted(set(waiting)))
        self.assertEqual(len(waiting), 1501)
