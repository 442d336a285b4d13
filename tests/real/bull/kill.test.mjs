// Every task of bull/, killed anywhere and run again, ends as a run that was left alone.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { day, hour } from '../history.mjs';
import { launchMoonshift, moonshiftDone, Proxy, runArguments } from '../support.mjs';
import { Driver, now, Origin } from './world.mjs';

const many = 2000;

/** Copies a job that Bull has made; `place` puts the copies where the task finds them. */
async function multiply(server, base, model, place) {
  const fields = await server.client.hgetall(base + model);
  const pipeline = server.client.pipeline();
  for (let i = 0; i < many; i++) {
    pipeline.hset(`${base}m${i}`, i % 5 ? fields : { ...fields, priority: 1 + (i % 3) });
    pipeline.rpush(`${base}m${i}:logs`, 'a line');
    place(pipeline, `m${i}`, i);
  }
  await pipeline.exec();
}

const worlds = {
  async completed(server) {
    const driver = new Driver(server, 'mail');
    await driver.add(now - 9 * day, {});
    const job = await driver.complete(now - 9 * day);
    await multiply(server, 'bull:mail:', job.id, (pipeline, id, i) =>
      pipeline.zadd('bull:mail:completed', now - 9 * day + i, id),
    );
  },
  async failed(server) {
    const driver = new Driver(server, 'mail');
    await driver.add(now - 9 * day, {});
    const job = await driver.fail(now - 9 * day);
    await multiply(server, 'bull:mail:', job.id, (pipeline, id, i) =>
      pipeline.zadd('bull:mail:failed', now - 9 * day + i, id),
    );
  },
  async stalled(server) {
    const driver = new Driver(server, 'mail');
    await driver.add(now - hour, {});
    const job = await driver.abandon(now - hour);
    await multiply(server, 'bull:mail:', job.id, (pipeline, id) => pipeline.lpush('bull:mail:active', id));
  },
  async delayed(server) {
    const driver = new Driver(server, 'mail');
    const job = await driver.add(now - hour, {}, { delay: 1000 });
    await multiply(server, 'bull:mail:', job.id, (pipeline, id, i) =>
      pipeline.zadd('bull:mail:delayed', (now - hour + i) * 4096, id),
    );
  },
  async littered(server) {
    const driver = new Driver(server, 'mail');
    await driver.add(now - hour, {});
    const job = await driver.complete(now - hour);
    await multiply(server, 'bull:mail:', job.id, (pipeline, id, i) => {
      if (i % 4 === 0) pipeline.del(`bull:mail:${id}`).zadd('bull:mail:failed', now, id);
      if (i % 4 === 1) pipeline.del(`bull:mail:${id}`).set(`bull:mail:de:${id}`, id);
    });
  },
  async divided(server) {
    for (let i = 0; i < 300; i++) {
      const base = `bull:q${i}:`;
      await server.client.set(`${base}id`, 4);
      await server.client.rpush(`${base}wait`, 'a', 'b');
      await server.client.rpush(`${base}paused`, 'c', 'd');
    }
  },
};

describe('bull: cut off and run again', () => {
  const origins = {};
  before(async () => {
    for (const [name, fill] of Object.entries(worlds)) origins[name] = await Origin.make(fill);
  });
  after(() => Promise.all(Object.values(origins).map((it) => it.stop())));

  const cases = [
    ['clean', 'completed', 'local', { older_than: '7d' }],
    ['clean', 'failed', 'server', { older_than: '7d', state: 'failed' }],
    ['requeue-stalled', 'stalled', 'server', { grace: '0s' }],
    ['retry-failed', 'failed', 'server', {}],
    ['promote-overdue', 'delayed', 'server', {}],
    ['orphans', 'littered', 'local', { grace: '0s', repair: true }],
    ['orphans', 'littered', 'server', { grace: '0s', repair: true }],
    ['pause', 'divided', 'local', {}],
    ['pause', 'divided', 'server', {}],
    ['resume', 'divided', 'local', { all: true }],
    ['resume', 'divided', 'server', { all: true }],
  ];
  for (const [task, world, engine, options] of cases) {
    test(`${engine}: ${task}`, (t) =>
      survivesKill(t, `bull/${task}`, {
        rdb: origins[world].rdb,
        cuts: 2,
        engine,
        now,
        ...options,
      }));
  }

  // Here the order of `wait` depends on where the run was cut off, and is all that may differ.
  test('local: requeue-stalled', async (t) => {
    for (const limit of [150_000, 400_000, 700_000]) {
      const server = await origins.stalled.copy(t);
      const params = { engine: 'local', now, grace: '0s' };
      let run;
      const proxy = await Proxy.start(server, { limit, reached: () => run.child.kill('SIGKILL') });
      run = launchMoonshift(...runArguments('bull/requeue-stalled', proxy.url, params));
      assert.equal((await run.done).signal, 'SIGKILL');
      await proxy.close();
      const under_way = await server.client.llen('bull:mail:active');
      await moonshiftDone('bull/requeue-stalled', server.url, params);
      const waiting = await server.client.lrange('bull:mail:wait', 0, -1);
      assert.equal(new Set(waiting).size, many + 1, `cut off with ${under_way} still active`);
      assert.equal(waiting.length, many + 1);
      assert.equal(await server.client.exists('bull:mail:active'), 0);
      for (const id of waiting) assert.equal(await server.client.hget(`bull:mail:${id}`, 'stalledCounter'), '1');
      await server.stop();
    }
  });
});
