"""rq/retry-failed beside the library's own requeue."""

from datetime import timedelta

import jobs
from rq import Retry
from support import ENGINES, differences, moonshift_done, snapshot
from world import DAY, RqTest, at, comparable, key_of, utc_now


class RetryFailed(RqTest):
    def mixture(self, server):
        """More than 200 jobs of all kinds, failed over some days; the ids of those that failed."""
        failed = []
        for days in (9, 5, 1):
            with at(utc_now() - days * DAY):
                for i in range(20):
                    for tag, options in {
                        "plain": {},
                        "forever": {"failure_ttl": -1},
                        "short": {"ttl": 86400},
                        "elsewhere": {"failure_ttl": 40 * 86400},
                    }.items():
                        name = "other" if tag == "elsewhere" else "mail"
                        message = f"ConnectionError: host {i}" if i % 2 else f"ValueError: {i}"
                        job_id = f"{tag}-{days}-{i}"
                        server.queue(name).enqueue(jobs.fail, message, job_id=job_id, **options)
                        failed.append(job_id)
                    server.queue().enqueue(jobs.succeed, job_id=f"ok-{days}-{i}", result_ttl=-1)
            self.work(server, "mail", "other", moment=utc_now() - days * DAY)
        for i in range(10):
            server.queue().enqueue(jobs.succeed, job_id=f"waiting-{i}")
        server.client.delete("ran")
        return failed

    def test_does_what_the_library_does(self):
        theirs, failed = self.made(self.mixture)
        for name in ("mail", "other"):
            registry = theirs.queue(name).failed_job_registry
            for job_id in registry.get_job_ids():
                registry.requeue(job_id)
        end = comparable(snapshot(theirs.client))
        for key in (b"rq:queue:mail", b"rq:queue:other"):
            end[key] = (*end[key][:2], sorted(end[key][2]))
        for engine in ENGINES:
            ours, _ = self.made(self.mixture)
            report = moonshift_done("rq/retry-failed", ours.url, engine=engine)
            self.assertEqual(report["outcomes"], {"retried": len(failed)})
            self.assertEqual(ours.client.lindex("rq:queue:mail", 0), b"waiting-0")
            mine = comparable(snapshot(ours.client))
            for key in (b"rq:queue:mail", b"rq:queue:other"):
                mine[key] = (*mine[key][:2], sorted(mine[key][2]))
            self.assertEqual(differences(end, mine), [])

    def test_each_runs_once_more_and_those_that_fail_again_are_left(self):
        for engine in ENGINES:
            server, failed = self.made(self.mixture)
            moonshift_done("rq/retry-failed", server.url, engine=engine)
            self.burst(server, "mail", "other")
            self.assertEqual(sorted(server.ran()), sorted(failed + [f"waiting-{i}" for i in range(10)]))
            self.assertEqual(server.ids("rq:failed:mail") | server.ids("rq:failed:other"), set(failed))

    def test_since_and_error(self):
        for engine in ENGINES:
            server, failed = self.made(self.mixture)
            wanted = {"since": "6d", "error": "*ConnectionError: *"}
            report = moonshift_done("rq/retry-failed", server.url, engine=engine, **wanted)
            wanted = {it for it in failed if not it.split("-")[1] == "9" and int(it.split("-")[2]) % 2}
            self.assertEqual(report["outcomes"], {"retried": len(wanted)})
            waiting = set(server.waiting() + server.waiting("other"))
            self.assertEqual(waiting - {f"waiting-{i}" for i in range(10)}, wanted)

    def test_errors_of_all_sizes_are_read(self):
        server = self.world()
        text = "".join(f"{i * 7919 % 10007:x} " for i in range(20000))
        texts = {"long": text, "repeated": "abc" * 40000, "wide": "ä€" * 400}
        messages = {job_id: it + "needle" for job_id, it in texts.items()}
        for job_id, message in {**messages, "short": "x"}.items():
            server.queue().enqueue(jobs.fail, message, job_id=job_id)
        self.work(server)
        moonshift_done("rq/retry-failed", server.url, error="*needle*")
        self.assertEqual(set(server.waiting()), {"long", "repeated", "wide"})

    def test_limit(self):
        for engine in ENGINES:
            server, _ = self.made(self.mixture)
            moonshift_done("rq/retry-failed", server.url, engine=engine, options=["--limit", "7"])
            self.assertEqual(len(server.waiting() + server.waiting("other")), 17)

    def test_a_job_that_runs_again_already_stays_out_of_the_queue(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.fail, job_id="again")
            self.work(server)
            server.queue().enqueue_job(server.job("again"))
            report = moonshift_done("rq/retry-failed", server.url, engine=engine)
            self.assertEqual(report["found"], 0)
            self.assertEqual(server.waiting(), ["again"])

    def test_a_job_that_fails_after_the_run_has_begun_is_left_for_the_next(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.fail, job_id="late")
            self.work(server)
            begun = int(server.client.time()[0] - 60) * 1000
            self.assertEqual(moonshift_done("rq/retry-failed", server.url, engine=engine, now=begun)["found"], 0)

    def test_a_job_that_fails_again_is_left_though_its_workers_clock_is_slow(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.fail, job_id="again")
            self.work(server, moment=utc_now() - DAY)
            now = int(server.client.time()[0]) * 1000
            self.assertEqual(moonshift_done("rq/retry-failed", server.url, engine=engine, now=now)["found"], 1)
            self.work(server, moment=utc_now() - timedelta(hours=1))
            self.assertEqual(moonshift_done("rq/retry-failed", server.url, engine=engine, now=now)["found"], 0)

    def test_dependents_run_after_a_retry(self):
        for engine in ENGINES:
            server = self.world()
            server.queue().enqueue(jobs.fail_once, job_id="first")
            server.queue().enqueue(jobs.succeed, job_id="second", depends_on="first")
            self.work(server)
            moonshift_done("rq/retry-failed", server.url, engine=engine)
            self.burst(server)
            self.assertEqual(server.ran(), ["first", "first", "second"])

    def test_survives_kill(self):
        server = self.world()
        server.queue().enqueue(jobs.fail, job_id="model", retry=Retry(max=1))
        self.work(server)
        model = server.client.hgetall(key_of("model"))
        with server.client.pipeline() as pipe:
            for i in range(2000):
                pipe.hset(key_of(i), mapping=model)
                pipe.zadd("rq:failed:mail", {i: 1e10 + i})
            pipe.execute()
        rdb = server.save()
        now = int(server.client.time()[0] + 60) * 1000

        def is_the_queue(key):
            return key == b"rq:queue:mail"

        for engine in ENGINES:
            self.assert_survives_kill("rq/retry-failed", rdb, cuts=3, ignore=is_the_queue, engine=engine, now=now)
