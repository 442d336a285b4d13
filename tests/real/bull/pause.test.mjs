// bull/pause and bull/resume: the library's own switch, without its losses.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hour } from '../history.mjs';
import { differences, moonshiftDone, redisFor, snapshot, until } from '../support.mjs';
import { Driver, engines, now, openBull, Origin, withClock, World } from './world.mjs';

const pause = (server, options) => moonshiftDone('bull/pause', server.url, { now, ...options });
const resume = (server, options) => moonshiftDone('bull/resume', server.url, { now, ...options });

for (const engine of engines) {
  describe(`${engine}: bull/pause and bull/resume`, () => {
    test('leave what queue.pause() and queue.resume() leave', async (t) => {
      const origin = await Origin.make((server) => new World(server).fill());
      t.after(() => origin.stop());
      const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
      for (const name of World.names) await openBull(theirs, name).pause();
      assert.deepEqual((await pause(ours, { engine })).outcomes, { paused: 2 });
      const flags = World.names.map((name) => `bull:${name}:meta-paused`); // its value is our mark
      assert.deepEqual(differences(await snapshot(theirs.client), await snapshot(ours.client)), flags);
      assert.equal((await pause(ours, { engine })).found, 0);

      assert.deepEqual((await resume(ours, { engine })).outcomes, { resumed: 2 });
      assert.deepEqual(differences(origin.full, await snapshot(ours.client)), []);
      assert.equal((await resume(ours, { engine })).found, 0);
    });

    test('only what was not paused before is resumed; all of it with all', async (t) => {
      const server = await redisFor(t);
      const [mine, theirs, empty] = ['mine', 'theirs', 'empty'].map((name) => openBull(server, name));
      await mine.add({});
      await theirs.add({});
      await theirs.pause();
      await empty.pause(); // before its first job
      assert.deepEqual((await pause(server, { engine })).outcomes, { paused: 1 });
      assert.deepEqual((await resume(server, { engine })).outcomes, { resumed: 1, kept: 2 });
      assert.deepEqual([await mine.isPaused(), await theirs.isPaused()], [false, true]);
      assert.deepEqual((await resume(server, { engine, all: true })).outcomes, { resumed: 2 });
      assert.deepEqual([await theirs.isPaused(), await empty.isPaused()], [false, false]);
      await pause(server, { engine, queues: 'mine' });
      await mine.pause(); // the operator makes it his own
      assert.deepEqual((await resume(server, { engine })).outcomes, { kept: 1 });
    });

    test('nothing is taken meanwhile, and each job runs once afterwards', async (t) => {
      const server = await redisFor(t);
      const queue = openBull(server, 'mail');
      const ids = async (options) => (await queue.add({}, options)).id;
      const before = [await ids(), await ids(), await ids({ priority: 2 }), await ids({ priority: 1 })];
      await pause(server, { engine });
      const meanwhile = [await ids(), await ids({ priority: 3 })];
      await queue.client.lpush('bull:mail:wait', await ids({ delay: hour })); // a stray push
      const stray = await queue.client.lindex('bull:mail:wait', 0);
      await queue.client.zrem('bull:mail:delayed', stray);
      assert.equal((await pause(server, { engine })).outcomes.moved, 1);
      await pause(server, { engine });
      assert.equal(await queue.client.exists('bull:mail:wait'), 0);

      const worker = openBull(server, 'mail');
      const ran = [];
      worker.process('*', async (job) => void ran.push(job.id)).catch(() => {});
      await worker.isReady();
      await queue.client.lpush('bull:mail:wait', await ids({ delay: hour })); // and one for resume
      const late = await queue.client.lrange('bull:mail:wait', 0, -1);
      assert.deepEqual(ran.filter((id) => !late.includes(id)), []);
      await resume(server, { engine });
      const all = [...before, ...meanwhile, stray];
      assert.equal(new Set(ran).size, ran.length, 'none runs twice');
      await until(async () => (await queue.getCompletedCount()) === all.length + 1, 'all have run');
      assert.equal(await queue.client.exists('bull:mail:paused', 'bull:mail:wait'), 0);
    });

    test('long lists are put together in their order', async (t) => {
      const server = await redisFor(t);
      const driver = new Driver(server, 'long');
      await withClock(() => driver.add(now, {}, {}));
      const count = 2500;
      const older = Array.from({ length: count }, (_, i) => `old ${i}`);
      const newer = Array.from({ length: count }, (_, i) => `new ${i}`);
      await server.client.del('bull:long:wait');
      await server.client.lpush('bull:long:paused', ...older);
      await server.client.lpush('bull:long:wait', ...newer);
      await pause(server, { engine });
      const list = (key) => server.client.lrange(`bull:long:${key}`, 0, -1);
      assert.deepEqual((await list('paused')).toReversed(), [...older, ...newer]);
      await resume(server, { engine });
      await pause(server, { engine }); // the whole list at once
      assert.deepEqual((await list('paused')).toReversed(), [...older, ...newer]);
      await server.client.lpush('bull:long:wait', 'newest');
      await resume(server, { engine });
      assert.deepEqual((await list('wait')).toReversed(), [...older, ...newer, 'newest']);
      assert.deepEqual(await list('paused'), []);
    });
  });
}
