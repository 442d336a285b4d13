"""The tasks on what Celery 5.5 wrote (see make_celery55.py), next to its own restore; this machine's Celery goes on
with what they leave."""

import json
import pathlib
import unittest
from collections import Counter

from celery_support import DAY, HOUR, Celery, messages
from support import ENGINES, RealTest, moonshift_done, until

HERE = pathlib.Path(__file__).parent
FACTS = json.loads((HERE / "celery55.json").read_text(encoding="utf-8"))
NOW = FACTS["now"]
QUEUES = ["celery", "mail:out", "g*[l]ob?", "errors", "logs"]


class Celery55(RealTest):
    def load(self, **options):
        return Celery(self, self.redis(HERE / "celery55.rdb"), task_acks_late=True, **options)

    def test_requeue_stalled_ends_as_its_own_restore(self):
        celery = self.load()
        client, library = celery.server.client, celery.server.connect(db=2)
        tasks = len(FACTS["expected"])
        report = moonshift_done("celery/requeue-stalled", celery.server.url, engine="server", now=NOW + 2 * HOUR)
        self.assertEqual(report["outcomes"], {"requeued": tasks})
        self.assertEqual(celery.held(), (1, 1), "the task with an eta in a day is kept")
        for queue in QUEUES:
            theirs = messages(library, queue)
            for name in theirs:
                theirs[name] = [it for it in theirs[name] if "'later'" not in it["headers"]["argsrepr"]]
            self.assertEqual(messages(client, queue), {name: it for name, it in theirs.items() if it}, queue)
        celery.worker(queues=",".join(QUEUES), concurrency=2, prefetch=50)
        expected = Counter(FACTS["expected"])
        until(lambda: celery.ran() == expected, "everything has run")

    def test_a_global_key_prefix(self):
        prefix = {"global_keyprefix": "{app}:"}
        celery = self.load(broker_transport_options=prefix)
        options = {"engine": "server", "prefix": "{app}:", "now": NOW + 2 * HOUR}
        report = moonshift_done("celery/requeue-stalled", celery.server.url, **options)
        self.assertEqual(report["outcomes"], {"requeued": len(FACTS["held"])})
        self.assertEqual(celery.server.client.hlen("{app}:unacked"), 0)
        celery.worker(queues=",".join(QUEUES), concurrency=2, prefetch=50)
        until(lambda: celery.ran() == Counter(FACTS["held"]), "everything has run")

    def test_clean(self):
        for engine in ENGINES:
            celery = self.load()
            names = lambda: {it.decode() for it in celery.server.client.scan_iter(match="*celery-task*")}
            for prefix, heads in {"app_": ["app"], "": ["utc", "west"]}.items():
                before = names()
                report = moonshift_done("celery/clean", celery.server.url, engine=engine, now=NOW, prefix=prefix)
                # The 7 days are counted from NOW, which is a little later than the results were stored.
                gone = {f"{prefix}celery-task-meta-{head}-{age}-SUCCESS" for head in heads for age in (7, 8, 30)}
                gone |= {f"{prefix}celery-task-meta-{head}-old-{i}" for head in heads for i in (0, 1)}
                gone |= {f"{prefix}celery-taskset-meta-{head}-old" for head in heads}
                self.assertEqual(before - names(), gone)
                self.assertEqual(report["outcomes"], {"removed": len(gone)})
            options = {"engine": engine, "now": NOW + 8 * DAY, "state": "any"}
            moonshift_done("celery/clean", celery.server.url, **options)
            left = {it for it in names() if not it.startswith("app_")}
            self.assertEqual(
                left, {f"celery-task-meta-{head}-{age}-STARTED" for head in ("utc", "west") for age in (0, 6, 7, 8, 30)}
            )

    def test_clean_knows_offsets(self):
        for engine in ENGINES:
            celery = self.load()
            # An hour before the results of 8 days ago are old enough; those of New York say five hours less.
            options = {"engine": engine, "now": NOW - DAY - HOUR, "state": "any"}
            self.assertEqual(moonshift_done("celery/clean", celery.server.url, **options)["outcomes"], {"removed": 4})
            self.assertTrue(celery.server.client.exists("celery-task-meta-west-8-FAILURE"))

    def test_orphans(self):
        celery = self.load()
        options = {"engine": "server", "now": NOW, "grace": "0s", "repair": "true"}
        report = moonshift_done("celery/orphans", celery.server.url, **options)
        self.assertEqual(report["outcomes"], {"kept": 1})
        self.assertIn("chord", json.dumps(report["reasons"]))
        celery.server.client.delete("unacked_index")
        held = celery.held()[0]
        report = moonshift_done("celery/orphans", celery.server.url, **options)
        self.assertEqual(report["outcomes"], {"kept": 1, "repaired": held})
        self.assertEqual(celery.held(), (held, held))

    def test_pidbox(self):
        for engine in ENGINES:
            celery = self.load()
            report = moonshift_done("celery/pidbox", celery.server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"repaired": 1})


if __name__ == "__main__":
    unittest.main()
