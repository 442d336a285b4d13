"""sidekiq/requeue-stalled, pause and orphans: real Sidekiq processes that are killed, stopped and told to be quiet."""

import json
import os
import signal
import unittest

from sidekiq_support import SECOND, SidekiqTest, payload
from support import ENGINES, differences, launch_moonshift, moonshift_done, run_arguments, snapshot, until

IDENTITY = "host-1.example:4711:0123456789ab"


def running(job, queue="default"):
    """What a process records of a thread: Processor#stats."""
    return json.dumps({"queue": queue, "payload": job, "run_at": 1500000000})


class Test(SidekiqTest):
    def run_task(self, server, script, engine, **params):
        return moonshift_done(f"sidekiq/{script}", server.url, engine=engine, **params)

    def keeps(self, report, reason):
        self.assertEqual(list(report["outcomes"]), ["kept"])
        self.assertIn(reason, " ".join(report["reasons"]))


class CrashTest(Test):
    def test_a_process_that_runs_three_jobs_is_killed(self):
        world = self.world()
        worker = world.worker(["default", "low:er"])
        world.push([[[name, 0, 600, "ü"], {"queue": queue}] for name, queue in
                    (("a", "default"), ("b", "low:er"), ("c", "default"))])
        until(lambda: (it := world.record(worker)) and world.server.client.hlen(it) == 3, "all are recorded")
        world.kill(worker)
        rdb = world.server.save()
        for engine in ENGINES:
            self.look_after(self.world(rdb), worker, engine)

    def look_after(self, world, worker, engine):
        client = world.server.client
        record = world.record(worker)
        taken = {field: json.loads(it) for field, it in client.hgetall(record).items()}
        client.pexpire(record, 50 * SECOND)  # the last heartbeat came ten seconds ago
        client.pexpire(worker.identity, 50 * SECOND)
        self.keeps(self.run_task(world.server, "requeue-stalled", engine), "its process lives")
        self.assertIn(client.ttl(record), range(580, 591))
        world.forget(worker.identity)  # but the record is not old enough
        client.pexpire(record, 570 * SECOND)
        self.keeps(self.run_task(world.server, "requeue-stalled", engine), "run it again")
        client.pexpire(record, 539 * SECOND)
        client.lpush("queue:default", payload("waits"))
        report = self.run_task(world.server, "requeue-stalled", engine)
        self.assertEqual(report["outcomes"], {"requeued": 3})
        self.assertEqual(client.exists(record), 0)
        pushed = world.queue("default") + world.queue("low:er")
        want = [json.loads(it["payload"]) for it in taken.values()]
        for job in pushed:
            job.pop("requeued_after_crash", None)
        by_jid = lambda jobs: sorted(jobs, key=lambda it: it["jid"])
        self.assertEqual(by_jid(pushed), by_jid([*want, json.loads(payload("waits"))]))
        self.assertEqual(world.queue("default")[-1]["jid"], "waits")
        self.assertEqual(self.run_task(world.server, "requeue-stalled", engine)["found"], 0)
        self.assertEqual(world.sizes()["queues"], {"default": 3, "low:er": 1})

        report = self.run_task(world.server, "orphans", engine, grace="0s", repair="true")
        self.assertEqual(report["reasons"], {"removed: a process that is registered, without a heartbeat": 1})
        self.assertEqual(world.processes(), [])

        client.ltrim("queue:default", 1, -1)  # without the one that waits; a new process runs what was lost, once
        again = world.worker(["default", "low:er"])
        until(lambda: len(client.lrange("test:begun", 0, -1)) == 6, "all have begun again")
        self.assertEqual(client.hgetall("test:tries"), {b"a": b"2", b"b": b"2", b"c": b"2"})
        world.kill(again)


