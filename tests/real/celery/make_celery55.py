"""Makes what celery55.rdb and celery55.json hold: data that Celery 5.5 wrote. Run where that is installed
(Debian 13), beside celery_app.py, celery_support.py and support.py:

    make_celery55.py DIRECTORY > celery55.json

DIRECTORY has the socket of an empty Redis 7, redis.sock; that server's SAVE is celery55.rdb. Database 0 has the
data, database 2 what Celery's own restore makes of it two hours later.
"""

import json
import os
import random
import socket
import sys
import uuid
from datetime import datetime, timedelta, timezone

socket.gethostname = lambda: "host"  # Celery writes it into messages as it is imported

import celery as celery_library
import kombu
import redis
from celery.result import GroupResult

from celery_support import DAY, HOUR, Celery, store_at
from support import until

QUEUES = ["celery", "mail:out", "g*[l]ob?", "errors", "logs"]
NASTY = [[], {}, 1.0, 2**60 + 1, "\u00fc\u2028\"\\/\x00", {"a": [{}, []], "redelivered": False}, None]


class Server:
    def __init__(self, directory):
        self.directory, self.socket = directory, os.path.join(directory, "redis.sock")
        self.client = self.connect()

    def connect(self, **options):
        return redis.Redis(unix_socket_path=self.socket, **options)


class Owner:
    """Stands in for a test."""

    def __init__(self):
        self.cleanups = []

    def addCleanup(self, cleanup):
        self.cleanups.append(cleanup)


def hold_messages(celery, prefix=""):
    """Messages of all kinds that a worker held which is no more; how often each is to run."""
    chance = random.Random(55)
    expected = {}
    for i in range(80):
        options = {"priority": chance.randrange(10)} if i % 2 else {}
        name = f"{prefix}task-{i}"
        expected[name] = 1
        if i % 8 == 0:
            celery.publish(name, "logs", "disk.error")
            expected[name] = 2
        elif i % 8 == 1:
            celery.publish(name, "mail", "out", **options)
        else:
            celery.send(name, chance.choice(QUEUES[:3]), chance.choice(NASTY), **options)
    celery.take(QUEUES, sum(expected.values()))
    return expected


def chord_that_fails(celery):
    worker = celery.worker(pool="solo")
    header = [celery_library.signature("record", args=(f"part-{i}",), app=celery.app) for i in range(2)]
    header.append(celery_library.signature("fail", args=("boom",), app=celery.app))
    result = celery_library.chord(header, app=celery.app)(celery_library.signature("total", app=celery.app))
    until(lambda: result.state == "FAILURE" and len(celery.ran()) == 2, "the chord has failed")
    with celery.app.connection_for_write() as connection:
        mailbox = celery.app.control.mailbox(connection)
        mailbox._publish("ping", {}, reply_ticket=str(uuid.uuid4()), channel=connection.default_channel)
    until(lambda: list(celery.server.client.scan_iter(match="*.reply.celery.pidbox", _type="list")), "an answer")
    celery.kill(worker)


def store_results(celery, now, head):
    """Results of several ages, and groups that were saved."""
    for age in (0, 6, 7, 8, 30):
        for state, result in (("SUCCESS", NASTY), ("FAILURE", ValueError("boom")), ("STARTED", None)):
            store_at(celery.app, now - age * DAY, f"{head}-{age}-{state}", state, result)
    for group, ages in {f"{head}-old": (9, 8), f"{head}-half": (9, 2)}.items():
        ids = [f"{group}-{i}" for i in range(2)]
        GroupResult(group, [celery.app.AsyncResult(it) for it in ids], app=celery.app).save()
        for task_id, age in zip(ids, ages):
            store_at(celery.app, now - age * DAY, task_id, "SUCCESS", 1, group=group)


def main(directory):
    server, owner = Server(directory), Owner()
    celery = Celery(owner, server, task_acks_late=True)
    chord_that_fails(celery)
    now = celery.now()
    store_results(celery, now, "utc")
    store_results(Celery(owner, server, timezone="America/New_York"), now, "west")
    options = {"result_backend_transport_options": {"global_keyprefix": "app"}}
    options["broker_transport_options"] = {"global_keyprefix": "{app}:"}
    prefixed = Celery(owner, server, **options)
    store_results(prefixed, now, "app")
    held = hold_messages(prefixed, prefix="app-")
    expected = hold_messages(celery)
    moment = datetime.fromtimestamp(now / 1000, timezone.utc)
    celery.send("later", eta=moment + timedelta(days=1))
    celery.take(["celery"], 1)

    now = celery.now()
    for pattern in ("unacked*", "_kombu.binding.*"):
        for key in server.client.scan_iter(match=pattern):
            server.client.copy(key, key, destination_db=2)
    app = Celery(owner, server)
    app.app.conf.broker_url += "?virtual_host=2"
    app.restore_by_library(2 * HOUR)
    server.connect(db=1).flushdb()
    for cleanup in owner.cleanups:
        cleanup()
    versions = {it.__name__: it.__version__ for it in (celery_library, kombu)}
    json.dump({"versions": versions, "now": now, "expected": expected, "held": held}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(sys.argv[1])
