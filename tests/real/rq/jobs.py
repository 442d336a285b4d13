"""What the jobs of these tests do. Each says in a list of Redis that it ran, so that a test can count."""

import time

from rq import get_current_job


def note(job):
    job.connection.rpush("ran", job.id)


def succeed(value=None):
    note(get_current_job())
    return value


def fail(message="it broke"):
    note(get_current_job())
    raise RuntimeError(message)


def fail_once():
    """Fails in its first run only."""
    job = get_current_job()
    note(job)
    if job.connection.sadd("failed once", job.id):
        raise RuntimeError("the first time")


def hang(seconds=600):
    note(get_current_job())
    time.sleep(seconds)


def tell_failure(job, connection, *_):
    connection.rpush("failure callbacks", job.id)
