"""celery/requeue-stalled: what goes back is what kombu would put back, to the same places, once."""

import json
import os
import random
import unittest
from collections import Counter
from datetime import datetime, timedelta, timezone

from celery_support import DAY, HOUR, Celery, messages
from support import RealTest, moonshift_done, until

SCRIPT = "celery/requeue-stalled"
QUEUES = ["celery", "mail:out", "g*[l]ob?", "errors", "logs"]
NASTY = [[], {}, 1.0, 2**60 + 1, "\u00fc\u2028\"\\/\x00", {"a": [{}, []], "redelivered": False}, None, -0.0, 1e300]


def requeue(celery, later=2 * HOUR, **options):
    return moonshift_done(SCRIPT, celery.server.url, engine="server", now=celery.now(later), **options)


def run_everything(test, celery, expected, queues=",".join(QUEUES)):
    """A real worker runs exactly what is expected, each as often as it is."""
    celery.worker(queues=queues, name="last", concurrency=2, prefetch=50)
    until(lambda: sum(celery.ran().values()) >= sum(expected.values()), "everything has run")
    until(lambda: celery.held() == (0, 0), "everything is acknowledged")
    test.assertEqual(celery.ran(), expected)


def by_step(message):
    priority = message["properties"]["priority"]
    return max(step for step in (0, 3, 6, 9) if step <= priority)


class SideBySide(RealTest):
    def history(self, count=240):
        """Messages of all kinds, all of them taken by a worker that is no more."""
        chance = random.Random(count)
        celery = Celery(self, self.redis(), task_acks_late=True)
        expected = Counter()
        for i in range(count):
            kind = chance.randrange(8)
            options = {"priority": chance.randrange(10)} if kind % 2 else {}
            if kind == 0:
                celery.publish(f"topic-{i}", "logs", "disk.error")
                expected[f"topic-{i}"] += 2
            elif kind == 1:
                celery.publish(f"topic-{i}", "logs", "disk.info", **options)
                expected[f"topic-{i}"] += 1
            elif kind == 2:
                celery.publish(f"direct-{i}", "mail", "out")
                expected[f"direct-{i}"] += 1
            else:
                queue = chance.choice(QUEUES[:3])
                celery.send(f"task-{i}", queue, chance.choice(NASTY), **options)
                expected[f"task-{i}"] += 1
        celery.take(QUEUES, sum(expected.values()))
        return celery, expected

    def test_ends_as_kombus_own_restore_does_but_keeps_priorities_and_bytes(self):
        celery, expected = self.history()
        rdb = celery.server.save()
        held = [json.loads(it) for it in celery.server.client.hvals("unacked")]
        texts = {it[1:it.rindex(b', "', 0, it.rindex(b', "'))] for it in celery.server.client.hvals("unacked")}

        theirs = Celery(self, self.redis(rdb))
        theirs.restore_by_library(2 * HOUR)
        ours = Celery(self, self.redis(rdb))
        report = requeue(ours)
        self.assertEqual(report["outcomes"], {"requeued": len(held)})
        self.assertEqual(ours.held(), (0, 0))
        self.assertEqual(theirs.held(), (0, 0))

        for queue in QUEUES:
            wanted = {}
            for restored in messages(theirs.server.client, queue).values():
                for message in restored:
                    step = by_step(message)
                    wanted.setdefault(f"{queue}\x06\x16{step}" if step else queue, []).append(message)
            self.assertEqual(messages(ours.server.client, queue), wanted, queue)
            for name in wanted:
                for text in ours.server.client.lrange(name, 0, -1):
                    self.assertEqual(text.count(b',"redelivered":true'), 2)
                    self.assertIn(text.replace(b',"redelivered":true', b""), texts)

        run_everything(self, ours, expected)

    def test_a_worker_that_was_killed_loses_nothing(self):
        celery = Celery(self, self.redis(), task_acks_late=True)
        celery.records.set("hold", 1)
        for i in range(40):
            celery.send(f"t{i}")
        worker = celery.worker(concurrency=2, prefetch=10)
        until(lambda: celery.held() == (20, 20), "the worker holds what it may")
        celery.kill(worker)
        celery.records.delete("hold")
        self.assertEqual(requeue(celery, later=0)["found"], 0)
        self.assertEqual(requeue(celery)["outcomes"], {"requeued": 20})
        run_everything(self, celery, Counter({f"t{i}": 1 for i in range(40)}))

    def test_survives_kill(self):
        celery = Celery(self, self.redis())
        with celery.app.producer_pool.acquire() as producer:
            for i in range(2000):
                celery.send(f"t{i}", priority=i % 10, producer=producer)
        celery.take(["celery"], 2000)
        self.assert_survives_kill(SCRIPT, celery.server.save(), engine="server", now=celery.now(2 * HOUR))


