"""rq/orphans: what RQ leaves behind, and what only looks like it."""

import threading
from datetime import timedelta

import jobs
from rq import Queue
from rq.job import Job, JobStatus
from support import ENGINES, differences, moonshift_done, snapshot
from world import DAY, RqTest, at, key_of, utc_now


class Orphans(RqTest):
    def done(self, server, engine, repair=True, grace="10ms"):
        return moonshift_done("rq/orphans", server.url, engine=engine, grace=grace, repair=str(repair).lower())

    def sound(self, server):
        """Jobs of all kinds in their places, more than 200."""
        queue = server.queue()
        for i in range(30):
            queue.enqueue(jobs.succeed, job_id=f"ok-{i}", result_ttl=(-1, 86400)[i % 2])
            queue.enqueue(jobs.fail, job_id=f"bad-{i}", failure_ttl=(-1, None)[i % 2])
            queue.enqueue(jobs.fail, job_id=f"first-{i}", failure_ttl=-1)
            queue.enqueue(jobs.succeed, job_id=f"second-{i}", depends_on=f"first-{i}")
            queue.enqueue(jobs.succeed, job_id=f"canceled-{i}").cancel()
        self.work(server)
        for i in range(30):
            queue.enqueue(jobs.succeed, job_id=f"started-{i}")
        self.start(server, *[f"started-{i}" for i in range(30)])
        for i in range(30):
            queue.enqueue(jobs.succeed, job_id=f"waiting-{i}")
            queue.enqueue_at(utc_now() + DAY, jobs.succeed, job_id=f"later-{i}")
        server.client.delete("ran")

    def test_finds_nothing_where_all_is_well(self):
        for engine in ENGINES:
            server, _ = self.made(self.sound)
            before = snapshot(server.client)
            report = self.done(server, engine)
            self.assertEqual(report["found"], 0)
            self.assertEqual(differences(before, snapshot(server.client)), [])

    def break_things(self, server):
        """One of each kind; what the report should say of them."""
        queue = server.queue()
        for it in ("ok", "bad"):
            server.job(f"{it}-0").delete()  # leaves results
        for it in ("finished", "failed", "canceled", "deferred", "scheduled", "wip"):
            server.client.zadd(f"rq:{it}:mail", {f"no-job-in-{it}": 1e10})
        server.client.rpush("rq:queue:mail", "no-job")
        other = server.queue("other")
        other.enqueue(jobs.succeed, job_id="parent")
        other.enqueue(jobs.succeed, job_id="emptied", depends_on="parent")
        getattr(other, "_enqueue_job", other.enqueue_job)(server.job("emptied"))
        other.empty()  # leaves dependencies, and the deferred registry's entry
        server.client.sadd("rq:workers", "rq:worker:dead")
        server.client.sadd("rq:workers:mail", "rq:worker:dead")
        server.client.hset(key_of("late"), mapping={"last_heartbeat": "x", "status": "started"})
        server.client.hset(key_of("foreign"), mapping={"what": "ever"})
        server.client.zrem("rq:finished:mail", "ok-2")
        server.client.zrem("rq:failed:mail", "bad-2")
        server.client.zrem("rq:canceled:mail", "canceled-0")
        server.client.lrem("rq:queue:mail", 1, "waiting-5")  # as a worker does that is killed between two steps
        started = [it for it in server.ids("rq:wip:mail") if it.split(":")[0] == "started-0"]
        server.client.zrem("rq:wip:mail", *started)
        server.client.delete("rq:executions:started-0")
        server.client.zrem("rq:scheduled:mail", "later-0")
        server.client.delete(key_of("first-0"), "rq:results:first-0")
        server.client.zrem("rq:failed:mail", "first-0")
        deleted = server.queue("deleted")
        deleted.enqueue(jobs.fail, job_id="of-deleted", failure_ttl=-1)
        self.work(server, "deleted")
        deleted.delete()
        return {
            "removed: in finished without its job": 1,
            "removed: in failed without its job": 1,
            "removed: in canceled without its job": 1,
            "removed: in deferred without its job": 2,
            "removed: in scheduled without its job": 1,
            "removed: in wip without its job": 1,
            "removed: in a queue without its job": 1,
            "removed: results of a job that is gone": 2,
            "removed: dependencies of a job that is gone": 1,
            "removed: a worker that is gone": 2,
            "removed: remains of a deleted job": 1,
            "repaired: finished, but in no index": 1,
            "repaired: failed, but in no index": 1,
            "repaired: canceled, but in no index": 1,
            "repaired: queued, but in no index": 1,
            "repaired: jobs of a queue that is not in the set of queues": 1,
            "kept: started, but in no index": 1,
            "kept: scheduled, but in no index": 1,
            "kept: deferred, with nothing left to wait for": 1,
            "kept: jobs wait for a job that is gone": 1,
            "kept: a hash that is no job of RQ": 1,
        }

    def test_repairs_what_can_be_repaired(self):
        for engine in ENGINES:
            server, _ = self.made(self.sound)
            expected = self.break_things(server)
            report = self.done(server, engine)
            self.assertEqual(report["reasons"], expected)
            self.assertEqual(server.waiting()[0], "waiting-5")
            self.assertEqual(len(server.waiting()), 30)
            self.assertIn("ok-2", server.ids("rq:finished:mail"))
            self.assertEqual(server.client.zscore("rq:failed:mail", "bad-2"), -1)
            self.assertIn(server.queue("deleted"), Queue.all(connection=server.client))
            again = self.done(server, engine)
            kept = {it: count for it, count in expected.items() if it.startswith("kept")}
            self.assertEqual(again["reasons"], kept)
            server.client.delete("ran")
            self.burst(server)
            self.assertEqual(sorted(server.ran()), sorted(f"waiting-{i}" for i in range(30)))

    def test_only_reports_without_repair(self):
        for engine in ENGINES:
            server, _ = self.made(self.sound)
            expected = self.break_things(server)
            before = snapshot(server.client)
            report = self.done(server, engine, repair=False)
            self.assertEqual(differences(before, snapshot(server.client)), [])
            tally = {}
            for reason, count in expected.items():
                reason = "kept: " + reason.split(": ", 1)[1]
                tally[reason] = tally.get(reason, 0) + count
            self.assertEqual(report["reasons"], tally)

    def test_jobs_of_a_queue_that_is_being_compacted_are_not_lost(self):
        for engine in ENGINES:
            server = self.world()
            for i in range(10):
                server.queue().enqueue(jobs.succeed, job_id=str(i))
            server.client.rename("rq:queue:mail", "rq:queue:_compact:1234")  # as Queue.compact begins
            report = self.done(server, engine)
            reason = "kept: left by a Queue.compact that was interrupted: its jobs are in no queue"
            self.assertEqual(report["reasons"], {reason: 1})
            self.assertEqual(server.waiting(), [])

    def test_a_job_that_a_worker_has_just_taken_gets_a_second_look(self):
        for engine in ENGINES:
            server = self.world()
            queue = server.queue()
            queue.enqueue(jobs.succeed, job_id="moving")
            Queue.dequeue_any([queue], None, connection=server.client)
            server.client.zadd("rq:scheduled:mail", {"arriving": 1e10})
            def finish():
                job = Job.fetch("moving", connection=server.client)
                with server.client.pipeline() as pipe:
                    job.heartbeat(utc_now(), 100, pipeline=pipe)
                    job.prepare_for_execution("w", pipe)
                    pipe.execute()
                queue.create_job(jobs.succeed, job_id="arriving", status=JobStatus.SCHEDULED).save()

            timer = threading.Timer(0.2, finish)
            timer.start()
            report = self.done(server, engine, grace="1s")
            timer.join()
            self.assertNotIn("repaired", report["outcomes"])
            self.assertNotIn("removed", report["outcomes"])
            self.assertEqual(server.waiting(), [])

    def test_survives_kill(self):
        server = self.world()
        queue = server.queue()
        with at(utc_now() - timedelta(hours=1)):
            queue.enqueue(jobs.succeed, job_id="model")
        model = server.client.hgetall(key_of("model"))
        with server.client.pipeline() as pipe:
            for i in range(700):
                pipe.zadd("rq:finished:mail", {f"gone-{i}": 1e10})
                pipe.xadd(f"rq:results:gone-{i}", {"type": 1})
                pipe.sadd("rq:workers", f"rq:worker:gone-{i}")
                pipe.hset(key_of(f"lost-{i}"), mapping=model)
            pipe.execute()
        rdb = server.save()

        def is_the_queue(key):
            return key == b"rq:queue:mail"

        for engine in ENGINES:
            self.assert_survives_kill(
                "rq/orphans", rdb, cuts=3, ignore=is_the_queue, engine=engine, grace="1ms", repair="true"
            )
