"""rq/promote-overdue beside the library's own scheduler."""

from datetime import timedelta

import jobs
from rq import Retry
from rq.scheduler import RQScheduler
from support import ENGINES, differences, moonshift_done, snapshot
from world import DAY, RqTest, at, comparable, key_of, utc_now


class Scheduled(RqTest):
    def mixture(self, server):
        for i in range(40):
            for tag, ago in {"due": DAY, "late": timedelta(minutes=5), "early": -timedelta(hours=1)}.items():
                queue = server.queue("other" if i % 4 == 0 else "mail")
                options = {"ttl": 7200} if i % 3 else {"at_front": True}
                queue.enqueue_at(utc_now() - ago, jobs.succeed, job_id=f"{tag}-{i}", **options)
        for i in range(40):
            server.queue().enqueue(jobs.fail_once, job_id=f"retry-{i}", retry=Retry(max=1, interval=60))
        self.work(server, moment=utc_now() - timedelta(hours=2))
        for i in range(40):
            server.queue().enqueue(jobs.succeed, job_id=f"waiting-{i}")
        server.client.delete("ran")

    def test_does_what_the_library_does(self):
        theirs, _ = self.made(self.mixture)
        scheduler = RQScheduler(["mail", "other"], connection=theirs.client)
        scheduler.acquire_locks()
        scheduler.enqueue_scheduled_jobs()
        scheduler.release_locks()
        end = self.in_any_order(theirs)
        for engine in ENGINES:
            ours, _ = self.made(self.mixture)
            report = moonshift_done("rq/promote-overdue", ours.url, engine=engine)
            self.assertEqual(report["outcomes"], {"promoted": 120})
            self.assertEqual(differences(end, self.in_any_order(ours)), [])
            at_front = {f"{tag}-{i}" for tag in ("due", "late") for i in range(0, 40, 3) if i % 4}
            self.assertEqual(set(ours.waiting()[: len(at_front)]), at_front)

    def in_any_order(self, server):
        keys = comparable(snapshot(server.client))
        for name in (b"rq:queue:mail", b"rq:queue:other"):
            keys[name] = (*keys[name][:2], sorted(keys[name][2]))
        return keys

    def test_each_runs_once(self):
        for engine in ENGINES:
            server, _ = self.made(self.mixture)
            moonshift_done("rq/promote-overdue", server.url, engine=engine, overdue_by="1h")
            self.burst(server, "mail", "other")
            wanted = {f"due-{i}" for i in range(40)} | {f"{it}-{i}" for i in range(40) for it in ("waiting", "retry")}
            self.assertEqual(sorted(server.ran()), sorted(wanted))
            self.assertEqual(len(server.ids("rq:scheduled:mail") | server.ids("rq:scheduled:other")), 80)

    def test_leaves_queues_to_a_living_scheduler(self):
        for engine in ENGINES:
            server, _ = self.made(self.mixture)
            scheduler = RQScheduler(["mail"], connection=server.client)
            scheduler.acquire_locks()
            report = moonshift_done("rq/promote-overdue", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"kept": 100, "promoted": 20})
            self.assertEqual(report["reasons"], {"kept: its scheduler lives": 100})

    def test_an_entry_without_a_job_is_left_to_orphans(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue_at(utc_now() - DAY, jobs.succeed, job_id="deleted")
            server.client.delete(key_of("deleted"))
            report = moonshift_done("rq/promote-overdue", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"kept": 1})
            self.assertEqual(server.waiting(), [])

    def test_survives_kill(self):
        server = self.world()
        with at(utc_now() - DAY):
            with server.client.pipeline() as pipe:
                for i in range(2000):
                    queue = server.queue()
                    job = queue.create_job(jobs.succeed, job_id=str(i), status="scheduled")
                    job.redis_server_version = (7, 0, 0)
                    queue.schedule_job(job, utc_now(), pipeline=pipe)
                pipe.execute()
        rdb = server.save()
        now = int(server.client.time()[0] + 60) * 1000

        def is_the_queue(key):
            return key == b"rq:queue:mail"

        for engine in ENGINES:
            self.assert_survives_kill("rq/promote-overdue", rdb, cuts=3, ignore=is_the_queue, engine=engine, now=now)
