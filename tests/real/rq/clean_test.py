"""rq/clean on jobs that the real library made."""

import jobs
from rq.job import Job
from rq.results import Result
from support import ENGINES, differences, moonshift_done, snapshot
from world import DAY, RqTest, at, key_of, utc_now


class Clean(RqTest):
    def ended(self, server, job_id, days, function=jobs.succeed, name="mail", **options):
        """A job that ended so many days ago."""
        moment = utc_now() - days * DAY
        with at(moment):
            server.queue(name).enqueue(function, job_id=job_id, **options)
        self.work(server, name, moment=moment)

    def mixture(self, server):
        """More than 200 jobs of all kinds; who should go at 7 days."""
        go = {"finished": set(), "failed": set()}
        queue = server.queue()
        for days, tag in ((10, "old"), (3, "new")):
            moment = utc_now() - days * DAY
            with at(moment):
                for i in range(40):
                    ttl = (-1, 30 * 86400, -1, 365 * 86400)[i % 4]
                    queue.enqueue(jobs.succeed, f"value {i}", job_id=f"{tag}-ok-{i}", result_ttl=ttl)
                    failure_ttl = (None, -1, 30 * 86400)[i % 3]
                    queue.enqueue(jobs.fail, job_id=f"{tag}-bad-{i}", failure_ttl=failure_ttl, result_ttl=-1)
                for i in range(10):
                    parent = queue.enqueue(jobs.succeed, job_id=f"{tag}-parent-{i}", result_ttl=-1)
                    queue.enqueue(jobs.succeed, job_id=f"{tag}-child-{i}", depends_on=parent, result_ttl=-1)
                    broken = queue.enqueue(jobs.fail, job_id=f"{tag}-broken-{i}", failure_ttl=-1)
                    queue.enqueue(jobs.succeed, job_id=f"{tag}-waits-{i}", depends_on=broken, result_ttl=-1)
            self.work(server, moment=moment)
            for i in range(5):
                queue.enqueue_at(utc_now() + DAY, jobs.succeed, job_id=f"{tag}-later-{i}")
        go["finished"] = {f"old-ok-{i}" for i in range(40)}
        go["finished"] |= {f"old-{it}-{i}" for i in range(10) for it in ("parent", "child")}
        go["failed"] = {f"old-bad-{i}" for i in range(40)}
        for i in range(10):
            queue.enqueue(jobs.succeed, job_id=f"waiting-{i}")
        return go

    def leftovers(self, server, ids):
        return [key for key in server.client.keys("rq:*") for it in ids if it.encode() in key.split(b":")]

    def test_takes_old_jobs_with_all_that_is_theirs_and_no_other(self):
        for engine in ENGINES:
            for state in ("finished", "failed"):
                with self.subTest(engine=engine, state=state):
                    server, go = self.made(self.mixture)
                    before = snapshot(server.client)
                    report = moonshift_done("rq/clean", server.url, engine=engine, state=state, older_than="7d")
                    self.assertEqual(report["outcomes"]["removed"], len(go[state]))
                    self.assertEqual(self.leftovers(server, go[state]), [])
                    touched = differences(before, snapshot(server.client))
                    allowed = {f"rq:{state}:mail".encode()}
                    for it in go[state]:
                        allowed |= {key_of(it).encode(), f"rq:results:{it}".encode()}
                        allowed |= {f"rq:job::{it}:dependencies".encode(), f"rq:job:{it}:dependents".encode()}
                    self.assertEqual([key for key in touched if key not in allowed], [])
                    registry = server.ids(f"rq:{state}:mail")
                    self.assertFalse(registry & go[state])
                    for it in registry:
                        server.job(it)

    def test_leaves_what_the_library_leaves_but_its_results(self):
        theirs, go = self.made(self.mixture)
        for it in go["finished"]:
            Job.fetch(it, connection=theirs.client).delete()
            Result.delete_all(Job(it, connection=theirs.client))
        for engine in ENGINES:
            ours, _ = self.made(self.mixture)
            moonshift_done("rq/clean", ours.url, engine=engine)
            left = differences(snapshot(theirs.client), snapshot(ours.client))
            self.assertEqual(left, [])

    def test_the_rest_runs_once_afterwards(self):
        for engine in ENGINES:
            server, _ = self.made(self.mixture)
            moonshift_done("rq/clean", server.url, engine=engine, state="failed")
            server.client.delete("ran")
            for i in range(10):
                server.job(f"old-broken-{i}").requeue()
            self.burst(server)
            ran = server.ran()
            self.assertEqual(sorted(ran), sorted(set(ran)))
            self.assertEqual(set(ran), {f"waiting-{i}" for i in range(10)} | {f"old-broken-{i}" for i in range(10)})

    def test_age_is_measured_to_the_microsecond_with_and_without_a_fraction(self):
        for engine in ENGINES:
            server = self.world()
            for it in ("exact", "older", "whole", "whole-older", "strange"):
                self.ended(server, it, 1, result_ttl=-1)
            ends = {
                "exact": "2026-11-01T00:00:00.000000Z",
                "older": "2026-10-31T23:59:59.999000Z",
                "whole": "2026-11-01T00:00:00Z",
                "whole-older": "2026-10-31T23:59:59Z",
                "strange": "yesterday",
            }
            for it, end in ends.items():
                server.client.hset(key_of(it), mapping={"ended_at": end, "started_at": end})
            now = 1793491200000 + 7 * 86400000  # 2026-11-08T00:00:00Z
            report = moonshift_done("rq/clean", server.url, engine=engine, now=now)
            self.assertEqual(server.ids("rq:finished:mail"), {"exact", "whole", "strange"})
            self.assertEqual(report["outcomes"], {"kept": 1, "removed": 2})

    def test_keeps_the_newest_by_their_end(self):
        for engine in ENGINES:
            server = self.world()
            for i, days in enumerate((20, 9, 15, 30, 12, 8, 25)):
                self.ended(server, f"{i}-{days}", days, result_ttl=-1)
            moonshift_done("rq/clean", server.url, engine=engine, keep=3)
            self.assertEqual(server.ids("rq:finished:mail"), {"1-9", "4-12", "5-8"})
            moonshift_done("rq/clean", server.url, engine=engine, keep=10)
            self.assertEqual(len(server.ids("rq:finished:mail")), 3)

    def test_a_job_that_was_enqueued_again_stays(self):
        for engine in ENGINES:
            server = self.world()
            self.ended(server, "again", 10, result_ttl=-1)
            server.queue().enqueue_job(server.job("again"))
            moonshift_done("rq/clean", server.url, engine=engine)
            self.burst(server)
            self.assertEqual(server.ran(), ["again", "again"])

    def test_what_rq_scheduler_runs_again_stays(self):
        for engine in ENGINES:
            server = self.world()
            self.ended(server, "monthly", 20, result_ttl=-1)
            self.ended(server, "once", 20, result_ttl=-1)
            server.client.zadd("rq:scheduler:scheduled_jobs", {"monthly": 4e9})
            report = moonshift_done("rq/clean", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"removed": 1, "kept": 1})
            self.assertEqual(server.job("monthly").get_status(), "finished")

    def test_the_end_of_an_earlier_attempt_is_no_end(self):
        for engine in ENGINES:
            server = self.world()
            self.ended(server, "cut-off", 10, jobs.fail_once, failure_ttl=-1)
            job = server.job("cut-off")
            job.started_at = utc_now()
            job.save()
            report = moonshift_done("rq/clean", server.url, engine=engine, state="failed")
            self.assertEqual(report["outcomes"], {"kept": 1})
            server.client.hset(key_of("cut-off"), "failure_ttl", 86400)
            server.client.zadd("rq:failed:mail", {"cut-off": utc_now().timestamp() - 8 * 86400})
            moonshift_done("rq/clean", server.url, engine=engine, state="failed")
            self.assertEqual(server.ids("rq:failed:mail"), set())

    def test_entries_of_expired_jobs_go_and_canceled_jobs_by_their_score(self):
        for engine in ENGINES:
            server = self.world()
            self.ended(server, "expired", 10, result_ttl=86400)
            self.ended(server, "deleted", 10, result_ttl=-1)
            server.client.delete(key_of("expired"), key_of("deleted"))
            for days in (10, 1):
                with at(utc_now() - days * DAY):
                    server.queue().enqueue(jobs.succeed, job_id=f"canceled-{days}").cancel()
            moonshift_done("rq/clean", server.url, engine=engine)
            self.assertEqual(server.ids("rq:finished:mail"), {"deleted"})
            moonshift_done("rq/clean", server.url, engine=engine, state="canceled")
            self.assertEqual(server.ids("rq:canceled:mail"), {"canceled-1"})

    def test_a_name_among_dependents_goes_with_the_job(self):
        for engine in ENGINES:
            server = self.world()
            with at(utc_now() - 10 * DAY):
                server.queue().enqueue(jobs.succeed, job_id="first")
                for it in ("second", "third"):
                    server.queue().enqueue(jobs.succeed, job_id=it, depends_on="first")
                server.job("second").cancel()
            moonshift_done("rq/clean", server.url, engine=engine, state="canceled")
            self.assertEqual(server.client.smembers("rq:job:first:dependents"), {b"third"})
            self.burst(server)
            self.assertEqual(server.ran(), ["first", "third"])

    def test_survives_kill(self):
        server = self.world()
        queue = server.queue()
        self.ended(server, "model", 10, result_ttl=-1)
        model = server.client.hgetall(key_of("model"))
        dump = server.client.dump("rq:results:model")
        with server.client.pipeline() as pipe:
            for i in range(2000):
                pipe.hset(key_of(i), mapping=model)
                pipe.restore(f"rq:results:{i}", 0, dump)
                pipe.zadd(queue.finished_job_registry.key, {i: "inf"})
            pipe.execute()
        for engine in ENGINES:
            self.assert_survives_kill("rq/clean", server.save(), cuts=3, engine=engine)


if __name__ == "__main__":
    import unittest

    unittest.main()
