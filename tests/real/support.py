"""What the tests with real Python libraries stand on: private Redis servers, snapshots of a dataset, and
moonshift as a child process. Everything lives in temporary directories."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import redis

ENGINES = ("local", "server")


def until(condition, what, seconds=20):
    """Asks again until `condition` holds, and returns what it said."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.005)


class RedisServer:
    """A redis-server of our own, on a Unix socket in a directory of its own."""

    def __init__(self, rdb=None):
        self.directory = tempfile.mkdtemp(prefix="moonshift-real-")
        self.socket = os.path.join(self.directory, "redis.sock")
        self.url = f"unix://{self.socket}"
        if rdb:
            shutil.copy(rdb, os.path.join(self.directory, "dump.rdb"))
        program = os.environ.get("REDIS_SERVER", "redis-server")
        options = ["--port", "0", "--save", "", "--unixsocket", self.socket, "--dir", self.directory]
        self.process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        self.client = self.connect()
        until(self._is_ready, "redis-server is ready")

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("redis-server has ended")
        try:
            return self.client.ping()
        except redis.exceptions.RedisError:
            return False

    def connect(self, **options):
        return redis.Redis(unix_socket_path=self.socket, **options)

    def save(self):
        """Writes the dataset to disk, for other servers to start from."""
        self.client.save()
        return os.path.join(self.directory, "dump.rdb")

    def stop(self):
        self.client.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Proxy:
    """A road to a server that is cut once `limit` bytes of requests have gone through."""

    def __init__(self, server, limit=float("inf"), reached=lambda: None):
        self.server, self.limit, self.reached = server, limit, reached
        self.sent = 0
        self.path = server.socket + ".proxy"
        self.url = f"unix://{self.path}"
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(self.path):
            os.unlink(self.path)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.server.socket)
            self._sockets += [near, far]
            threading.Thread(target=self._forward, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(far, near, False), daemon=True).start()

    def _forward(self, source, target, counted):
        try:
            while data := source.recv(4096):
                if counted:
                    data = self._allow(data)
                elif self.sent >= self.limit:
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _allow(self, data):
        with self._lock:
            room = self.limit - self.sent
            if len(data) < room:
                self.sent += len(data)
                return data
            self.sent = self.limit
        self.reached()
        return data[: int(room)]

    def close(self):
        self._listener.close()
        for end in self._sockets:
            end.close()


def launch_moonshift(*arguments):
    return subprocess.Popen(
        [os.environ["MOONSHIFT"], *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run_arguments(script, url, engine="local", now=None, options=(), **params):
    """The command line of `moonshift run`. `params` are the script's, `options` are further arguments."""
    arguments = ["run", script, "--url", url, "--engine", engine, "--json", *options]
    if now is not None:
        arguments += ["--now", str(now)]
    for name, values in params.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            arguments += ["--param", f"{name}={value}"]
    return arguments


def moonshift(script, url, **options):
    """`moonshift run` of one script to its end: exit code, report, standard error. `now` is in ms."""
    process = launch_moonshift(*run_arguments(script, url, **options))
    try:
        output, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, json.loads(output or "{}"), errors


def moonshift_done(script, url, **options):
    """Runs a script and demands that it is done and verified. Returns the report."""
    code, report, errors = moonshift(script, url, **options)
    assert code == 0, f"{script} ended with {code}:\n{json.dumps(report, indent=1)}\n{errors}"
    assert report["failed"] == 0, report
    return report


def _contents(client, kind, key):
    if kind == b"string":
        return client.get(key)
    if kind == b"list":
        return client.lrange(key, 0, -1)
    if kind == b"set":
        return sorted(client.smembers(key))
    if kind == b"zset":
        return client.zrange(key, 0, -1, withscores=True)
    if kind == b"hash":
        return sorted(client.hgetall(key).items())
    return client.xrange(key)


def snapshot(client):
    """Every key of the dataset: name -> (type, whether it expires, contents)."""
    keys = {}
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        keys[key] = (kind, client.ttl(key) >= 0, _contents(client, kind, key))
    return keys


def differences(one, other):
    """The keys that are only in one of the snapshots, or differ."""
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))


class RealTest(unittest.TestCase):
    """Has servers that are stopped and removed with the test."""

    def redis(self, rdb=None):
        server = RedisServer(rdb)
        self.addCleanup(server.stop)
        return server

    def assert_survives_kill(self, script, rdb, cuts=6, ignore=lambda key: False, **options):
        """Kills runs of `script` at `cuts` points, all over its traffic, each on a server that started
        from the snapshot `rdb`; runs it again, and demands the dataset of a run that was left alone."""
        calm = self.redis(rdb)
        observed = Proxy(calm)
        moonshift_done(script, observed.url, **options)
        observed.close()
        end = snapshot(calm.client)
        choice = random.Random(cuts)
        killed = 0
        for i in range(cuts):
            server = self.redis(rdb)
            part = observed.sent / 2 / cuts
            limit = choice.randint(int(part * i) + 1, int(part * (i + 1)))
            run = []
            proxy = Proxy(server, limit, lambda: until(lambda: run, "the run is known")[0].kill())
            run.append(launch_moonshift(*run_arguments(script, proxy.url, **options)))
            run[0].communicate(timeout=120)
            killed += run[0].returncode == -signal.SIGKILL
            proxy.close()
            moonshift_done(script, server.url, **options)
            left = [key for key in differences(end, snapshot(server.client)) if not ignore(key)]
            self.assertEqual(left, [], f"{script}, cut off after {limit} of {observed.sent} bytes")
            server.stop()
        self.assertGreater(killed, 0, f"{script}: no run was under way when it was to be killed")