class RecordTest(Test):
    """Records as a process leaves them, in the layouts of Sidekiq 6 (workers) and 7 (work)."""

    def each_case(self, *layouts):
        for engine in ENGINES:
            for layout in layouts or ("workers", "work"):
                for prefix in ("", "{a*}:b:"):
                    server = self.redis()
                    yield engine, server, prefix, f"{prefix}{IDENTITY}:{layout}"

    def test_a_process_that_stands_still_is_not_dead(self):
        world = self.world()
        worker = world.worker()
        world.push([[["a", 0, 600], {}]])
        until(lambda: world.record(worker), "it is recorded")
        os.kill(worker.pid, signal.SIGSTOP)
        self.keeps(self.run_task(world.server, "requeue-stalled", "local"), "its process lives")
        world.server.client.pexpire(worker.identity, 40 * SECOND)
        world.server.client.pexpire(world.record(worker), 580 * SECOND)
        for engine in ENGINES:
            self.keeps(self.run_task(world.server, "requeue-stalled", engine), "its process is silent")
        os.kill(worker.pid, signal.SIGCONT)
        self.assertEqual(world.sizes()["queues"].get("default", 0), 0)
        beat = world.server.client.hget(worker.identity, "beat")
        until(lambda: world.server.client.hget(worker.identity, "beat") != beat, "its heart beats", 30)
        self.assertLessEqual(world.server.client.ttl(world.record(worker)), 60)
        os.kill(worker.pid, signal.SIGTERM)  # a process that ends takes its record with it
        worker.wait()
        for engine in ENGINES:
            self.assertEqual(self.run_task(world.server, "requeue-stalled", engine)["found"], 0)

    def test_puts_back_with_its_bytes(self):
        job = '{ "class":"A","args":[[],{},1.0,9007199254740993,"\\u0000\\/ü"],"jid":"a","queue":"other"}'
        for engine, server, prefix, record in self.each_case():
            server.client.hset(record, "t1", running(job, "q:1"))
            server.client.rpush(f"{prefix}queue:q:1", "waits")
            report = self.run_task(server, "requeue-stalled", engine, prefix=prefix)
            self.assertEqual(report["outcomes"], {"requeued": 1})
            left = server.client.lrange(f"{prefix}queue:q:1", 0, -1)
            self.assertEqual([it.decode() for it in left], ["waits", job[:-1] + ',"requeued_after_crash":1}'])
            self.assertEqual(server.client.smembers(f"{prefix}queues"), {b"q:1"})
            self.assertEqual(server.client.exists(record), 0)

    def test_one_that_is_known_elsewhere_stays(self):
        for engine, server, prefix, record in self.each_case():
            jobs = {name: payload(name) for name in ("retried", "died", "runs", "queued", "lost")}
            for name, job in jobs.items():
                server.client.hset(record, name, running(job))
            server.client.zadd(f"{prefix}retry", {payload("retried", retry_count=0): 1})
            server.client.zadd(f"{prefix}dead", {payload("died", retry_count=0): 1})
            server.client.rpush(f"{prefix}queue:default", "x", jobs["queued"])
            other = f"{prefix}other:1:0123456789ab"
            server.client.hset(f"{other}:workers", "t", running(jobs["runs"]))
            server.client.hset(other, "beat", 1)
            server.client.expire(other, 58)
            report = self.run_task(server, "requeue-stalled", engine, prefix=prefix)
            self.assertEqual(report["outcomes"], {"requeued": 1, "kept": 4})
            self.assertEqual(server.client.llen(f"{prefix}queue:default"), 3)
            self.assertEqual(server.client.hlen(record), 4)

    def test_one_that_two_processes_had_is_put_back_once(self):
        for engine, server, prefix, record in self.each_case("work"):
            for key in (record, f"{prefix}other:1:0123456789ab:work"):
                server.client.hset(key, "t", running(payload("a")))
            report = self.run_task(server, "requeue-stalled", engine, prefix=prefix)
            self.assertEqual(report["outcomes"], {"requeued": 1, "removed": 1})
            self.assertEqual(self.run_task(server, "requeue-stalled", engine, prefix=prefix)["found"], 0)
            self.assertEqual(server.client.llen(f"{prefix}queue:default"), 1)

    def test_a_job_that_kills_its_process_is_buried(self):
        for engine, server, prefix, record in self.each_case("workers"):
            queue = f"{prefix}queue:default"
            server.client.hset(record, "t", running(payload("bad")))
            for times in (1, 2):
                report = self.run_task(server, "requeue-stalled", engine, prefix=prefix, most_times=2)
                self.assertEqual(report["outcomes"], {"requeued": 1})
                job = server.client.rpop(queue).decode()
                self.assertEqual(json.loads(job)["requeued_after_crash"], times)
                server.client.hset(record, "t", running(job))
            report = self.run_task(server, "requeue-stalled", engine, prefix=prefix, most_times=2)
            self.assertEqual(report["outcomes"], {"buried": 1})
            self.assertEqual(server.client.zrange(f"{prefix}dead", 0, -1), [job.encode()])
            self.assertEqual(server.client.exists(record, queue), 0)

    def test_what_is_not_understood_stays(self):
        for engine, server, prefix, record in self.each_case():
            server.client.hset(record, mapping={
                "a": "garbage", "b": running("garbage"), "c": json.dumps({"queue": "q", "payload": {"jid": "x"}}),
                "d": running(payload("x"), "string"),
            })
            server.client.set(f"{prefix}queue:string", "x")
            server.client.hset(f"{prefix}my:work", "a", "b")
            server.client.hset(f"{prefix}h:1:0123456789ab:worker", "a", "b")
            immortal = f"{prefix}h:2:0123456789ab"
            server.client.hset(immortal, "beat", "1")
            server.client.hset(f"{immortal}:workers", "t", running(payload("y")))
            server.client.expire(f"{immortal}:workers", 50)
            before = snapshot(server.client)
            report = self.run_task(server, "requeue-stalled", engine, prefix=prefix)
            self.assertEqual(report["outcomes"], {"kept": 5})
            self.assertEqual(differences(before, snapshot(server.client)), [])

    def test_only_the_named_queues(self):
        for engine, server, prefix, record in self.each_case("work"):
            server.client.hset(record, mapping={it: running(payload(it), it) for it in ("mail", "other")})
            report = self.run_task(server, "requeue-stalled", engine, prefix=prefix, queues="m*")
            self.assertEqual(report["outcomes"], {"requeued": 1})
            self.assertEqual(server.client.hkeys(record), [b"other"])


