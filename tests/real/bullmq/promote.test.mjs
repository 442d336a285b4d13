// bullmq/promote-overdue beside what the library's workers do when they fetch a job.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { day, hour, second } from '../history.mjs';
import {
  clock,
  differ,
  engines,
  eventsOf,
  forEachMajor,
  inOrder,
  isStream,
  killAndCheck,
  lastEvent,
  made,
  minute,
  moonshiftDone,
  now,
  oddIds,
  open,
  ranExactly,
  redisFor,
  snapshot,
  until,
  workerOn,
} from './moves.mjs';

const promote = (server, options) =>
  moonshiftDone('bullmq/promote-overdue', server.url, { now, ...options });

/** Delayed jobs of which `due` are due, and others; in `queue`, whose clock says `at` in the end. */
async function fillLater(server, library, major, at) {
  const later = open(server, library, 'later');
  const due = [];
  const add = async (dueAt, options) => {
    const { id } = await later.add(dueAt - 2 * day, {}, { delay: 2 * day, ...options });
    if (dueAt <= at) due.push(id);
  };
  for (let i = 0; i < 180; i++) {
    const options = i % 3 ? {} : { priority: 1 + (i % 4) };
    await add(at - hour + 20 * second * i + 1, options);
  }
  await add(at);
  await add(at + 1);
  for (const jobId of oddIds(major)) await add(at - 2 * minute, { jobId });
  clock.set(at - 2 * hour);
  const schedule = { pattern: '0 * * * *', tz: 'UTC' };
  if (major >= 5) await later.queue.upsertJobScheduler('beat', schedule, { name: 'beat' });
  else await later.queue.add('beat', {}, { repeat: schedule });
  for (let i = 0; i < 20; i++) await later.add(at - hour, {}, i % 2 ? {} : { priority: 1 + (i % 4) });
  return { due };
}

/** The ids in `delayed` whose time has come. */
const dueIn = (client, at, key = 'bull:later:delayed') =>
  client.zrangebyscore(key, '-inf', String((at + 1) * 4096 - 1));

