"""A worker as a process of its own: worker.py SOCKET QUEUE... Its jobs' heartbeats are due every few seconds
($HEARTBEAT), so that a test need not wait for a minute to see them missed. --fork runs each job in a process of its
own, --scheduler adds RQ's scheduler, --burst ends when there is no more work."""

import logging
import os
import sys

import redis
from rq import SimpleWorker, Worker

seconds = int(os.environ.get("HEARTBEAT", "2"))


class Quick:
    def get_heartbeat_ttl(self, job):
        return seconds


class QuickWorker(Quick, Worker):
    pass


class QuickSimpleWorker(Quick, SimpleWorker):
    pass


if __name__ == "__main__":
    options = {it for it in sys.argv[1:] if it.startswith("--")}
    path, *queues = [it for it in sys.argv[1:] if it not in options]
    kind = QuickWorker if "--fork" in options else QuickSimpleWorker
    connection = redis.Redis(unix_socket_path=path)
    worker = kind(queues, connection=connection, log_job_description=False)
    worker.work(
        burst="--burst" in options, with_scheduler="--scheduler" in options, logging_level=logging.CRITICAL
    )
