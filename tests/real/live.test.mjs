// A clean while producers and workers go on: nothing of theirs is lost, and the run is verified.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import facts from './fixture.json' with { type: 'json' };
import { day, libraries } from './history.mjs';
import { moonshiftDone, Proxy, redisFor, until } from './support.mjs';

const rdb = new URL('fixture.rdb', import.meta.url).pathname;
const old = facts.queues.find(({ name }) => name === 'publishing');

/** A producer and a worker on one queue, until `stop`. Knows what it added and what was run. */
class Traffic {
  constructor(library, server, name) {
    const connection = server.connect();
    this.added = [];
    this.ran = [];
    this.queue = server.host(new library.Queue(name, { connection }));
    const process = async (job) => this.ran.push(job.id);
    server.host(new library.Worker(name, process, { connection, concurrency: 4 }));
    this.going = true;
    this.producer = this.produce();
    server.host(this);
  }

  async close() {
    this.going = false;
    await this.producer;
  }

  async produce() {
    while (this.going) this.added.push((await this.queue.add('live', { n: this.added.length })).id);
  }

  isUnderWay() {
    return until(() => this.ran.length > 20, 'some live jobs have run');
  }

  async stop() {
    await this.close();
    const ran = () => new Set(this.ran);
    await until(() => this.added.every((id) => ran().has(id)), 'every added job has run');
    await until(
      async () => (await this.queue.getActiveCount()) <= old.counts.active,
      'none is active',
    );
  }
}

for (const [version, library] of Object.entries(libraries)) {
  for (const engine of ['local', 'server']) {
    describe(`${version}, ${engine}: bullmq/clean under traffic`, () => {
      test('takes the old jobs and none of the live ones', async (t) => {
        const server = await redisFor(t, { rdb });
        const traffic = new Traffic(library, server, old.name);
        await traffic.isUnderWay();
        const report = await moonshiftDone('bullmq/clean', server.url, {
          engine,
          state: 'completed',
          queues: old.name,
          older_than: '7d',
          now: facts.now,
        });
        await traffic.stop();
        assert.equal(report.outcomes.removed, old.eligible.completed);
        assert.equal(new Set(traffic.ran).size, traffic.ran.length, 'no job ran twice');
        for (const id of traffic.added) assert.ok(await traffic.queue.getJob(id), `${id} is there`);
      });

      test('is verified although jobs become eligible all the time', async (t) => {
        const server = await redisFor(t, { rdb });
        const traffic = new Traffic(library, server, old.name);
        await traffic.isUnderWay();
        const report = await moonshiftDone('bullmq/clean', server.url, {
          engine,
          state: 'completed',
          queues: old.name,
          older_than: '0s',
          now: Date.now() + day,
        });
        await traffic.stop();
        assert.ok(report.outcomes.removed >= old.counts.completed);
        assert.equal(new Set(traffic.ran).size, traffic.ran.length, 'no job ran twice');
        const ids = await server.client.zrange(`bull:${old.name}:completed`, 0, -1);
        for (const id of ids) assert.ok(await traffic.queue.getJob(id), `${id} does not dangle`);
      });

      test('a job that is retried meanwhile is taken whole or left whole', async (t) => {
        const server = await redisFor(t, { rdb });
        const base = `bull:${old.name}:`;
        const ids = await server.client.zrange(`${base}completed`, 0, old.eligible.completed - 1);
        const queue = server.host(new library.Queue(old.name, { connection: server.client }));
        const road = await Proxy.start(server, { piece: 64 });
        const clean = moonshiftDone('bullmq/clean', road.url, {
          engine,
          state: 'completed',
          queues: old.name,
          older_than: '7d',
          now: facts.now,
        });
        const retried = new Set();
        for (const id of ids.toReversed()) {
          const job = await queue.getJob(id);
          await job?.retry('completed').then(
            () => retried.add(id),
            () => {},
          );
        }
        const { outcomes } = await clean;
        assert.equal(outcomes.removed, ids.length - retried.size);
        const waiting = new Set(await server.client.lrange(`${base}wait`, 0, -1));
        for (const id of ids) {
          const fields = await server.client.hmget(base + id, 'name', 'data', 'opts', 'timestamp');
          assert.equal(waiting.has(id), retried.has(id), `${id} waits if it was retried`);
          assert.equal(
            fields.every((it) => it !== null),
            retried.has(id),
            `${id} is whole`,
          );
        }
      });
    });
  }
}