class WhatStays(RealTest):
    def setUp(self):
        self.server = self.redis()
        self.celery = Celery(self, self.server, task_acks_late=True)

    def kept(self, later=2 * HOUR, **options):
        report = requeue(self.celery, later, **options)
        return report["outcomes"], list(report["reasons"].get("kept", report["reasons"]))

    def test_a_task_whose_eta_is_not_a_visibility_timeout_ago(self):
        now = datetime.fromtimestamp(self.celery.now() / 1000, timezone.utc)
        self.celery.send("tomorrow", eta=now + timedelta(days=1))
        self.celery.send("soon", eta=(now + timedelta(minutes=90)).astimezone(timezone(timedelta(hours=-7))))
        self.celery.send("past", eta=now + timedelta(minutes=30))
        self.celery.take(["celery"], 3)
        self.assertEqual(requeue(self.celery)["outcomes"], {"requeued": 1})
        self.assertEqual(requeue(self.celery)["found"], 0)
        self.assertEqual(self.celery.held(), (2, 2))
        self.assertEqual(requeue(self.celery, 3 * HOUR)["outcomes"], {"requeued": 1})
        self.assertEqual(requeue(self.celery, 2 * DAY)["outcomes"], {"requeued": 1})

    def test_a_message_younger_than_the_visibility_timeout(self):
        self.celery.send("t")
        self.celery.take(["celery"], 1)
        delivered = self.server.client.zrange("unacked_index", 0, 0, withscores=True)[0][1]
        just_before = int(delivered * 1000) + HOUR - 1
        options = {"engine": "server", "visibility_timeout": "1h"}
        self.assertEqual(moonshift_done(SCRIPT, self.server.url, now=just_before, **options)["found"], 0)
        self.assertEqual(moonshift_done(SCRIPT, self.server.url, now=just_before + 2, **options)["found"], 1)

    def test_nothing_moves_while_a_worker_restores(self):
        self.celery.send("t")
        self.celery.take(["celery"], 1)
        with self.server.client.lock("unacked_mutex", timeout=300):
            self.assertEqual(self.kept()[0], {"kept": 1})
            self.assertEqual(self.celery.held(), (1, 1))
        self.assertEqual(requeue(self.celery)["outcomes"], {"requeued": 1})

    def test_a_message_that_kombu_would_lose_or_that_is_not_understood(self):
        self.celery.publish("bound", "mail", "out")
        self.celery.take(["mail:out"], 1)
        self.server.client.delete("_kombu.binding.mail")
        odd = {"odd": b"not json", "pair": b'[{"properties": {}}, "x"]', "list": b'[[], "", "celery"]'}
        odd["eta"] = b'[{"headers": {"eta": "in a week"}, "properties": {}}, "", "celery"]'
        for tag, entry in odd.items():
            self.server.client.hset("unacked", tag, entry)
            self.server.client.zadd("unacked_index", {tag: 1})
        before = self.server.client.hgetall("unacked")
        report = requeue(self.celery)
        self.assertEqual(report["outcomes"], {"kept": 5})
        self.assertIn("no queue is bound to its exchange", json.dumps(report["reasons"]))
        self.assertIn("its layout is unknown", json.dumps(report["reasons"]))
        self.assertEqual(self.server.client.hgetall("unacked"), before)
        self.assertEqual(self.celery.held(), (5, 5))

    def test_a_message_with_less_than_celery_writes_goes_back_as_it_is(self):
        short = {"a": b'{"properties": {}}', "b": b'{"headers":null, "properties": {"delivery_info": 0}}'}
        for tag, text in short.items():
            self.server.client.hset("unacked", tag, b"[" + text + b', "", "celery"]')
            self.server.client.zadd("unacked_index", {tag: 1})
            self.assertEqual(requeue(self.celery)["outcomes"], {"requeued": 1})
            self.assertEqual(self.server.client.rpop("celery"), text)

    def test_a_queue_that_is_no_list(self):
        self.celery.send("t")
        self.celery.take(["celery"], 1)
        self.server.client.set("celery", "a string")
        self.assertEqual(self.kept()[0], {"kept": 1})
        self.assertEqual(self.celery.held(), (1, 1))

    def test_a_message_whose_priority_lists_are_not_certain(self):
        self.celery.send("t", priority=5)
        self.celery.take(["celery"], 1)
        self.server.client.rpush("celery\x06\x164", "one of other steps")
        self.assertEqual(self.kept()[0], {"kept": 1})
        self.assertEqual(self.kept(priority_steps=[0, 4])[0], {"requeued": 1})
        self.assertEqual(self.server.client.llen("celery\x06\x164"), 2)

    def test_other_queues(self):
        for i, queue in enumerate(QUEUES[:3]):
            self.celery.send(f"t{i}", queue)
        self.celery.take(QUEUES[:3], 3)
        self.assertEqual(requeue(self.celery, queues="mail:*")["outcomes"], {"requeued": 1})
        self.assertEqual(self.server.client.llen("mail:out"), 1)
        self.assertEqual(requeue(self.celery, queues=r"g\*\[l\]ob\?")["outcomes"], {"requeued": 1})
        self.assertEqual(self.celery.held(), (1, 1))

    def test_a_tag_without_a_message_goes_as_kombu_lets_it_go(self):
        self.server.client.zadd("unacked_index", {"lone": 1})
        self.assertEqual(requeue(self.celery)["outcomes"], {"removed": 1})
        self.assertEqual(self.server.client.exists("unacked_index"), 0)


