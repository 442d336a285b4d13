"""A world of RQ for the tests: servers with jobs of the real library, made with the clock moved back, and its workers
as processes."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from math import inf

from freezegun import freeze_time
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.version import VERSION
from support import RealTest, until
from worker import QuickSimpleWorker

HERE = os.path.dirname(os.path.abspath(__file__))
DAY = timedelta(days=1)
IS_RQ_2 = VERSION.startswith("2.")

for name in ("rq.worker", "rq.registry", "rq.job"):
    logging.getLogger(name).setLevel(logging.CRITICAL)


def utc_now():
    return datetime.now(timezone.utc)


def at(moment):
    """The clock of this process at another time; Redis's own goes on."""
    return freeze_time(moment.replace(tzinfo=None), tick=True)


def key_of(job_id):
    return f"rq:job:{job_id}"


def comparable(keys):
    """A snapshot without what differs by the moment: times, texts with a time in them, seconds of scores."""

    def plain(kind, contents):
        if kind == b"hash":
            return [it for it in contents if it[0] not in (b"enqueued_at", b"exc_info")]
        if kind == b"zset":
            return sorted((member, score if score == inf else score // 60) for member, score in contents)
        if kind == b"stream":
            return [{field: it for field, it in fields.items() if field != b"exc_string"} for _, fields in contents]
        return contents

    return {
        key: (kind, expires, plain(kind, contents))
        for key, (kind, expires, contents) in keys.items()
        if not key.startswith((b"rq:clean_registries:", b"rq:worker", b"rq:execution"))
    }


class RqTest(RealTest):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.snapshots = {}
        cls.directory = tempfile.mkdtemp(prefix="moonshift-rq-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)

    def world(self, rdb=None):
        server = self.redis(rdb)
        server.queue = lambda name="mail": Queue(name, connection=server.client)
        server.job = lambda job_id: Job.fetch(job_id, connection=server.client)
        server.ids = lambda key: {it.decode() for it in server.client.zrange(key, 0, -1)}
        server.waiting = lambda name="mail": [
            it.decode() for it in server.client.lrange(f"rq:queue:{name}", 0, -1)
        ]
        server.ran = lambda: [it.decode() for it in server.client.lrange("ran", 0, -1)]
        return server

    def made(self, build):
        """A world that `build(server)` has filled, and what that returned. It does so once for all tests of a class."""
        name = build.__name__
        if name not in self.snapshots:
            server = self.world()
            told = build(server)
            rdb = shutil.copy(server.save(), os.path.join(self.directory, name))
            self.snapshots[name] = (rdb, told)
            server.stop()
        rdb, told = self.snapshots[name]
        return self.world(rdb), told

    def work(self, server, *names, moment=None):
        """Runs in this process all that waits in the queues, at the present or some other moment."""

        def burst():
            queues = [server.queue(name) for name in names or ["mail"]]
            SimpleWorker(queues, connection=server.client).work(burst=True, logging_level=logging.CRITICAL)

        if moment is None:
            burst()
        else:
            with at(moment):
                burst()
        server.client.delete(*(server.client.keys("rq:clean_registries:*") or ["none"]))
        server.client.delete(*(server.client.keys("rq:worker:*") or ["none"]))

    def start(self, server, *ids, name="mail", ago=timedelta(hours=1)):
        """Jobs that a worker took and started so long ago, and was killed then: in the order of the queue."""
        moment = utc_now() - ago
        queue = server.queue(name)
        with at(moment):
            worker = QuickSimpleWorker([queue], connection=server.client, name=f"dead-{len(ids)}-{name}")
            for job_id in ids:
                job, _ = Queue.dequeue_any([queue], None, connection=server.client)
                assert job.id == job_id, f"{job.id} came instead of {job_id}"
                if IS_RQ_2:
                    worker.prepare_execution(job)
                    worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
                else:
                    worker.prepare_job_execution(job)
        server.client.delete(worker.key)

    def worker(self, server, *names, options=(), heartbeat=2):
        """A worker as a process; it is killed with the test."""
        arguments = [sys.executable, "-W", "ignore", os.path.join(HERE, "worker.py")]
        process = subprocess.Popen(
            [*arguments, server.socket, *(names or ["mail"]), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "HEARTBEAT": str(heartbeat)},
        )
        self.addCleanup(self.kill, process)
        return process

    @staticmethod
    def kill(process):
        """Kills a worker, and the process its job may run in."""
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def burst(self, server, *names):
        """Has a worker process run all that waits."""
        process = self.worker(server, *names, options=["--burst"])
        process.wait(timeout=60)

    def started(self, server, count, name="mail"):
        until(lambda: server.client.zcard(f"rq:wip:{name}") >= count, f"{count} jobs are started")
