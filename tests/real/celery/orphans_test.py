"""celery/orphans: what kombu can never restore comes back, and nothing that lives is called an orphan."""

import json
import unittest
from collections import Counter
from datetime import datetime, timedelta, timezone

import celery as celery_library

from celery_support import DAY, HOUR, Celery
from support import RealTest, moonshift_done, snapshot, until

SCRIPT = "celery/orphans"


def orphans(celery, later=0, grace="0s", **options):
    return moonshift_done(SCRIPT, celery.server.url, engine="server", now=celery.now(later), grace=grace, **options)


class Orphans(RealTest):
    def history(self, lost=3, lone=2):
        """Messages that lost their index entry, index entries that lost their message, and whole ones."""
        celery = Celery(self, self.redis(), task_acks_late=True)
        client = celery.server.client
        with celery.app.producer_pool.acquire() as producer:
            for i in range(lost + lone + 3):
                celery.send(f"t{i}", producer=producer)
        celery.take(["celery"], lost + lone + 3)
        tags = {}
        for tag, text in client.hgetall("unacked").items():
            tags[json.loads(text)[0]["headers"]["argsrepr"].split("'")[1]] = tag
        client.zrem("unacked_index", *(tags[f"t{i}"] for i in range(lost)))
        client.hdel("unacked", *(tags[f"t{i}"] for i in range(lost, lost + lone)))
        return celery

    def test_are_reported_and_nothing_is_touched(self):
        celery = self.history()
        before = snapshot(celery.server.client)
        report = orphans(celery)
        self.assertEqual(report["outcomes"], {"kept": 5})
        self.assertEqual(sorted(report["reasons"].values()), [2, 3])
        self.assertEqual(snapshot(celery.server.client), before)

    def test_repaired_messages_are_restored_by_kombu_and_run_once(self):
        celery = self.history()
        celery.restore_by_library(DAY)
        self.assertEqual(celery.held(), (3, 0), "kombu never restores them")
        celery = self.history()
        self.assertEqual(orphans(celery, repair="true")["outcomes"], {"repaired": 3, "removed": 2})
        self.assertEqual(orphans(celery, repair="true")["found"], 0)
        self.assertEqual(celery.held(), (6, 6))
        celery.restore_by_library(HOUR - 60_000)
        self.assertEqual(celery.held(), (6, 6), "a live worker has the visibility timeout to finish them")
        celery.restore_by_library(2 * HOUR)
        celery.worker()
        expected = Counter({f"t{i}": 1 for i in (0, 1, 2, 5, 6, 7)})
        until(lambda: celery.ran() == expected, "all have run")
        until(lambda: celery.held() == (0, 0), "all are acknowledged")

    def test_a_worker_that_lives_finishes_a_repaired_message_itself(self):
        celery = Celery(self, self.redis(), task_acks_late=True)
        celery.records.set("hold", 1)
        celery.send("t")
        celery.worker()
        until(lambda: celery.held() == (1, 1), "it is held")
        celery.server.client.delete("unacked_index")
        self.assertEqual(orphans(celery, repair="true")["outcomes"], {"repaired": 1})
        celery.records.delete("hold")
        until(lambda: celery.held() == (0, 0), "it is acknowledged")
        self.assertEqual(celery.ran(), Counter({"t": 1}))

    def test_tasks_with_an_eta_are_none_however_old(self):
        celery = Celery(self, self.redis())
        celery.send("t", eta=datetime.now(timezone.utc) + timedelta(days=30))
        celery.worker()
        until(lambda: celery.held() == (1, 1), "it is held")
        self.assertEqual(orphans(celery, later=20 * DAY, repair="true")["found"], 0)
        self.assertEqual(celery.held(), (1, 1))

    def test_a_failed_chord_is_reported_and_left_to_clean(self):
        celery = Celery(self, self.redis())
        worker = celery.worker(concurrency=2)
        header = [celery_library.signature("record", args=("a",), app=celery.app)]
        header.append(celery_library.signature("fail", args=("boom",), app=celery.app))
        body = celery_library.signature("total", app=celery.app)
        result = celery_library.chord(header, app=celery.app)(body)
        until(lambda: result.state == "FAILURE" and sum(celery.ran().values()) == 1, "the chord has failed")
        celery.kill(worker)
        before = snapshot(celery.server.client)
        report = orphans(celery, repair="true")
        self.assertEqual(report["outcomes"], {"kept": 1})
        self.assertEqual(snapshot(celery.server.client), before)

    def test_prefixes(self):
        for prefix in ("{app:1}*:", "a[b]\\"):
            celery = Celery(self, self.redis(), broker_transport_options={"global_keyprefix": prefix})
            celery.send("t")
            celery.take(["celery"], 1)
            client = celery.server.client
            client.delete(f"{prefix}unacked_index")
            self.assertEqual(orphans(celery, repair="true")["found"], 0)
            self.assertEqual(orphans(celery, repair="true", prefix=prefix)["outcomes"], {"repaired": 1})
            self.assertEqual(client.zcard(f"{prefix}unacked_index"), 1)

    def test_survives_kill(self):
        celery = self.history(lost=1500, lone=800)
        rdb = celery.server.save()
        self.assert_survives_kill(SCRIPT, rdb, engine="server", now=celery.now(), repair="true", grace="0s")


if __name__ == "__main__":
    unittest.main()
