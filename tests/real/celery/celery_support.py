"""Celery and its workers on a private Redis."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timezone
from unittest import mock

import celery.backends.base
import kombu.transport.redis
from celery.app.task import Context

import celery_app
from support import until

HOUR = 3_600_000
DAY = 24 * HOUR


class Celery:
    """An app on one server, and its workers as processes."""

    def __init__(self, test, server, **options):
        self.server, self.options = server, options
        self.app = celery_app.make_app(server.socket, **options)
        self.records = server.connect(db=1)
        self.workers = []
        test.addCleanup(self.stop)

    def now(self, plus=0):
        seconds, micros = self.server.client.time()
        return seconds * 1000 + micros // 1000 + plus

    def worker(self, *arguments, queues="celery", name="w", concurrency=1, prefetch=4, pool="prefork"):
        """A worker process, in a group of its own, that is ready."""
        options = {"socket": self.server.socket, "worker_prefetch_multiplier": prefetch, **self.options}
        environment = {**os.environ, "CELERY_TEST": json.dumps(options), "PYTHONPATH": os.path.dirname(__file__)}
        command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-Q", queues, "-n", name]
        command += ["-c", str(concurrency), "-P", pool, "-l", "info", "--without-gossip", "--without-mingle"]
        log_path = os.path.join(self.server.directory, f"{name}-{len(self.workers)}.log")
        with open(log_path, "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [*command, "--without-heartbeat", *arguments],
                env=environment, stdout=log, stderr=log, start_new_session=True, cwd=self.server.directory,
            )
        process.log = log_path
        self.workers.append(process)
        until(lambda: " ready." in open(log_path, encoding="utf-8").read() or process.poll(), "the worker is ready", 40)
        assert process.poll() is None, open(log_path, encoding="utf-8").read()
        return process

    def kill(self, worker):
        """kill -9, of the worker and of its pool."""
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def stop(self):
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)
        waiting = self.app.backend.result_consumer
        waiting.stop()
        waiting._pubsub = None  # or it tries for long to reach a server that is no more
        self.app.close()
        self.records.close()

    def send(self, name, queue="celery", payload=None, task="record", **options):
        return self.app.send_task(task, args=(name, payload) if task == "record" else (name,), queue=queue, **options)

    def publish(self, name, exchange, routing_key, **options):
        """Sends a task to an exchange, which decides about the queues."""
        queues = [it for it in self.app.amqp.queues.values() if it.exchange.name == exchange]
        return self.app.send_task("record", args=(name,), exchange=exchange, routing_key=routing_key,
                                  exchange_type=queues[0].exchange.type, declare=queues, **options)

    def ran(self):
        """Which tasks have run how often."""
        return Counter(it.decode().split(" ")[0] for it in self.records.lrange("ran", 0, -1))

    def held(self):
        """How many messages workers hold, by hash and by index."""
        return self.server.client.hlen("unacked"), self.server.client.zcard("unacked_index")

    def fill(self, name, count):
        """Makes a worker of one process hold `count` messages and run none. It fetches no more then, or a kill could meet it
        between BRPOP and the entry in `unacked`, where kombu loses a message."""
        node = f"celery@{name}"
        self.records.set(f"hold:{node}", 1)
        until(lambda: self.records.exists(f"holding:{node}"), "its task waits")
        inspect = self.app.control.inspect([node], timeout=2)
        until(lambda: len((inspect.reserved() or {}).get(node, [])) == count - 1, "the others are fetched")

    def take(self, queues, count):
        """Takes messages as a worker does and vanishes like one that is killed."""
        connection = self.app.connection_for_read()
        channel = connection.channel()
        channel.do_restore = False
        taken = []
        consumer = kombu.Consumer(
            channel, [self.app.amqp.queues[it] for it in queues], accept=["json"], on_message=taken.append
        )
        consumer.qos(prefetch_count=count)
        consumer.consume()
        while len(taken) < count:
            connection.drain_events(timeout=5)
        channel.qos._delivered.clear()
        channel.qos._on_collect.cancel()
        channel._disconnect_pools()

    def restore_by_library(self, later):
        """What a worker of all queues does that runs `later` ms from now."""
        seconds = self.now(later) / 1000
        with self.app.connection_for_read() as connection, connection.channel() as channel:
            for queue in self.app.amqp.queues.values():
                queue(channel).declare()
            with mock.patch.object(kombu.transport.redis, "time", lambda: seconds):
                channel.qos.restore_visible(num=channel.unacked_restore_limit)


def messages(client, queue):
    """The messages of a queue's lists as they mean, by list."""
    lists = [queue, *(f"{queue}\x06\x16{step}" for step in (3, 6, 9))]
    found = {it: [json.loads(text) for text in client.lrange(it, 0, -1)] for it in lists}
    return {name: contents for name, contents in found.items() if contents}


def store_at(app, ms, task_id, state, result=None, **request):
    """Stores a result as a worker does at that moment."""
    moment = datetime.fromtimestamp(ms / 1000, timezone.utc)
    with mock.patch.object(celery.backends.base, "datetime", create=True) as clock:
        clock.utcnow.return_value = moment.replace(tzinfo=None)
        with mock.patch.object(app, "now", lambda: moment.astimezone(app.timezone)):
            app.backend.store_result(task_id, result, state, request=Context(id=task_id, **request))