class PauseTest(Test):
    def test_processes_become_quiet(self):
        world = self.world()
        client = world.server.client
        workers = [world.worker(["default"]), world.worker(["low:er"])]
        for worker, engine, queues in zip(workers, ENGINES, ("default", "low*")):
            report = self.run_task(world.server, "pause", engine, queues=queues)
            self.assertEqual(report["outcomes"], {"paused": 1})
            self.assertEqual(self.run_task(world.server, "pause", engine, queues=queues)["found"], 0)
        for worker in workers:
            until(lambda: client.hget(worker.identity, "quiet") == b"true", "it is quiet", 30)
        self.assertEqual({quiet for _, quiet in world.processes()}, {True})
        until(lambda: not client.exists(*(f"{it.identity}-signals" for it in workers)), "all signals are read", 30)
        world.push([[["a"], {}]])
        for engine in ENGINES:
            self.assertEqual(self.run_task(world.server, "pause", engine)["found"], 0)
        self.assertEqual(world.sizes()["queues"]["default"], 1)
        world.worker(["default"])  # one that starts is not quiet
        until(lambda: world.done() == {"a": 1}, "the job has run")

    def test_processes_without_signals(self):
        for engine in ENGINES:
            server = self.redis()
            server.client.sadd("processes", IDENTITY, "gone:1:0123456789ab")
            server.client.hset(IDENTITY, "info", json.dumps({"queues": ["a"], "embedded": True}))
            self.keeps(self.run_task(server, "pause", engine), "embedded")
            self.assertEqual(server.client.exists(f"{IDENTITY}-signals"), 0)


