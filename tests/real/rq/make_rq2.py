"""Makes rq2.rdb and rq2.json with RQ 2: make_rq2.py SOCKET DIRECTORY, where SOCKET is that of an empty redis-server 7.0
that saves into DIRECTORY. The clock is moved, and no key expires before the year 2096, so that what a test finds does
not depend on its day. rq2.json has what RQ's own cleanup made of the same data."""

import json
import logging
import os
import sys
from datetime import datetime, timedelta

import jobs
import redis
from freezegun import freeze_time
from rq import VERSION, Callback, Queue, Repeat, Retry, SimpleWorker
from rq.group import Group
from rq.intermediate_queue import IntermediateQueue
from rq.job import Dependency
from rq.registry import StartedJobRegistry

assert VERSION.startswith("2."), VERSION
socket, directory = sys.argv[1:]
client = redis.Redis(unix_socket_path=socket)
client.flushall()
queue = Queue("two", connection=client)
now = datetime(2026, 11, 1, 12)


def at(**ago):
    return freeze_time(now - timedelta(**ago), tick=True)


def work():
    SimpleWorker([queue], connection=client).work(burst=True, logging_level=logging.CRITICAL)


def ended():
    """Jobs that ended 10 days and 1 day ago."""
    for days, tag in ((10, "old"), (1, "new")):
        with at(days=days):
            for i in range(20):
                queue.enqueue(jobs.succeed, i, job_id=f"{tag}-ok-{i}", result_ttl=-1)
                queue.enqueue(jobs.fail, f"ValueError: {i}", job_id=f"{tag}-bad-{i}", failure_ttl=(None, -1)[i % 2])
            in_group = [Queue.prepare_data(jobs.succeed, job_id=f"{tag}-grouped-{i}", result_ttl=-1) for i in range(5)]
            Group(client, "party").enqueue_many(queue, in_group)
            repeat = Repeat(times=3, interval=11 * 86400)
            queue.enqueue(jobs.succeed, job_id=f"{tag}-repeats", repeat=repeat, result_ttl=-1)
            work()


def started():
    """Jobs of a worker that died an hour ago, at different moments."""
    with at(hours=1):
        plain = {f"plain-{i}": {} for i in range(10)}
        forever = {f"forever-{i}": {"failure_ttl": -1} for i in range(10)}
        retried = {f"retried-{i}": {"retry": Retry(max=3)} for i in range(10)}
        later = {f"later-{i}": {"retry": Retry(max=2, interval=[600, 7200])} for i in range(10)}
        callback = {f"callback-{i}": {"on_failure": Callback(jobs.tell_failure)} for i in range(3)}
        before = {f"before-{i}": {"retry": Retry(max=3)} for i in range(3)}
        moved = {"moved-on": {"retry": Retry(max=3)}, "alive": {}}
        options = {**plain, **forever, **retried, **later, **callback, **before, **moved}
        for job_id, it in options.items():
            queue.enqueue(jobs.succeed, job_id=job_id, **it)
        queue.enqueue(jobs.succeed, job_id="lenient", depends_on=Dependency(jobs=["plain-0"], allow_failure=True))
        queue.enqueue(jobs.succeed, job_id="strict", depends_on="plain-0")
        worker = SimpleWorker([queue], connection=client, name="dead")
        worker.register_birth()
        for job_id in options:
            job, _ = Queue.dequeue_any([queue], None, connection=client)
            assert job.id == job_id
            worker.prepare_execution(job)
            if job_id not in before:  # killed before the job began, else while it ran
                worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
    client.delete(worker.key)


def running():
    """One job of the dead worker runs again meanwhile, beside one of the living worker's own."""
    with at(minutes=-10):
        worker = SimpleWorker([queue], connection=client, name="living")
        for job_id in ("moved-on", "alive"):
            job = queue.fetch_job(job_id)
            queue._enqueue_job(job)
            popped, _ = Queue.dequeue_any([queue], None, connection=client)
            assert popped.id == job_id
            worker.prepare_execution(popped)
            worker.prepare_job_execution(popped, remove_from_intermediate_queue=True)


def taken():
    """Jobs that a worker took and never started: seen long ago, seen before their last run, never seen."""
    middle = IntermediateQueue(queue.key, client)
    with at(days=1):
        middle.set_first_seen("seen-before")
    with at(hours=1):
        for job_id in ("seen", "seen-before", "unseen"):
            queue.enqueue(jobs.succeed, job_id=job_id)
            assert Queue.dequeue_any([queue], None, connection=client)[0].id == job_id
    with at(minutes=50):
        middle.set_first_seen("seen")


def scheduled():
    with at(days=1):
        queue.enqueue_in(timedelta(hours=1), jobs.succeed, job_id="due")
        queue.enqueue_in(timedelta(days=9), jobs.succeed, job_id="not-due")


def orphaned():
    with at(days=2):
        for job_id in ("deleted-bad", "deleted-ok"):
            queue.enqueue(jobs.fail if job_id == "deleted-bad" else jobs.succeed, job_id=job_id, result_ttl=-1)
        work()
        for job_id in ("deleted-bad", "deleted-ok"):
            queue.fetch_job(job_id).delete()


def state():
    return {
        "waiting": [it.decode() for it in client.lrange(queue.key, 0, -1)],
        "taken": sorted(it.decode() for it in client.lrange(queue.intermediate_queue_key, 0, -1)),
        "status": {key[7:].decode(): client.hget(key, "status").decode() for key in jobs_of(client)},
        "retries_left": {key[7:].decode(): int(client.hget(key, "retries_left") or 0) for key in jobs_of(client)},
        "failed": {it.decode(): score for it, score in client.zrange("rq:failed:two", 0, -1, withscores=True)},
        "scheduled": {it.decode(): score for it, score in client.zrange("rq:scheduled:two", 0, -1, withscores=True)},
        "wip": sorted(it.decode().split(":")[0] for it in client.zrange("rq:wip:two", 0, -1)),
    }


def jobs_of(client):
    return sorted(key for key in client.scan_iter("rq:job:*", _type="hash"))


ended()
orphaned()
client.delete(*client.scan_iter("rq:worker:*"), *client.scan_iter("rq:clean_registries:*"))
started()
running()
taken()
scheduled()
for key in client.scan_iter():
    if client.ttl(key) >= 0:
        client.expireat(key, 3976214400)
with at():
    queue.enqueue(jobs.succeed, job_id="waiting")
client.save()
before = state()
with at():
    StartedJobRegistry("two", connection=client).cleanup()
with open(os.path.join(directory, "rq2.json"), "w") as file:
    facts = {"now": int(now.timestamp()) * 1000, "before": before, "cleanup": state()}
    json.dump(facts, file, indent=1, sort_keys=True)
    file.write("\n")
os.rename(os.path.join(directory, "dump.rdb"), os.path.join(directory, "rq2.rdb"))
