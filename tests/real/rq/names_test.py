"""Ids and names of queues that look like other keys, and another prefix."""

import unittest
from datetime import timedelta

import jobs
from rq import Retry
from support import ENGINES, differences, moonshift_done, snapshot
from world import DAY, IS_RQ_2, RqTest, at, comparable, key_of, utc_now

HEX = "0123456789abcdef" * 2
IDS = ["x", "x:dependents", ":x:dependencies", f"x:{HEX}", "*", "a b", "l1\nl2", "ünï", "[a]", "{tag}", "rq:job:x"]
QUEUES = ["mail", "mail:intermediate", "mail:mail", "m*l", "{m}", "finished:mail", "scheduled_jobs"]
if IS_RQ_2:  # it takes no id with a colon, and has a list of its own of that name beside the queue mail
    IDS = [it.replace(":", "-") for it in IDS]
    QUEUES.remove("mail:intermediate")


class Names(RqTest):
    def fill(self, server, names, ids_of):
        """Jobs that ended long ago, that are stalled, and overdue."""
        with at(utc_now() - 10 * DAY):
            for rank in range(4):  # one by one: RQ cannot run a job beside one that has the name of its dependents
                for name in names:
                    server.queue(name).enqueue(jobs.succeed, job_id=ids_of(name)[rank], result_ttl=-1)
                self.work(server, *names)
            for name in names:
                for it in ids_of(name)[4:7]:
                    server.queue(name).enqueue(jobs.fail, job_id=it, failure_ttl=-1)
            self.work(server, *names)
        for name in names:
            stalled, overdue = ids_of(name)[7:9], ids_of(name)[9:]
            for it in stalled:
                server.queue(name).enqueue(jobs.succeed, job_id=it, retry=Retry(max=2))
            self.start(server, *stalled, name=name)
            for it in overdue:
                server.queue(name).enqueue_at(utc_now() - DAY, jobs.succeed, job_id=it)
        server.client.delete("ran")

    def test_queues_with_strange_names(self):
        def ids_of(name):
            return [f"{i}-{QUEUES.index(name)}" for i in range(len(IDS))]

        origin = self.world()
        self.fill(origin, QUEUES, ids_of)
        rdb = origin.save()
        for engine in ENGINES:
            server = self.world(rdb)
            for done, name in enumerate(QUEUES):
                pattern = name.replace("*", "\\*")
                self.assertEqual(self.run_all(server.url, engine, queues=pattern), [4, 3, 2, 2], name)
                self.assertEqual(set(server.waiting(name)), set(ids_of(name)[4:]))
                for other in QUEUES[done + 1 :]:
                    self.assertEqual(server.waiting(other), [])
                    self.assertEqual(len(server.ids(f"rq:finished:{other}")), 4)
            self.burst(server, *QUEUES)
            self.assertEqual(sorted(server.ran()), sorted(it for name in QUEUES for it in ids_of(name)[4:]))

    def test_strange_ids(self):
        origin = self.world()
        self.fill(origin, ["mail"], lambda _: IDS)
        rdb = origin.save()
        for engine in ENGINES:
            server = self.world(rdb)
            self.assertEqual(self.run_all(server.url, engine), [4, 3, 2, 2])
            self.assertEqual([key for key in server.client.keys() if self.is_about(key, IDS[:4])], [])
            self.burst(server)
            self.assertEqual(sorted(server.ran()), sorted(IDS[4:]))

    def is_about(self, key, ids):
        keys = {key_of(it) for it in ids} | {f"rq:results:{it}" for it in ids}
        return key.decode() in keys

    def run_all(self, url, engine, **options):
        done = []
        for script in ("clean", "retry-failed", "requeue-stalled", "promote-overdue"):
            report = moonshift_done(f"rq/{script}", url, engine=engine, **options)
            done.append(sum(report["outcomes"].values()))
        return done

    def test_orphans_of_strange_ids(self):
        for engine in ENGINES:
            server = self.world()
            self.fill(server, QUEUES[1:2], lambda _: IDS)
            self.assertEqual(moonshift_done("rq/orphans", server.url, engine=engine, grace="1ms")["found"], 0)
            for it in IDS:
                server.client.delete(key_of(it))
            report = moonshift_done("rq/orphans", server.url, engine=engine, grace="1ms", repair="true")
            entries = {"finished": 4, "failed": 3, "wip": 2, "scheduled": 2}
            for kind, count in entries.items():
                self.assertEqual(report["reasons"][f"removed: in {kind} without its job"], count)
            self.assertEqual(server.client.keys("rq:results:*"), [])

    @unittest.skipIf(IS_RQ_2, "it takes no id with a colon")
    def test_removing_a_job_spares_another_whose_id_looks_like_its_sub_key(self):
        for engine in ENGINES:
            server = self.world()
            queue = server.queue()
            with at(utc_now() - 10 * DAY):
                queue.enqueue(jobs.succeed, job_id="x", result_ttl=-1, ttl=86400)
                self.work(server)
            for it in ("x:dependents", ":x:dependencies"):
                queue.enqueue(jobs.succeed, job_id=it)
            moonshift_done("rq/clean", server.url, engine=engine)
            self.assertEqual(server.ids("rq:finished:mail"), set())
            self.burst(server)
            self.assertEqual(server.ran()[1:], ["x:dependents", ":x:dependencies"])

    def test_another_prefix(self):
        prefix = "{app:*}:rq"
        for engine in ENGINES:
            plain, renamed = self.world(), self.world()
            self.fill(plain, ["mail"], lambda _: IDS)
            plain.queue().enqueue_at(utc_now() + timedelta(hours=1), jobs.succeed, job_id="later")
            plain.client.sadd("rq:workers", "rq:worker:dead")
            for key in plain.client.keys("rq:*"):
                ttl = max(plain.client.pttl(key), 0)
                renamed.client.restore(prefix.encode() + key[2:], ttl, plain.client.dump(key))
            for name, member in (("queues", "queue:mail"), ("workers", "worker:dead")):
                renamed.client.delete(f"{prefix}:{name}")
                renamed.client.sadd(f"{prefix}:{name}", f"{prefix}:{member}")
            before = snapshot(plain.client)
            self.assertEqual(self.run_all(renamed.url, engine, prefix=prefix), [4, 3, 2, 2])
            moonshift_done("rq/orphans", renamed.url, engine=engine, prefix=prefix, grace="1ms", repair="true")
            self.assertEqual(self.run_all(plain.url, engine), [4, 3, 2, 2])
            moonshift_done("rq/orphans", plain.url, engine=engine, grace="1ms", repair="true")
            mine = {
                b"rq" + key[len(prefix) :]: it
                for key, it in snapshot(renamed.client).items()
                if key != f"{prefix}:queues".encode()
            }
            theirs = {key: it for key, it in snapshot(plain.client).items() if key != b"rq:queues"}
            self.assertNotEqual(before, theirs)
            left = differences(comparable(theirs), comparable(mine))
            self.assertEqual(left, [])
