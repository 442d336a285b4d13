"""queues/report on RQ, Celery and Sidekiq: what it says, compared with what the libraries say themselves."""

import json
import os
import sys
import unittest
from datetime import timedelta

HERE = os.path.dirname(os.path.abspath(__file__))
REAL = os.path.dirname(HERE)
for family in ("rq", "celery", "sidekiq"):
    sys.path.insert(0, os.path.join(REAL, family))

from rq import Queue, Worker  # noqa: E402
from rq.suspension import resume, suspend  # noqa: E402

import celery_support  # noqa: E402
from sidekiq_support import World  # noqa: E402
from support import RealTest, launch_moonshift, until  # noqa: E402
from world import RqTest, at, utc_now  # noqa: E402

MINUTE = 60_000


def look(server):
    """The findings: what -> finding."""
    process = launch_moonshift("run", "queues/report", "--url", server.url, "--json")
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, output + errors
    findings = json.loads(output)["findings"]
    assert len({it["what"] for it in findings}) == len(findings), findings
    return {it["what"]: it for it in findings}


def jobs(finding):
    return {state: count for state, count in finding["data"]["jobs"].items() if count}


class RqReport(RqTest):
    def assert_counts(self, server, name):
        queue, data = server.queue(name), look(server)[f"rq rq:queue:{name}"]["data"]
        registries = {
            "active": queue.started_job_registry, "delayed": queue.scheduled_job_registry,
            "deferred": queue.deferred_job_registry, "completed": queue.finished_job_registry,
            "failed": queue.failed_job_registry,
        }
        expected = {state: server.client.zcard(it.key) for state, it in registries.items()}
        overdue = server.client.zcount(registries["delayed"].key, "-inf", server.client.time()[0])
        self.assertEqual(data["jobs"], {"waiting": queue.count, "overdue": overdue, **expected})
        return data

    def test_what_rq_2_left_behind(self):
        server = self.world(os.path.join(REAL, "rq", "rq2.rdb"))
        names = [it.name for it in Queue.all(connection=server.client)]
        self.assertEqual(len(look(server)), len(names))
        for name in names:
            self.assertEqual(self.assert_counts(server, name)["workers"], 0)

    def test_live_workers(self):
        server, name = self.world(), "mail:out"
        queue = server.queue(name)
        with at(utc_now() - timedelta(minutes=20)):
            queue.enqueue("os.getpid")
        with at(utc_now() - timedelta(minutes=10)):
            queue.enqueue("os.getpid")
            queue.enqueue_in(timedelta(minutes=5), "os.getpid")
            queue.enqueue_in(timedelta(minutes=15), "os.getpid")
        data = self.assert_counts(server, name)
        self.assertAlmostEqual(data["oldest_ms"], 20 * MINUTE, delta=5000)
        self.assertEqual((data["jobs"]["overdue"], data["workers"], data["paused"]), (1, 0, False))
        self.assertEqual(look(server)[f"rq rq:queue:{name}"]["limit"], "a worker")

        suspend(server.client)
        self.assertTrue(self.assert_counts(server, name)["paused"])
        self.assertEqual(look(server)[f"rq rq:queue:{name}"]["level"], "ok")
        self.worker(server, name)
        self.worker(server, name, "else")
        until(lambda: Worker.count(queue=queue) == 2, "two workers")
        self.assertEqual(self.assert_counts(server, name)["workers"], 2)
        resume(server.client)
        until(lambda: queue.finished_job_registry.count == 2, "they have run")
        self.assertEqual(self.assert_counts(server, name)["jobs"]["waiting"], 0)
        server.client.sadd(f"rq:workers:{name}", "rq:worker:gone")
        self.assertEqual(self.assert_counts(server, name)["workers"], 2)