forEachMajor((version, library, major) => {
  describe(`${version}: bullmq/promote-overdue`, () => {
    let later;
    before(async () => (later = await made((it) => fillLater(it, library, major, now))));
    after(() => later.server.stop());
    const copy = (t) => redisFor(t, { rdb: later.rdb });

    for (const engine of engines) {
      test(`${engine}: as a worker of a paused queue does`, async (t) => {
        const [ours, theirs] = [await copy(t), await copy(t)];
        const histories = [ours, theirs].map((server) => open(server, library, 'later'));
        clock.set(now);
        for (const { queue } of histories) await queue.pause();
        const ids = await dueIn(ours.client, now);
        assert.ok(ids.length > later.facts.due.length && ids.length > 180); // and a beat
        await histories[1].worker.getNextJob('theirs', { block: false });
        clock.release();
        const from = await lastEvent(ours.client, 'bull:later:');
        const { outcomes } = await promote(ours, { engine, overdue_by: '0s' });
        assert.deepEqual(outcomes, { promoted: ids.length });
        const order = await Promise.all([ours, theirs].map((it) => inOrder(it.client, 'bull:later:')));
        const local = engine === 'local' && major === 3; // there one after the other takes its place
        assert.deepEqual(...(local ? order.map((it) => it.toSorted()) : order));
        const ignore = (key) => isStream(key) || (local && key.endsWith(':paused'));
        assert.deepEqual(differ(await snapshot(theirs.client), await snapshot(ours.client), ignore), []);
        const events = (await eventsOf(ours.client, 'bull:later:', from)).sort();
        assert.deepEqual(events, ids.map((id) => `waiting ${id} delayed`).sort());
      });

      test(`${engine}: only what is overdue by so much`, async (t) => {
        const server = await copy(t);
        for (const [overdue_by, at] of [
          ['30m', now - 30 * minute],
          [undefined, now - 30 * second],
          ['0s', now],
        ]) {
          const options = overdue_by ? { engine, overdue_by } : { engine };
          const ids = await dueIn(server.client, at);
          const { found } = await promote(server, options);
          assert.equal(found, ids.length);
          assert.deepEqual(await dueIn(server.client, at), []);
        }
        assert.ok((await server.client.zcard('bull:later:delayed')) > 0);
      });

      test(`${engine}: workers run them once, and schedules go on`, async (t) => {
        const server = await redisFor(t);
        const at = Date.now();
        await fillLater(server, library, major, at);
        clock.release();
        const due = await dueIn(server.client, Date.now());
        await promote(server, { engine, overdue_by: '0s', now: undefined });
        const all = await inOrder(server.client, 'bull:later:');
        for (const id of due) assert.ok(all.includes(id), id);
        const worker = workerOn(server, library, 'later', { concurrency: 5 });
        await until(() => worker.ran.length >= all.length, 'all have run');
        assert.equal(new Set(worker.ran).size, worker.ran.length);
        for (const id of all) assert.ok(worker.ran.includes(id), id);
        const delayed = await server.client.zrange('bull:later:delayed', 0, -1);
        assert.ok(delayed.some((id) => id.startsWith('repeat:')), 'the next beat');
      });

      test(`${engine}: an idle worker is told of a prioritized job`, async (t) => {
        const server = await redisFor(t);
        const history = open(server, library, 'idle');
        const worker = workerOn(server, library, 'idle');
        await worker.waitUntilReady();
        const { client } = server;
        const blocked = async () => /cmd=(brpoplpush|blmove|bzpopmin)/.test(await client.client('LIST'));
        await until(blocked, 'the worker waits');
        // As if its time had come without a worker that noticed.
        await history.queue.add('job', {}, { jobId: 'x', priority: 2, delay: 100 * day });
        await until(blocked, 'the worker waits again');
        await client.zadd('bull:idle:delayed', String((Date.now() - hour) * 4096), 'x');
        await promote(server, { engine, now: undefined });
        await ranExactly(worker, ['x']);
      });
    }

    test('an id without a hash and a queue of an unknown version stay', async (t) => {
      const server = await copy(t);
      await server.client.zadd('bull:later:delayed', String((now - hour) * 4096), 'ghost');
      await promote(server, { overdue_by: '0s' });
      assert.deepEqual(await dueIn(server.client, now), ['ghost']);
      const other = await copy(t);
      await other.client.hset('bull:later:meta', 'version', 'bullmq:7.0.0');
      const was = await snapshot(other.client);
      const { outcomes } = await promote(other, {});
      assert.deepEqual(Object.keys(outcomes), ['kept']);
      assert.deepEqual(differ(was, await snapshot(other.client)), []);
    });

    describe('cut off and run again', () => {
      let many;
      before(async () => {
        many = await made(async (server) => {
          const { queue } = open(server, library, 'many');
          clock.set(now - day);
          const opts = (i) => ({ delay: hour + i, ...(i % 300 ? {} : { priority: 3 }) });
          await queue.addBulk(
            Array.from({ length: 2000 }, (_, i) => ({ name: 'job', data: {}, opts: opts(i) })),
          );
        });
      });
      after(() => many.server.stop());

      for (const engine of engines) {
        test(`${engine}: kill -9`, async (t) => {
          const options = { rdb: many.rdb, engine, now, cuts: 2 };
          const ignore = (key) => isStream(key) || /:(wait|prioritized|pc)$/.test(key);
          if (major === 6) await survivesKill(t, 'bullmq/promote-overdue', { ...options, ignore });
          else {
            await killAndCheck(t, 'bullmq/promote-overdue', options, async ({ client }) => {
              const order = await inOrder(client, 'bull:many:');
              assert.equal(order.length, 2000);
              assert.equal(new Set(order).size, 2000);
              assert.equal(await client.exists('bull:many:delayed'), 0);
            });
          }
        });
      }
    });
  });
});
