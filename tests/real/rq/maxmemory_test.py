"""The tasks that queue jobs, on a server above maxmemory: inside Redis they work, else they change nothing."""

from datetime import timedelta

import jobs
from rq import Retry
from support import differences, moonshift, moonshift_done, snapshot
from world import RqTest

count = 20


class Maxmemory(RqTest):
    def failed(self, server):
        for _ in range(count):
            server.queue().enqueue(jobs.fail)
        self.work(server)
        return "rq/retry-failed", {"retried": count}

    def scheduled(self, server):
        for _ in range(count):
            server.queue().enqueue_in(timedelta(seconds=-10), jobs.succeed)
        return "rq/promote-overdue", {"promoted": count}

    def stalled(self, server):
        ids = [server.queue().enqueue(jobs.succeed, retry=Retry(max=1)).id for _ in range(count)]
        self.start(server, *ids)
        return "rq/requeue-stalled", {"requeued": count}

    def worlds(self):
        for build in (self.failed, self.scheduled, self.stalled):
            server, told = self.made(build)
            server.client.config_set("maxmemory", 1)
            yield server, *told

    def test_inside_redis_all_jobs_are_queued(self):
        for server, script, outcomes in self.worlds():
            report = moonshift_done(script, server.url, engine="server")
            self.assertEqual(report["outcomes"], outcomes)
            self.assertEqual(len(server.waiting()), count)

    def test_else_nothing_changes(self):
        for server, script, _ in self.worlds():
            before = snapshot(server.client)
            code, report, _ = moonshift(script, server.url, engine="local")
            self.assertEqual((code, report["failed"]), (1, count))
            self.assertEqual(differences(before, snapshot(server.client)), [])

    def test_a_queue_of_another_type_loses_nothing(self):
        for build in (self.failed, self.scheduled, self.stalled):
            for engine in ("local", "server"):
                server, (script, _) = self.made(build)
                server.client.delete("rq:queue:mail")
                server.client.set("rq:queue:mail", "not a list")
                before = snapshot(server.client)
                code, report, _ = moonshift(script, server.url, engine=engine)
                self.assertEqual((code, report["failed"]), (1, count))
                self.assertEqual(differences(before, snapshot(server.client)), [])
