// The three tasks again and again, in both engines, on queues whose workers run at full speed and die.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { allLibraries, majorOf, randomness } from '../history.mjs';
import { engines, moonshiftDone, redisFor, until } from './moves.mjs';

const seconds = Number(process.env.MOONSHIFT_LIVE_SECONDS ?? 10);

/** One queue with a producer and a worker process that is killed now and then. */
class Traffic {
  constructor(server, version) {
    const library = allLibraries[version];
    Object.assign(this, { server, version, name: `live-${version}`, added: new Map(), going: true });
    this.major = majorOf(library);
    this.base = `bull:${this.name}:`;
    this.client = server.connect();
    this.queue = server.host(new library.Queue(this.name, { connection: this.client }));
    this.random = randomness(this.major);
    this.kills = 0;
    server.host({ close: () => this.child?.kill('SIGKILL') });
    this.launch();
    this.running = Promise.all([this.produce(), this.killNowAndThen()]);
  }

  launch() {
    const file = new URL('live_worker.mjs', import.meta.url).pathname;
    const argv = [file, this.server.socket, this.version, this.name];
    this.child = spawn(process.execPath, argv, { stdio: 'ignore' });
  }

  /** Plain, prioritized, lifo and delayed jobs; some fail first, and not all of them retry by themselves. */
  job() {
    const { random } = this;
    const failures = random.next() < 0.2 ? 1 : 0;
    const opts = { attempts: random.pick([1, 2]) };
    if (random.next() < 0.3) opts.priority = random.between(1, 3);
    else if (random.next() < 0.2) opts.lifo = true;
    if (random.next() < 0.3) opts.delay = random.between(1, 300);
    return { name: 'job', data: { failures, slow: random.next() < 0.03 ? 600 : 0 }, opts };
  }

  async produce() {
    while (this.going) {
      const jobs = await this.queue.addBulk(Array.from({ length: 40 }, () => this.job()));
      for (const { id, data } of jobs) this.added.set(id, data.failures);
      const behind = async () => this.added.size - (await this.completed()) < 1000;
      await until(behind, `${this.name} keeps up`, 60);
    }
  }

  /** While it has jobs, and each time at another moment. */
  async killNowAndThen() {
    while (this.going) {
      const target = (await this.completed()) + this.random.between(100, 400);
      const busy = async () => !this.going || (await this.completed()) >= target;
      await until(busy, `${this.name} goes on`, 60);
      this.child.kill('SIGKILL');
      await once(this.child, 'exit');
      this.kills++;
      this.launch();
    }
  }

  stop() {
    this.going = false;
    return this.running;
  }

  completed() {
    return this.client.zcard(`${this.base}completed`);
  }

  notes(what) {
    return this.client.hgetall(`notes:${this.name}:${what}`);
  }

  /** Every job was done, and more than once only if it had stalled. */
  async assertSound() {
    const [started, failed, done] = await Promise.all(['started', 'failed', 'done'].map((it) => this.notes(it)));
    let stalled = 0;
    for (const [id, failures] of this.added) {
      const [stc, old] = await this.client.hmget(this.base + id, 'stc', 'stalledCounter');
      const stalls = Number(stc ?? old ?? 0);
      stalled += stalls;
      const what = `${this.name} ${id}, stalled ${stalls} times`;
      assert.ok(await this.client.zscore(`${this.base}completed`, id), what);
      assert.ok(done[id] >= 1 && done[id] <= 1 + stalls, `${what}: done ${done[id]} times`);
      assert.ok(started[id] <= 1 + failures + stalls, `${what}: started ${started[id]} times`);
      assert.equal(Number(failed[id] ?? 0), failures, what);
    }
    // Only what a worker was running when it was killed, or when it lost its lock, can have stalled.
    const lost = Object.values(await this.notes('lost')).reduce((sum, it) => sum + Number(it), 0);
    assert.ok(stalled <= 8 * this.kills + lost, `${stalled} stalls, ${this.kills} killed, ${lost} locks lost`);
    return stalled;
  }

  /** No index holds anything but `completed`, and no key is left over. */
  async assertTidy() {
    assert.equal(await this.completed(), this.added.size);
    const left = (await this.client.keys(`${this.base}*`))
      .map((key) => key.slice(this.base.length))
      .filter((name) => !this.added.has(name))
      .filter((name) => !/^(id|meta|events|completed|marker|pc|stalled|stalled-check)$/.test(name));
    // Idle workers of BullMQ 3 and 4 leave a marker in the list.
    const wait = await this.client.lrange(`${this.base}wait`, 0, -1);
    assert.deepEqual(wait.filter((id) => !id.startsWith('0:')), []);
    assert.deepEqual(left.filter((name) => name !== 'wait'), []);
  }
}

describe(`live for ${seconds} s`, () => {
  test('nothing is lost, nothing runs twice, nothing is left over', async (t) => {
    const server = await redisFor(t);
    const traffics = Object.keys(allLibraries).map((version) => new Traffic(server, version));
    const outcomes = {};
    const runAll = async (engine) => {
      for (const [script, params] of [
        ['bullmq/retry-failed', {}],
        ['bullmq/promote-overdue', { overdue_by: '0s' }],
        ['bullmq/requeue-stalled', { grace: '300ms', max_stalled: 1000 }],
      ]) {
        const report = await moonshiftDone(script, server.url, { engine, ...params });
        for (const [outcome, count] of Object.entries(report.outcomes)) {
          outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
        }
      }
    };
    const end = performance.now() + seconds * 1000;
    for (let i = 0; performance.now() < end; i++) await runAll(engines[i % 2]);
    await Promise.all(traffics.map((it) => it.stop()));
    await until(
      async () => {
        await runAll('local');
        const counts = await Promise.all(traffics.map((it) => it.completed()));
        return counts.every((count, i) => count >= traffics[i].added.size);
      },
      'every job is completed',
      60,
    );
    t.diagnostic(JSON.stringify(outcomes));
    for (const traffic of traffics) {
      const stalls = await traffic.assertSound();
      const { version, added, kills } = traffic;
      t.diagnostic(`${version}: ${added.size} jobs, ${kills} workers killed, ${stalls} stalls`);
      await traffic.assertTidy();
    }
    for (const outcome of ['retried', 'promoted']) assert.ok(outcomes[outcome] > 0, outcome);
  });
});
