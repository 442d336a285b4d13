// Every task of bee/, killed anywhere and run again, ends as a run that was left alone.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { day, hour } from '../history.mjs';
import { launchMoonshift, moonshiftDone, Proxy, runArguments } from '../support.mjs';
import { add, now, openBee, Origin, runAll } from './world.mjs';

const many = 2000;

/** Copies a job that Bee-Queue has made; `place` puts the copies where the task finds them. */
async function multiply(server, id, place) {
  const text = await server.client.hget('bq:mail:jobs', id);
  const pipeline = server.client.pipeline();
  for (let i = 0; i < many; i++) {
    pipeline.hset('bq:mail:jobs', `m${i}`, text);
    place(pipeline, `m${i}`, i);
  }
  await pipeline.exec();
}

const worlds = {
  async ended(server) {
    await add(openBee(server, 'mail'), [{ at: now - 9 * day, id: 'ok' }, { at: now - 9 * day, id: 'bad', data: { fail: 'boom' } }]);
    await runAll(server, 'mail');
    await multiply(server, 'bad', (pipeline, id, i) => pipeline.sadd(`bq:mail:${i % 2 ? 'failed' : 'succeeded'}`, id));
  },
  async delayed(server) {
    await add(openBee(server, 'mail'), [{ at: now - day, id: 'due', delayUntil: now - hour }]);
    await multiply(server, 'due', (pipeline, id, i) => pipeline.zadd('bq:mail:delayed', now - hour + i, id));
  },
  async dead(server) {
    await add(openBee(server, 'mail'), [{ at: now - day, id: 'dead' }]);
    await multiply(server, 'dead', (pipeline, id) => pipeline.lpush('bq:mail:active', id).sadd('bq:mail:stalling', id));
  },
  async littered(server) {
    await add(openBee(server, 'mail'), [{ at: now - day, id: 'ok' }]);
    await runAll(server, 'mail');
    await multiply(server, 'ok', (pipeline, id, i) => i % 2 && pipeline.sadd('bq:mail:failed', id).hdel('bq:mail:jobs', id));
  },
};

describe('bee: cut off and run again', () => {
  const origins = {};
  before(async () => {
    for (const [name, fill] of Object.entries(worlds)) origins[name] = await Origin.make(fill);
  });
  after(() => Promise.all(Object.values(origins).map((it) => it.stop())));

  const cases = [
    ['clean', 'ended', {}],
    ['promote-overdue', 'delayed', {}],
    ['requeue-stalled', 'dead', { grace: '0s' }],
    ['orphans', 'littered', { grace: '0s', repair: true }],
  ];
  for (const [task, world, options] of cases) {
    test(task, (t) => survivesKill(t, `bee/${task}`, { rdb: origins[world].rdb, cuts: 3, engine: 'server', now, ...options }));
  }

  // A set has no order: that of `waiting` depends on where the run was cut off, and is all that may differ.
  test('retry-failed', async (t) => {
    for (const limit of [9_000, 14_000, 30_000]) {
      const server = await origins.ended.copy(t);
      const failed = await server.client.smembers('bq:mail:failed');
      const params = { engine: 'server', now };
      let run;
      const proxy = await Proxy.start(server, { limit, reached: () => run.child.kill('SIGKILL') });
      run = launchMoonshift(...runArguments('bee/retry-failed', proxy.url, params));
      assert.equal((await run.done).signal, 'SIGKILL');
      await proxy.close();
      await moonshiftDone('bee/retry-failed', server.url, params);
      assert.deepEqual((await server.client.lrange('bq:mail:waiting', 0, -1)).sort(), failed.sort());
      assert.equal(await server.client.exists('bq:mail:failed'), 0);
      await server.stop();
    }
  });
});
