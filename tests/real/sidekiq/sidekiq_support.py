"""Sidekiq and its workers on a private Redis."""

import json
import os
import re
import signal
import subprocess

from support import RealTest, until

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

HERE = os.path.dirname(os.path.abspath(__file__))

# Another Ruby, and the Sidekiq that it finds, may be named: a command that takes a program and its arguments.
RUBY = os.environ.get("RUBY", "ruby").split()

IDENTITY = re.compile(rb"^.+:\d+:[0-9a-f]{12}$")


class World:
    """Sidekiq's own API in a Ruby process; and worker processes."""

    def __init__(self, test, server, namespace=None):
        self.server, self.namespace = server, namespace
        self.prefix = f"{namespace}:" if namespace else ""
        settings = {"socket": server.socket, **({"namespace": namespace} if namespace else {})}
        self.environment = {**os.environ, "MOONSHIFT_SIDEKIQ": json.dumps(settings), "LANG": "C.UTF-8"}
        self.workers = []
        self.log = open(os.path.join(server.directory, "world.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [*RUBY, os.path.join(HERE, "world.rb")], env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
        )
        test.addCleanup(self.stop)

    def begin(self, method, *arguments):
        self.process.stdin.write(json.dumps([method, *arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise AssertionError(self.log.read())
        answer = json.loads(line)
        assert "ok" in answer, answer["error"]
        return answer["ok"]

    def __getattr__(self, method):
        def call(*arguments):
            self.begin(method, *arguments)
            return self.answer()

        return call

    def now(self, plus=0):
        seconds, micros = self.server.client.time()
        return seconds * 1000 + micros // 1000 + plus

    def key(self, name):
        return self.prefix + name

    def jobs(self, set_name):
        """The members of a set as they mean, by jid, with their scores."""
        members = self.server.client.zrange(self.key(set_name), 0, -1, withscores=True)
        return {(it := json.loads(text))["jid"]: (it, score) for text, score in members}

    def queue(self, name="default"):
        """The jobs of a queue as they mean, the next one first."""
        return [json.loads(text) for text in self.server.client.lrange(self.key(f"queue:{name}"), 0, -1)][::-1]

    def done(self):
        return {name.decode(): int(n) for name, n in self.server.client.hgetall(self.key("test:done")).items()}

    def worker(self, queues=("default",), concurrency=3):
        """A Sidekiq process that has sent its first heartbeat. It has `identity`."""
        before = set(self.server.client.smembers(self.key("processes")))
        path = os.path.join(self.server.directory, f"worker-{len(self.workers)}.log")
        command = [*RUBY, "-S", "sidekiq", "-r", os.path.join(HERE, "jobs.rb"), "-c", str(concurrency), "-t", "1"]
        for queue in queues:
            command += ["-q", queue]
        with open(path, "w", encoding="utf-8") as log:
            process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=log, start_new_session=True,
                cwd=self.server.directory,
            )
        self.workers.append(process)

        def registered():
            assert process.poll() is None, open(path, encoding="utf-8").read()
            return self.server.client.smembers(self.key("processes")) - before

        process.identity = until(registered, "the worker has registered", 40).pop().decode()
        return process

    def kill(self, worker):
        """kill -9."""
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def record(self, worker):
        """The key of what a process runs."""
        for name in ("workers", "work"):
            key = self.key(f"{worker.identity}:{name}")
            if self.server.client.exists(key):
                return key
        return None

    def forget(self, identity):
        """Time goes by for a process that sends no heartbeat: its hash expires."""
        self.server.client.pexpire(self.key(identity), 1)
        until(lambda: not self.server.client.exists(self.key(identity)), "the process's hash is gone")

    def stop(self):
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()


class SidekiqTest(RealTest):
    def world(self, rdb=None, namespace=None):
        return World(self, self.redis(rdb), namespace)


def payload(jid, queue="default", **fields):
    """A job as Sidekiq writes it, of many that only need to be there."""
    job = {"retry": True, "queue": queue, "class": "Record", "args": [jid], "jid": jid, "created_at": 1.5e9, **fields}
    return json.dumps(job, separators=(",", ":"))
