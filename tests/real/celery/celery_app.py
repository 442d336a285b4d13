"""The Celery app of these tests, for the tests themselves and for their workers (`celery -A celery_app`).
CELERY_TEST is its configuration, as JSON, with the Redis socket in `socket`."""

import json
import os
import time

import celery
import kombu
import redis


def make_app(socket, **options):
    app = celery.Celery("tests")
    app.conf.update(
        broker_url=f"redis+socket://{socket}",
        result_backend=f"redis+socket://{socket}",
        result_expires=None,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        task_queues=[
            kombu.Queue("celery", kombu.Exchange("celery"), routing_key="celery"),
            kombu.Queue("mail:out", kombu.Exchange("mail"), routing_key="out"),
            kombu.Queue("g*[l]ob?", kombu.Exchange("globs"), routing_key="glob"),
            kombu.Queue("errors", kombu.Exchange("logs", type="topic"), routing_key="*.error"),
            kombu.Queue("logs", kombu.Exchange("logs", type="topic"), routing_key="#"),
        ],
    )
    app.conf.update(options)

    records = redis.Redis(unix_socket_path=socket, db=1)

    @app.task(name="record", bind=True)
    def record(self, name, payload=None):
        """Waits while `hold` exists, or that of its worker, and says that it has run, and where."""
        while records.exists("hold", f"hold:{self.request.hostname}"):
            records.set(f"holding:{self.request.hostname}", name)
            time.sleep(0.02)
        records.rpush("ran", f"{name} {self.request.hostname}")
        return payload

    @app.task(name="fail")
    def fail(message):
        raise ValueError(message)

    @app.task(name="total")
    def total(numbers):
        return len(numbers)

    return app


if "CELERY_TEST" in os.environ:
    app = make_app(**json.loads(os.environ["CELERY_TEST"]))
