"""celery/clean: exactly the results that are old enough go, and whole groups."""

import json
import random
import unittest

import celery
from celery.result import GroupResult

from celery_support import DAY, HOUR, Celery, store_at
from support import ENGINES, RealTest, launch_moonshift, moonshift_done, run_arguments, snapshot, until

SCRIPT = "celery/clean"
FINAL = ("SUCCESS", "FAILURE", "REVOKED")


def clean(celery, now, **options):
    return moonshift_done(SCRIPT, celery.server.url, now=now, **options)


def keys(celery, pattern="celery-task*"):
    return sorted(it.decode() for it in celery.server.client.scan_iter(match=pattern))


class Results(RealTest):
    def history(self, count=300):
        """Results of every state and age, with and without a TTL; what must stay of them, by wanted state."""
        chance = random.Random(count)
        celery = Celery(self, self.redis())
        now = celery.now()
        made = {}
        for i in range(count):
            state = chance.choice([*FINAL, "STARTED", "RETRY", "PROGRESS"])
            age = chance.choice([0, DAY, 7 * DAY - 1, 7 * DAY, 7 * DAY + 1, 30 * DAY, 400 * DAY])
            celery.app.backend.expires = chance.choice([None, 86400])
            result = ValueError("boom") if state in ("FAILURE", "RETRY", "REVOKED") else {"status": "SUCCESS", "n": 2**60, "e": []}
            store_at(celery.app, now - age, f"task-{i}", state, result)
            made[f"task-{i}"] = (state, age)
        return celery, now, made

    def test_a_mixture(self):
        celery, now, made = self.history()
        rdb = celery.server.save()
        for engine in ENGINES:
            for wanted in (*FINAL, "any"):
                with self.subTest(engine=engine, state=wanted):
                    here = Celery(self, self.redis(rdb))
                    before = snapshot(here.server.client)
                    gone = {
                        name for name, (state, age) in made.items()
                        if state in FINAL and wanted in (state, "any") and age > 7 * DAY
                    }
                    report = clean(here, now, engine=engine, state=wanted)
                    self.assertEqual(report["outcomes"], {"removed": len(gone)})
                    after = snapshot(here.server.client)
                    removed = {it.decode().removeprefix("celery-task-meta-") for it in before.keys() - after.keys()}
                    self.assertEqual(removed, gone)
                    self.assertTrue(all(before[key] == after[key] for key in after))
                    for name, (state, _) in made.items():
                        told = here.app.AsyncResult(name).state
                        self.assertEqual(told, "PENDING" if name in gone else state)

    def test_what_is_not_understood_is_reported_and_stays(self):
        for engine in ENGINES:
            celery = Celery(self, self.redis(), result_serializer="pickle", accept_content=["pickle"])
            store_at(celery.app, celery.now(-30 * DAY), "pickled", "SUCCESS", 1)
            client = celery.server.client
            client.set("celery-task-meta-odd", '{"status": "SUCCESS", "date_done": "yesterday"}')
            client.set("celery-task-meta-list", "[1]")
            client.set("celery-task-meta-deep", "[" * 5000)
            client.hset("celery-task-meta-hash", "status", "SUCCESS")
            report = clean(celery, celery.now(), engine=engine)
            self.assertEqual(report["outcomes"], {"kept": 4})
            self.assertEqual(len(keys(celery)), 5)

    def test_prefixes_and_ids(self):
        for engine in ENGINES:
            for prefix in ("{app}:x_", "a*[b]\\."):
                celery = Celery(self, self.redis())
                plain, backend = celery.app.backend.task_keyprefix, celery.app.backend
                ids = ["a:b:c", "celery-task-meta-x", "*", "\u00fc"]
                for task_id in ids:
                    store_at(celery.app, celery.now(-8 * DAY), task_id, "SUCCESS")
                backend.task_keyprefix = prefix.encode() + plain
                for task_id in ids:
                    store_at(celery.app, celery.now(-8 * DAY), task_id, "SUCCESS")
                self.assertEqual(clean(celery, celery.now(), prefix=prefix, engine=engine)["outcomes"], {"removed": 4})
                self.assertEqual(len(keys(celery, "*")), 4)
                self.assertEqual(clean(celery, celery.now(), engine=engine)["outcomes"], {"removed": 4})

    def test_times_with_an_offset(self):
        for engine in ENGINES:
            celery = Celery(self, self.redis())
            for name, text in {
                "west": "2024-02-29T18:00:00.5-06:00", "east": "2024-03-01T05:30:00.500000+05:30",
                "naive": "2024-03-01T00:00:00.500000", "zulu": "2024-03-01T00:00:00.500Z", "later": "2024-03-01T00:00:00.501",
            }.items():
                celery.server.client.set(f"celery-task-meta-{name}", json.dumps({"status": "SUCCESS", "date_done": text}))
            moment = 1709251200500
            self.assertEqual(clean(celery, moment + 7 * DAY, engine=engine)["found"], 0)
            self.assertEqual(clean(celery, moment + 7 * DAY + 1, engine=engine)["outcomes"], {"removed": 4})
            self.assertEqual(keys(celery), ["celery-task-meta-later"])

    def test_survives_kill(self):
        celery = Celery(self, self.redis())
        with celery.server.client.pipeline() as pipe:
            store_at(celery.app, celery.now(-8 * DAY), "seed", "SUCCESS", "x")
            text = celery.server.client.get("celery-task-meta-seed").decode()
            for i in range(2500):
                group = f'"group_id": "g{i % 100}", ' if i % 5 == 0 else ""
                pipe.set(f"celery-task-meta-t{i}", text.replace('"task_id"', f'{group}"task_id"'))
            for i in range(0, 100, 5):
                members = [[[f"t{n}", None], None] for n in range(i, 2500, 100)]
                pipe.set(f"celery-taskset-meta-g{i}", json.dumps({"result": [[f"g{i}", None], members]}))
            pipe.execute()
        rdb, now = celery.server.save(), celery.now()
        for engine in ENGINES:
            self.assert_survives_kill(SCRIPT, rdb, engine=engine, now=now)


