"""rq/pause and rq/resume with a worker of the real library."""

import jobs
from rq import suspension
from support import ENGINES, moonshift_done, until
from world import RqTest


class Pause(RqTest):
    def test_a_worker_stops_and_goes_on(self):
        for engine in ENGINES:
            server = self.world()
            self.worker(server)
            server.queue().enqueue(jobs.succeed, job_id="before")
            until(lambda: server.ran() == ["before"], "the worker works")
            report = moonshift_done("rq/pause", server.url, engine=engine, duration="1h")
            self.assertEqual(report["outcomes"], {"paused": 1})
            self.assertTrue(suspension.is_suspended(server.client))
            self.assertAlmostEqual(server.client.ttl("rq:suspended"), 3600, delta=5)
            for i in range(5):
                server.queue().enqueue(jobs.succeed, job_id=str(i))
            until(lambda: self.states(server) == {b"suspended"}, "the worker is suspended")
            self.assertLessEqual(len(server.ran()), 2)
            moonshift_done("rq/pause", server.url, engine=engine, duration="1h")
            report = moonshift_done("rq/resume", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"resumed": 1})
            until(lambda: server.ran() == ["before", *"01234"], "the worker goes on")

    def states(self, server):
        return {server.client.hget(key, "state") for key in server.client.smembers("rq:workers")}

    def test_what_somebody_else_suspended_stays(self):
        for engine in ENGINES:
            server = self.world()
            suspension.suspend(server.client, 100)
            report = moonshift_done("rq/pause", server.url, engine=engine)
            self.assertEqual(report["reasons"], {"kept: suspended by somebody else": 1})
            report = moonshift_done("rq/resume", server.url, engine=engine)
            self.assertEqual(report["outcomes"], {"kept": 1})
            self.assertEqual(server.client.get("rq:suspended"), b"1")
            self.assertLessEqual(server.client.ttl("rq:suspended"), 100)
            report = moonshift_done("rq/resume", server.url, engine=engine, all="true")
            self.assertEqual(report["outcomes"], {"resumed": 1})
            self.assertFalse(suspension.is_suspended(server.client))

    def test_a_pause_is_prolonged_and_never_shortened(self):
        for engine in ENGINES:
            server = self.world()
            for duration, seconds in (("10m", 600), ("2h", 7200), ("1h", 7200)):
                moonshift_done("rq/pause", server.url, engine=engine, duration=duration)
                self.assertAlmostEqual(server.client.ttl("rq:suspended"), seconds, delta=5)

    def test_ends_by_itself(self):
        server = self.world()
        moonshift_done("rq/pause", server.url, duration="50ms")
        until(lambda: not suspension.is_suspended(server.client), "the pause has ended")
        self.assertEqual(moonshift_done("rq/resume", server.url)["found"], 0)