class Names(RealTest):
    def test_a_global_key_prefix(self):
        for prefix in ("{app:1}*:", "a[b]\\"):
            celery = Celery(self, self.redis(), broker_transport_options={"global_keyprefix": prefix})
            celery.send("t", "mail:out", priority=7)
            celery.publish("u", "logs", "x.error")
            celery.take(["mail:out", "logs", "errors"], 3)
            self.assertEqual(requeue(celery)["found"], 0)
            self.assertEqual(requeue(celery, prefix=prefix)["outcomes"], {"requeued": 2})
            expected = Counter({"t": 1, "u": 2})
            celery.worker(queues=",".join(QUEUES), concurrency=2)
            until(lambda: celery.ran() == expected, "all of them have run")

    def test_another_separator_and_other_priority_steps(self):
        options = {"sep": ":", "priority_steps": list(range(10)), "queue_order_strategy": "priority"}
        celery = Celery(self, self.redis(), broker_transport_options=options)
        for priority in range(10):
            celery.publish(f"t{priority}", "globs", "glob", priority=priority)
        celery.take(["g*[l]ob?"], 10)
        told = {"separator": ":", "priority_steps": list(range(10))}
        self.assertEqual(requeue(celery)["outcomes"], {"kept": 10})
        self.assertEqual(requeue(celery, **told)["outcomes"], {"requeued": 10})
        celery.worker(queues="g*[l]ob?", concurrency=1, pool="solo")
        until(lambda: len(celery.ran()) == 10, "all of them have run")
        names = [it.decode().split(" ")[0] for it in celery.records.lrange("ran", 0, -1)]
        self.assertEqual(names, [f"t{i}" for i in range(10)])


if __name__ == "__main__":
    unittest.main()