class Groups(RealTest):
    def test_a_saved_group_goes_with_the_last_of_its_results(self):
        for engine in ENGINES:
            celery = Celery(self, self.redis())
            now, app = celery.now(), celery.app
            for group, ages in {"old": [9, 8, 30], "half": [9, 2, 30], "open": [9, None, 30]}.items():
                ids = [f"{group}-{i}" for i in range(3)]
                GroupResult(group, [app.AsyncResult(it) for it in ids], app=app).save()
                for task_id, age in zip(ids, ages):
                    if age:
                        store_at(app, now - age * DAY, task_id, "SUCCESS", 1, group=group)
            self.assertEqual(clean(celery, now, engine=engine)["outcomes"], {"removed": 4})
            self.assertEqual(keys(celery, "*old*"), [])
            for group in ("half", "open"):
                self.assertEqual(len(GroupResult.restore(group, app=app).results), 3)
            self.assertEqual(GroupResult.restore("half", app=app).get(), [1, 1, 1])
            self.assertEqual(GroupResult.restore("open", app=app).completed_count(), 2)
            self.assertEqual(clean(celery, now + 6 * DAY, engine=engine)["outcomes"], {"removed": 4})
            self.assertEqual(len(keys(celery)), 3)

    def test_a_group_that_changes_before_its_turn_stays(self):
        for engine in ENGINES:
            celery = Celery(self, self.redis())
            now, app, groups = celery.now(), celery.app, [f"g{i}" for i in range(60)]

            def save(group, *members):
                GroupResult(group, [app.AsyncResult(it) for it in members], app=app).save()

            for group in groups:
                save(group, f"{group}-0")
                store_at(app, now - 9 * DAY, f"{group}-0", "SUCCESS", 1, group=group)
            run = launch_moonshift(*run_arguments(SCRIPT, celery.server.url, engine=engine, now=now), "--rate", "20")
            saved = lambda: [it.removeprefix("celery-taskset-meta-") for it in keys(celery, "celery-taskset*")]
            until(lambda: len(saved()) < 60, "the first has gone")
            changed = saved()
            for group in changed:
                save(group, f"{group}-0", "new")
            report = json.loads(run.communicate(timeout=60)[0])
            self.assertEqual(run.returncode, 0, report)
            self.assertGreater(report["outcomes"]["kept"], 0)
            self.assertEqual(saved(), changed)

    def chord(self, here, name, member, queue="celery"):
        """A chord of two members that run and one more; returns the body's result."""
        record = celery.signature("record", app=here.app)
        header = [record.clone((f"{name}-0", 1)), record.clone((f"{name}-1", 2)), member.set(queue=queue)]
        return celery.chord(header, app=here.app)(celery.signature("total", app=here.app))

    def test_a_failed_chord_goes_and_one_that_waits_stays_and_can_end(self):
        for engine in ENGINES:
            for ordered in (True, False):
                here = Celery(self, self.redis(), result_backend_transport_options={"result_chord_ordered": ordered})
                worker = here.worker(concurrency=2)
                fail = celery.signature("fail", args=("boom",), app=here.app)
                late = celery.signature("record", args=("late", 3), app=here.app)
                failed = self.chord(here, "failed", fail)
                waiting = self.chord(here, "waiting", late, queue="mail:out")
                until(lambda: failed.state == "FAILURE", "the chord has failed")
                until(lambda: sum(here.ran().values()) == 4, "the others have run")
                until(lambda: here.held() == (0, 0), "all are acknowledged")
                here.kill(worker)
                self.assertEqual(len(keys(here, "*.j")), 2)

                later = here.now(8 * DAY)
                report = clean(here, later, state="any", engine=engine)
                # The body of the failed chord has a result too.
                self.assertEqual(report["outcomes"], {"removed": 5})
                self.assertEqual(len(keys(here, "*.j")), 1)
                self.assertEqual(clean(here, later, state="any", engine=engine)["found"], 0)

                here.worker(queues="celery,mail:out", name="late")
                self.assertEqual(waiting.get(timeout=60), 3)
                until(lambda: keys(here, "*.j") == [], "the chord has removed its counters")
                self.assertEqual(clean(here, later, state="any", engine=engine)["outcomes"], {"removed": 4})
                self.assertEqual(keys(here), [])


class Live(RealTest):
    def test_while_workers_store_results(self):
        for engine in ENGINES:
            celery = Celery(self, self.redis())
            now = celery.now()
            for i in range(500):
                store_at(celery.app, now - 8 * DAY, f"old-{i}", "SUCCESS")
            celery.worker(concurrency=2, prefetch=50)
            results = [celery.send(f"t{i}") for i in range(400)]
            self.assertEqual(clean(celery, now, engine=engine)["outcomes"], {"removed": 500})
            for result in results:
                result.get(timeout=60)
            self.assertEqual(set(celery.ran().values()), {1})
            self.assertEqual(len(keys(celery)), 400)


if __name__ == "__main__":
    unittest.main()