class OrphansTest(Test):
    def fill(self, client, prefix):
        key = lambda name: prefix + name
        alive = key("alive:1:0123456789ab")
        client.sadd(key("processes"), alive[len(prefix):], "gone:1:0123456789ab")
        client.hset(alive, "info", json.dumps({"queues": ["used"]}))
        client.expire(alive, 3600)
        client.hset(key("still:1:0123456789ab"), "info", json.dumps({"queues": []}))
        client.sadd(key("queues"), "used", "unused", "full")
        client.rpush(key("queue:full"), payload("a"))
        client.rpush(key("queue:un:known"), payload("b"))
        client.rpush(key("queue:strange"), "no job")
        client.rpush(key("gone:1:0123456789ab-signals"), "TSTP")
        client.rpush(alive + "-signals", "TSTP")
        client.rpush(key("my-signals"), "x")
        client.zadd(key("retry"), {"no job": 1, payload("c"): 2})
        client.hset(key("gone:1:0123456789ab:work"), "t", running(payload("d")))
        client.set(key("stat:processed"), 5)

    def test_reports_and_repairs(self):
        for engine in ENGINES:
            for prefix in ("", "a[*:b:"):
                server = self.redis()
                self.fill(server.client, prefix)
                before = snapshot(server.client)
                options = {"engine": engine, "prefix": prefix, "grace": "0s"}
                report = moonshift_done("sidekiq/orphans", server.url, **options)
                self.assertEqual(report["outcomes"], {"kept": 7})
                self.assertEqual(differences(before, snapshot(server.client)), [])
                report = moonshift_done("sidekiq/orphans", server.url, repair="true", **options)
                self.assertEqual(report["outcomes"], {"removed": 3, "repaired": 2, "kept": 2})
                touched = ("processes", "queues", "still:1:0123456789ab", "gone:1:0123456789ab-signals")
                self.assertEqual(
                    differences(before, snapshot(server.client)), sorted((prefix + it).encode() for it in touched))
                self.assertEqual(server.client.smembers(f"{prefix}queues"), {b"used", b"full", b"un:known"})
                self.assertEqual(server.client.smembers(f"{prefix}processes"), {b"alive:1:0123456789ab"})

    def test_has_a_second_look(self):
        for engine in ENGINES:
            server = self.redis()
            server.client.sadd("processes", IDENTITY)
            server.client.rpush("queue:new", payload("a"))
            run = self.launch(server, engine)
            until(lambda: server.client.info("commandstats").get("cmdstat_sismember"), "the first look")
            pipe = server.client.pipeline()
            pipe.hset(IDENTITY, "info", "{}").expire(IDENTITY, 60).sadd("queues", "new").execute()
            self.assertEqual(run(), {"gone": 2})

    def launch(self, server, engine):
        process = launch_moonshift(
            *run_arguments("sidekiq/orphans", server.url, engine=engine, grace="1s", repair="true"))
        return lambda: json.loads(process.communicate(timeout=60)[0])["outcomes"]


class KillTest(Test):
    def survives(self, script, fill, **params):
        server = self.redis()
        pipe = server.client.pipeline(False)
        fill(pipe)
        pipe.execute()
        rdb = server.save()
        for engine in ENGINES:
            with self.subTest(engine=engine):
                self.assert_survives_kill(f"sidekiq/{script}", rdb, cuts=3, engine=engine, now=1600000000000, **params)

    def test_requeue_stalled(self):
        def fill(pipe):
            for i in range(200):
                layout = "work" if i % 2 else "workers"
                pipe.hset(f"h:{i}:0123456789ab:{layout}", mapping={
                    f"t{j}": running(payload(f"{i}-{j}"), f"q{i}-{j}") for j in range(10)})

        self.survives("requeue-stalled", fill)

    def test_orphans(self):
        def fill(pipe):
            for i in range(2000):
                pipe.sadd("processes", f"h:{i}:0123456789ab")
            for i in range(300):
                pipe.rpush(f"queue:lost{i}", payload(f"l{i}"))

        self.survives("orphans", fill, repair="true", grace="0s")

    def test_pause(self):
        def fill(pipe):
            for i in range(2000):
                pipe.sadd("processes", f"h:{i}:0123456789ab")
                pipe.hset(f"h:{i}:0123456789ab", "info", '{"queues":["q"]}')

        self.survives("pause", fill)


if __name__ == "__main__":
    unittest.main()
