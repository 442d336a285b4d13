// bullmq/requeue-stalled beside the library's own check for stalled jobs.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { day, hour } from '../history.mjs';
import { launchMoonshift, runArguments } from '../support.mjs';
import {
  clock,
  differ,
  engines,
  eventsOf,
  failOnce,
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
  takeAll,
  until,
  workerOn,
} from './moves.mjs';

const requeue = (server, options) =>
  moonshiftDone('bullmq/requeue-stalled', server.url, { now, grace: '0s', ...options });

/** A worker whose locks are gone as soon as it has taken a job: one that died some time ago. */
const dead = { worker: { lockDuration: 1 } };
/** One whose locks outlive the test. */
const alive = { worker: { lockDuration: 10 * day } };

/** Two of the library's checks, the second one after its interval. */
async function checkByLibrary(history) {
  const { client } = history;
  const { worker, base } = history.mortal;
  for (let i = 0; i < 2; i++) {
    await client.del(`${base}stalled-check`);
    if (worker.moveStalledJobsToWait) await worker.moveStalledJobsToWait();
    else await worker.scripts.moveStalledJobsToWait();
  }
  await client.del(`${base}stalled-check`);
}

/** How many jobs are locked. Ids may look like locks. */
async function locks(client) {
  const keys = await client.keys('*:lock');
  const types = await Promise.all(keys.map((key) => client.type(key)));
  return types.filter((type) => type === 'string').length;
}

const noLock = (client) => until(async () => (await locks(client)) === 0, 'no lock');

/** Two workers of one queue: the mortal one, and one that lives. */
const openBoth = (server, library, name, options) => ({
  client: server.client,
  mortal: open(server, library, name, { ...options, ...dead }),
  living: open(server, library, name, { ...options, ...alive }),
});

async function fillWork(server, library, major) {
  const { client } = server;
  const work = openBoth(server, library, 'work');
  const { mortal, living } = work;
  const facts = { dead: [], again: [], scheduled: [], alive: [] };
  const ids = (jobs) => jobs.map(({ id }) => id);
  const addMixed = async (count, more = {}) => {
    for (let i = 0; i < count; i++) {
      const options = { attempts: 2, ...more };
      if (i % 3 === 0) options.priority = 1 + (i % 4);
      await mortal.add(now - day + i, { i }, options);
    }
  };
  if (major >= 5) {
    await mortal.queue.upsertJobScheduler('beat', { every: day }, { name: 'beat' });
    const [beat] = await mortal.queue.getDelayed();
    await beat?.promote();
  }
  await addMixed(30);
  const twice = await takeAll(mortal, now - day + minute, major >= 5 ? 31 : 30);
  await noLock(client);
  await checkByLibrary(work); // these have stalled once
  facts.again = ids(await takeAll(mortal, now - hour, twice.length));
  facts.scheduled = facts.again.filter((id) => id.startsWith('repeat:'));
  facts.again = facts.again.filter((id) => !id.startsWith('repeat:'));

  await addMixed(90);
  for (const jobId of oddIds(major)) await mortal.add(now - day, {}, { jobId });
  facts.dead = ids(await takeAll(mortal, now - hour, 90 + oddIds(major).length));
  await addMixed(20);
  facts.alive = ids(await takeAll(living, now - minute, 20));
  await addMixed(4);
  for (let i = 0; i < 4; i++) await failOnce(living, now - minute, 'boom');
  await addMixed(30);
  for (let i = 0; i < 8; i++) await mortal.add(now, {}, { delay: 3 * day });
  if (major < 5) {
    // A worker that died between BRPOPLPUSH and its lock.
    const { id } = await mortal.add(now, {}, { lifo: true });
    await client.rpoplpush('bull:work:wait', 'bull:work:active');
    facts.dead.push(id);
  }
  await until(async () => (await locks(client)) === 20, 'only the living have locks');
  return facts;
}