class CeleryReport(RealTest):
    def test_what_celery_5_5_left_behind(self):
        server = self.redis(os.path.join(REAL, "celery", "celery55.rdb"))
        found = look(server)
        names = {"celery", "mail:out", "g*[l]ob?", "errors", "logs"}
        self.assertEqual(set(found), {f"celery {prefix}{name}" for prefix in ("", "{app}:") for name in names})
        for what, finding in found.items():
            held = server.client.hlen("{app}:unacked" if "{app}:" in what else "unacked")
            self.assertEqual(jobs(finding), {"held by workers of all queues": held})
            self.assertEqual(finding["data"]["workers"], 0)

    def test_live_workers(self):
        server = self.redis()
        world = celery_support.Celery(self, server)
        for priority in (None, 0, 3, 5, 9):
            world.send(f"waits-{priority}", priority=priority)
        world.send("other", queue="mail:out")
        finding = look(server)["celery celery"]
        self.assertEqual(jobs(finding), {"waiting": 5})
        self.assertEqual((finding["data"]["workers"], finding["limit"]), (0, "a worker"))

        world.records.set("hold", "1")
        world.worker("--without-heartbeat", prefetch=1)
        until(lambda: world.records.exists("holding:celery@w"), "it runs one")
        until(lambda: look(server)["celery celery"]["data"]["workers"] == 1, "one worker")
        second = world.worker(name="w2", queues="mail:out", prefetch=1)
        until(lambda: world.records.exists("holding:celery@w2"), "the other one has its job")
        found = look(server)
        with world.app.connection() as connection:
            waiting = connection.default_channel._size("celery")
        self.assertGreater(waiting, 2)
        expected = {"waiting": waiting, "held by workers of all queues": server.client.hlen("unacked")}
        self.assertEqual(found["celery celery"]["data"]["jobs"], expected)
        self.assertEqual(found["celery celery"]["data"]["workers"], len(world.app.control.ping(timeout=1)))
        self.assertEqual(found["celery celery"]["level"], "ok")
        # Killed, it leaves its mailbox behind; somebody else listens to patterns, in another database.
        world.kill(second)
        listener = server.connect(db=2).pubsub()
        listener.psubscribe("*")
        self.assertEqual(server.client.scard("_kombu.binding.celery.pidbox"), 2)
        until(lambda: look(server)["celery celery"]["data"]["workers"] == 1, "one is left")
        listener.close()


class SidekiqReport(RealTest):
    def assert_counts(self, world, queues):
        found, sizes = look(world.server), world.sizes()
        for name in queues:
            data = found[f"sidekiq {world.prefix}queue:{name}"]["data"]
            self.assertEqual(data["jobs"]["waiting"], sizes["queues"].get(name, 0))
            self.assertEqual(data["jobs"]["in retry of all queues"], sizes["retry"])
            self.assertEqual(data["jobs"]["scheduled"], sizes["schedule"])
            self.assertEqual(data["jobs"]["dead"], sizes["dead"])
        return found

    def test_what_sidekiq_7_left_behind(self):
        server = self.redis(os.path.join(REAL, "sidekiq", "sidekiq7.rdb"))
        world = World(self, server)
        found = self.assert_counts(world, ["default", "low:er"])
        self.assertEqual(len(found), 2)
        self.assertTrue(all(it["data"]["workers"] == 1 for it in found.values()))

    def test_two_namespaces(self):
        server = self.redis()
        bare, app = World(self, server), World(self, server, "app:{x}")
        if bare.version().startswith("7"):
            self.skipTest("Sidekiq 7 knows no namespaces")
        now = bare.now()
        for world, count in ((bare, 2), (app, 3)):
            world.at(now - 20 * MINUTE)
            world.push([[[f"late{count}", 0, 0], {"at": (now - MINUTE) / 1000}]])
            world.push([[[f"job{i}", 0, 0], {"queue": "mail:out"}] for i in range(count)])
        found = self.assert_counts(bare, ["mail:out"])
        self.assert_counts(app, ["mail:out"])
        self.assertEqual(set(found), {"sidekiq queue:mail:out", "sidekiq app:{x}:queue:mail:out"})
        data = found["sidekiq app:{x}:queue:mail:out"]["data"]
        self.assertAlmostEqual(data["oldest_ms"], 20 * MINUTE, delta=10_000)
        self.assertEqual((data["jobs"]["overdue"], data["workers"], data["paused"]), (1, 0, False))

        worker = bare.worker(queues=["other"])
        found = look(server)
        self.assertEqual(found["sidekiq queue:mail:out"]["limit"], "a worker", "it works on another queue")
        bare.kill(worker)
        worker = app.worker(queues=["mail:out", "low"])
        found = look(server)
        self.assertEqual(found["sidekiq app:{x}:queue:mail:out"]["data"]["workers"], 1)
        self.assertEqual(found["sidekiq queue:mail:out"]["data"]["workers"], 0)
        server.client.hset(app.key(worker.identity), "quiet", "true")
        self.assertEqual(look(server)["sidekiq app:{x}:queue:mail:out"]["data"]["workers"], 0)


if __name__ == "__main__":
    unittest.main()
