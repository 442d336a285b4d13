"""The tasks on what RQ 2 wrote (rq2.rdb, by make_rq2.py), beside what its own cleanup made of it."""

import json
import os

from rq.job import Job
from rq.results import Result
from support import ENGINES, moonshift_done
from world import HERE, RqTest, key_of

with open(os.path.join(HERE, "rq2.json")) as file:
    facts = json.load(file)
rdb = os.path.join(HERE, "rq2.rdb")
minute = 60000


class Rq2(RqTest):
    def done(self, server, script, after=0, **options):
        return moonshift_done(script, server.url, now=facts["now"] + after, **options)

    def scores(self, server, kind):
        return {it.decode(): score for it, score in server.client.zrange(f"rq:{kind}:two", 0, -1, withscores=True)}

    def wip(self, server):
        return sorted(it.split(":")[0] for it in server.ids("rq:wip:two"))

    def status(self, server):
        keys = server.client.scan_iter("rq:job:*", _type="hash")
        return {key[7:].decode(): server.client.hget(key, "status").decode() for key in keys}

    def leftovers(self, server, ids):
        return [key for key in server.client.keys("rq:*") for it in ids if it.encode() in key.split(b":")]

    def test_stalled_jobs_are_given_back_as_the_library_does(self):
        kept = [f"callback-{i}" for i in range(3)]  # only a worker can run a failure callback
        running = ["alive", "moved-on"]  # RQ fails and requeues jobs that run elsewhere: only the dead entry goes here
        for engine in ENGINES:
            server = self.world(rdb)
            report = self.done(server, "rq/requeue-stalled", engine=engine)
            report["outcomes"].pop("gone", None)  # found in two places, if find was fast enough
            self.assertEqual(report["outcomes"], {"requeued": 24, "moved": 20, "removed": 2, "kept": 5})
            expected = dict(facts["cleanup"]["status"])
            expected.update({it: "started" for it in kept + running})
            self.assertEqual(self.status(server), expected)
            self.assertEqual(self.wip(server), sorted(kept + running))
            waiting = {*facts["cleanup"]["waiting"], "seen"} - {"moved-on"}
            self.assertEqual(sorted(server.waiting("two")), sorted(waiting))
            self.assertEqual(self.scores(server, "scheduled"), facts["cleanup"]["scheduled"])
            failed = {it: score for it, score in facts["cleanup"]["failed"].items() if it not in kept + running}
            self.assertEqual(self.scores(server, "failed"), failed)
            left = dict(facts["cleanup"]["retries_left"], **{"moved-on": 3})
            for job_id, retries in left.items():
                self.assertEqual(int(server.client.hget(key_of(job_id), "retries_left") or 0), retries, job_id)
            for job_id in ("plain-3", "forever-3"):
                result = Result.fetch_latest(Job(job_id, connection=server.client))
                self.assertEqual(result.type, Result.Type.FAILED)
                self.assertIn("due to AbandonedJobError", result.exc_string)
            for job_id in ("plain-3", "retried-3", "before-1"):
                self.assertEqual(server.client.keys(f"rq:execution*:{job_id}*"), [])
            self.assertEqual(len(server.client.keys("rq:execution:moved-on:*")), 1)

    def test_jobs_that_were_taken_and_never_started_go_back_after_a_minute(self):
        for engine in ENGINES:
            server = self.world(rdb)
            self.done(server, "rq/requeue-stalled", engine=engine)
            taken = set(server.client.lrange("rq:queue:two:intermediate", 0, -1))
            self.assertEqual(taken, {b"seen-before", b"unseen"})
            self.assertEqual(server.waiting("two")[0], "seen")
            server.client.delete("rq:clean_registries:two")
            self.done(server, "rq/requeue-stalled", after=minute, engine=engine)
            self.assertEqual(len(server.client.lrange("rq:queue:two:intermediate", 0, -1)), 2)
            self.done(server, "rq/requeue-stalled", after=minute + 1, engine=engine)
            self.assertEqual(server.client.exists("rq:queue:two:intermediate"), 0)
            waiting = server.waiting("two")
            self.assertEqual(set(waiting[:3]), {"seen", "seen-before", "unseen"})
            self.assertEqual(len(waiting), len(set(waiting)))
            self.assertEqual(server.client.keys("*moonshift*"), [])

    def test_clean_takes_what_ended_and_leaves_what_repeats(self):
        gone = {f"old-ok-{i}" for i in range(20)} | {f"old-grouped-{i}" for i in range(5)}
        for engine in ENGINES:
            server = self.world(rdb)
            report = self.done(server, "rq/clean", engine=engine)
            self.assertEqual(report["outcomes"], {"removed": 25, "kept": 1})
            self.assertEqual(report["reasons"], {"kept: it is scheduled to run again": 1})
            self.assertEqual(self.leftovers(server, gone), [])
            party = {f"new-grouped-{i}".encode() for i in range(5)}
            self.assertEqual(server.client.smembers("rq:group:party"), party)
            self.done(server, "rq/clean", engine=engine, state="failed")
            self.assertEqual(self.leftovers(server, {f"old-bad-{i}" for i in range(20)}), [])
            self.assertEqual(len(server.ids("rq:failed:two")), 20)

    def test_failed_jobs_are_retried_by_their_error(self):
        for engine in ENGINES:
            server = self.world(rdb)
            report = self.done(server, "rq/retry-failed", engine=engine, since="5d", error="*ValueError: 1[0-9]*")
            self.assertEqual(report["outcomes"], {"retried": 10})
            self.assertEqual(set(server.waiting("two")), {f"new-bad-{i}" for i in range(10, 20)} | {"waiting"})

    def test_due_jobs_are_promoted(self):
        for engine in ENGINES:
            server = self.world(rdb)
            self.done(server, "rq/promote-overdue", after=minute, engine=engine)
            self.assertEqual(set(server.waiting("two")), {"waiting", "due"})
            self.done(server, "rq/promote-overdue", after=86400000 + minute, engine=engine)
            self.assertEqual(set(server.waiting("two")), {"waiting", "due", "old-repeats"})

    def test_orphans_are_what_the_library_left(self):
        for engine in ENGINES:
            server = self.world(rdb)
            report = self.done(server, "rq/orphans", engine=engine, grace="10ms", repair="true")
            self.assertEqual(
                report["reasons"],
                {"removed: results of a job that is gone": 2, "removed: a worker that is gone": 2},
            )
            self.assertEqual(server.client.keys("rq:results:deleted*"), [])
