"""celery/pidbox: replies that nobody reads get a TTL; remote control goes on."""

import unittest
import uuid
from unittest import mock

import kombu.pidbox

from celery_support import Celery
from support import ENGINES, RealTest, moonshift_done, snapshot, until

SCRIPT = "celery/pidbox"


def pidbox(celery, engine, **options):
    return moonshift_done(SCRIPT, celery.server.url, engine=engine, **options)


class Pidbox(RealTest):
    def ask_and_go(self, celery):
        """Asks the workers as the process of a `celery inspect ping` does, which does not wait for the answer."""
        process = str(uuid.uuid4())
        with celery.app.connection_for_write() as connection:
            mailbox = celery.app.control.mailbox(connection)
            with mock.patch.object(kombu.pidbox.Mailbox, "oid", process):
                mailbox._publish("ping", {}, reply_ticket=str(uuid.uuid4()), channel=connection.default_channel)
        return process

    def replies(self, celery):
        return list(celery.server.client.scan_iter(match="*.reply.*.pidbox", _type="list"))

    def test_replies_that_nobody_has_read(self):
        for engine in ENGINES:
            celery = Celery(self, self.redis())
            celery.worker()
            process = self.ask_and_go(celery)
            key = until(lambda: self.replies(celery), "the worker has answered")[0]
            self.assertEqual(key.decode(), f"{process}.reply.celery.pidbox")
            client = celery.server.client
            self.assertEqual(client.ttl(key), -1)
            bindings = client.smembers("_kombu.binding.reply.celery.pidbox")
            self.assertEqual(pidbox(celery, engine, expire_in="30m")["outcomes"], {"repaired": 1})
            self.assertTrue(1790 < client.ttl(key) <= 1800)
            self.assertEqual(pidbox(celery, engine)["found"], 0)
            self.assertEqual(client.smembers("_kombu.binding.reply.celery.pidbox"), bindings)
            self.assertEqual(celery.app.control.ping(timeout=5, limit=1), [{"celery@w": {"ok": "pong"}}])

    def test_lists_of_others_are_left_alone(self):
        for engine in ENGINES:
            for prefix in ("", "{app:1}*:"):
                celery = Celery(self, self.redis())
                client, name = celery.server.client, str(uuid.uuid4())
                others = [
                    f"{prefix}orders.reply.celery.pidbox", f"{prefix}{name}.reply.other.pidbox",
                    f"x{prefix}{name}.reply.celery.pidbox", f"{prefix}{name}.reply.celery.pidbox.old",
                ]
                for key in [*others, f"{prefix}{name}.reply.celery.pidbox"]:
                    client.rpush(key, "reply")
                client.set(f"{prefix}{uuid.uuid4()}.reply.celery.pidbox", "a string")
                self.assertEqual(pidbox(celery, engine, prefix=prefix)["outcomes"], {"repaired": 1})
                self.assertEqual([client.ttl(key) for key in others], [-1] * 4)
                self.assertEqual(pidbox(celery, engine, prefix=prefix, exchange="other")["outcomes"], {"repaired": 1})

    def test_workers_that_are_inspected_all_the_time(self):
        for engine in ENGINES:
            celery = Celery(self, self.redis())
            celery.worker()
            results = [celery.send(f"t{i}") for i in range(100)]
            for _ in range(5):
                self.ask_and_go(celery)
                pidbox(celery, engine)
                self.assertEqual(celery.app.control.ping(timeout=5, limit=1), [{"celery@w": {"ok": "pong"}}])
            for result in results:
                result.get(timeout=20)
            self.assertEqual(set(celery.ran().values()), {1})

    def test_survives_kill(self):
        server = self.redis()
        with server.client.pipeline() as pipe:
            for i in range(2500):
                pipe.rpush(f"{uuid.uuid5(uuid.NAMESPACE_OID, str(i))}.reply.celery.pidbox", "reply")
            pipe.execute()
        for engine in ENGINES:
            self.assert_survives_kill(SCRIPT, server.save(), engine=engine)


if __name__ == "__main__":
    unittest.main()