forEachMajor((version, library, major) => {
  describe(`${version}: bullmq/requeue-stalled`, () => {
    let work;
    before(async () => (work = await made((server) => fillWork(server, library, major))));
    after(() => work.server.stop());
    const copy = (t) => redisFor(t, { rdb: work.rdb });

    for (const engine of engines) {
      test(`${engine}: as the library's two checks, priorities kept`, async (t) => {
        const [ours, theirs] = [await copy(t), await copy(t)];
        const { facts } = work;
        const stalled = [...facts.dead, ...facts.again, ...facts.scheduled];
        assert.ok(stalled.length >= 120);
        clock.set(now);
        await checkByLibrary(openBoth(theirs, library, 'work'));
        clock.release();

        const from = await lastEvent(ours.client, 'bull:work:');
        const { outcomes } = await requeue(ours, { engine });
        const failed = major < 5 ? facts.again : [];
        const expected = { requeued: stalled.length - failed.length };
        if (failed.length) expected.exhausted = failed.length;
        assert.deepEqual(outcomes, expected);

        const order = await Promise.all([ours, theirs].map((it) => inOrder(it.client, 'bull:work:')));
        assert.deepEqual(...order.map((ids) => ids.toSorted()));
        const ignore = (key) => isStream(key) || /:(wait|prioritized|stalled)$/.test(key);
        assert.deepEqual(differ(await snapshot(theirs.client), await snapshot(ours.client), ignore), []);

        for (const id of facts.dead) {
          const priority = Number(await ours.client.hget(`bull:work:${id}`, 'priority'));
          const score = await ours.client.zscore('bull:work:prioritized', id);
          const isPrioritized = priority > 0 && major > 3;
          assert.equal(score, isPrioritized ? String(priority * 2 ** 32) : null);
        }
        const events = (await eventsOf(ours.client, 'bull:work:', from)).sort();
        const moved = stalled.filter((id) => !failed.includes(id));
        assert.deepEqual(
          events,
          [
            ...moved.map((id) => `waiting ${id} active`),
            ...moved.map((id) => `stalled ${id} `),
            ...failed.map((id) => `failed ${id} active`),
          ].sort(),
        );
      });

      test(`${engine}: a worker runs each of them once, an idle one at once`, async (t) => {
        const server = await copy(t);
        const { client } = server;
        const { facts } = work;
        await client.del('bull:work:delayed', 'bull:work:repeat', 'bull:work:repeat:beat');
        await client.set('bull:work:stalled-check', 'not now');
        const before = await inOrder(client, 'bull:work:');
        const worker = workerOn(server, library, 'work', { concurrency: 5, skipStalledCheck: true });
        await ranExactly(worker, before);
        worker.ran.length = 0;
        await requeue(server, { engine });
        // The schedule is gone, and with it what exempts its job.
        await ranExactly(worker, facts.dead);
        const failed = [...facts.again, ...facts.scheduled];
        for (const id of failed) {
          await until(async () => client.zscore('bull:work:failed', id), `${id} has failed`);
        }
        const active = () => client.lrange('bull:work:active', 0, -1);
        await until(async () => (await active()).length === facts.alive.length, 'the others ended');
        assert.deepEqual((await active()).sort(), facts.alive.toSorted());
      });

      test(`${engine}: into a paused queue, run when it is resumed`, async (t) => {
        const server = await copy(t);
        const { queue } = open(server, library, 'work');
        await server.client.del('bull:work:delayed', 'bull:work:repeat');
        await queue.pause();
        await requeue(server, { engine, max_stalled: 9 });
        assert.equal(await server.client.exists('bull:work:marker'), 0);
        assert.equal((await server.client.llen('bull:work:paused')) > 0, major < 6);
        const all = await inOrder(server.client, 'bull:work:');
        for (const id of [...work.facts.dead, ...work.facts.again]) assert.ok(all.includes(id));
        const worker = workerOn(server, library, 'work', { concurrency: 5, drainDelay: 1 });
        await queue.resume();
        await ranExactly(worker, all);
      });

      test(`${engine}: max_stalled is how often`, async (t) => {
        const server = await copy(t);
        await requeue(server, { engine, max_stalled: 0 });
        const { client } = server;
        for (const id of work.facts.dead) {
          const key = `bull:work:${id}`;
          if (major < 5) assert.ok(await client.zscore('bull:work:failed', id));
          else assert.equal(await client.hget(key, 'defa'), 'job stalled more than allowable limit');
        }
        for (const id of work.facts.scheduled) {
          assert.equal(await client.hexists(`bull:work:${id}`, 'defa'), 0, id);
        }
      });

      test(`${engine}: a job that is taken again while we look stays`, async (t) => {
        const server = await redisFor(t);
        const both = openBoth(server, library, 'window');
        const { mortal, living, client } = both;
        await mortal.add(now, {}, { jobId: 'a' });
        await mortal.add(now, {}, { jobId: 'b' });
        await takeAll(mortal, now, 2);
        await noLock(client);
        clock.release();
        const options = { engine, now, grace: '300ms', max_stalled: 9 };
        const run = launchMoonshift(...runArguments('bullmq/requeue-stalled', server.url, options));
        await until(async () => /cmdstat_lrange/.test(await client.info('commandstats')), 'find');
        run.child.kill('SIGSTOP');
        await checkByLibrary(both);
        const taken = await takeAll(living, now + minute, 2);
        await client.del(`bull:window:${taken[0].id}:lock`); // that one dies again
        clock.release();
        run.child.kill('SIGCONT');
        const { stdout } = await run.done;
        const { outcomes, reasons } = JSON.parse(stdout);
        assert.deepEqual(Object.keys(outcomes).sort(), ['kept', 'requeued'], stdout);
        assert.match(JSON.stringify(reasons), /a worker has it.*a worker took it meanwhile/);
        // Its new attempt had a look of its own, in the next pass.
        assert.deepEqual(await client.lrange('bull:window:active', 0, -1), [taken[1].id]);
        assert.deepEqual(await client.lrange('bull:window:wait', 0, -1), [taken[0].id]);
      });
    }

    if (major < 5) {
      test('a marker that died with its worker goes', async (t) => {
        const server = await copy(t);
        await server.client.lpush('bull:work:active', '0:0', '0:1793497800000');
        const { outcomes } = await requeue(server, {});
        assert.equal(outcomes.removed, 2);
        assert.equal(await server.client.lpos('bull:work:active', '0:0'), null);
      });
    }

    if (major === 5) {
      test('workers that know no deferred failure are left to fail a job themselves', async (t) => {
        const server = await copy(t);
        await server.client.hset('bull:work:meta', 'version', 'bullmq:5.12.0');
        const { outcomes } = await requeue(server, {});
        assert.equal(outcomes.kept, work.facts.again.length);
      });
    }

    test('an id without a hash, and a queue of an unknown version, stay', async (t) => {
      const server = await copy(t);
      const { client } = server;
      await client.hset('bull:work:meta', 'version', 'bullmq:7.0.0');
      await client.lpush('bull:work:active', 'ghost');
      const was = await snapshot(client);
      const { outcomes } = await requeue(server, {});
      assert.deepEqual(Object.keys(outcomes), ['kept']);
      assert.deepEqual(differ(was, await snapshot(client)), []);
    });

    describe('cut off and run again', () => {
      let many;
      before(async () => {
        many = await made(async (server) => {
          const history = open(server, library, 'many', dead);
          clock.set(now - day);
          const job = (_, i) => ({ name: 'job', data: { i }, opts: i % 9 ? {} : { priority: 2 } });
          await history.queue.addBulk(Array.from({ length: 2000 }, job));
          await takeAll(history, now - hour, 2000);
          await noLock(server.client);
        });
      });
      after(() => many.server.stop());

      for (const engine of engines) {
        test(`${engine}: kill -9`, async (t) => {
          const options = { rdb: many.rdb, engine, now, grace: '0s', cuts: 2 };
          const ignore = (key) => isStream(key) || key.endsWith(':wait');
          if (major === 6) await survivesKill(t, 'bullmq/requeue-stalled', { ...options, ignore });
          else {
            await killAndCheck(t, 'bullmq/requeue-stalled', options, async ({ client }) => {
              const order = await inOrder(client, 'bull:many:');
              assert.equal(order.length, 2000);
              assert.equal(new Set(order).size, 2000);
              assert.equal(await client.exists('bull:many:active'), 0);
            });
          }
        });
      }
    });
  });
});
