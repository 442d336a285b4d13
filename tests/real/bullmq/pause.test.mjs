// bullmq/pause and bullmq/resume: the library's own switch, but no job is lost whatever came between.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Bull from 'bull';
import { differences, moonshift, moonshiftDone, redisFor, snapshot, until } from '../support.mjs';
import { engines, eventsOf, majors, queueOn, withoutEvents, workerOn } from './pause_support.mjs';

const pause = (server, options) => moonshiftDone('bullmq/pause', server.url, options);
const resume = (server, options) => moonshiftDone('bullmq/resume', server.url, options);

const add = async (queue, count, options) =>
  (
    await Promise.all(Array.from({ length: count }, (_, n) => queue.add('job', { n }, options)))
  ).map(({ id }) => id);
/** Ids from the next in turn on. */
const inTurn = async (server, list) => (await server.client.lrange(list, 0, -1)).toReversed();
const noMark = (name, value) =>
  name.endsWith(':meta')
    ? { ...value, contents: value.contents.filter((it) => !it.startsWith('moonshift:')) }
    : value;
const withoutMark = (all) => new Map([...all].map(([name, it]) => [name, noMark(name, it)]));

for (const [version, library] of Object.entries(majors)) {
  const moves = version !== 'bullmq6';

  for (const engine of engines) {
    describe(`${version}, ${engine}: bullmq/pause and bullmq/resume`, () => {
      test('leave what the library leaves', async (t) => {
        const [server, twin] = [await redisFor(t), await redisFor(t)];
        for (const it of [server, twin]) {
          const queue = queueOn(it, library, 'mail');
          await queue.waitUntilReady();
          for (let n = 0; n < 20; n++) await queue.add('job', { n }, { timestamp: 1000 + n });
          for (let n = 0; n < 9; n++)
            await queue.add('job', { n }, { timestamp: 1, priority: 1 + (n % 3) });
          for (let n = 0; n < 5; n++)
            await queue.add('job', { n }, { timestamp: 2_000_000_000_000, delay: 1e9 });
          const sparse = [
            queueOn(it, library, 'prioritized'),
            queueOn(it, library, 'delayed'),
            queueOn(it, library, 'empty'),
          ];
          await sparse[0].add('job', {}, { timestamp: 1, priority: 2 });
          await sparse[1].add('job', {}, { timestamp: 2_000_000_000_000, delay: 1e9 });
          for (const one of sparse) await one.waitUntilReady();
          it.queues = [queue, ...sparse];
        }
        const compare = async (what) =>
          assert.deepEqual(
            differences(
              withoutMark(withoutEvents(await snapshot(server.client))),
              withoutEvents(await snapshot(twin.client)),
            ),
            [],
            what,
          );
        await until(async () => (await server.client.keys('*:meta')).length === 4, 'four queues');
        await until(async () => (await twin.client.keys('*:meta')).length === 4, 'four queues');

        assert.deepEqual((await pause(server, { engine })).outcomes, { paused: 4 });
        for (const queue of twin.queues) await queue.pause();
        await compare('paused');
        for (const queue of server.queues) {
          assert.equal(await queue.isPaused(), true);
          assert.equal((await eventsOf(server, queue.base)).at(-1), 'paused');
          if (queue.getMeta) assert.equal((await queue.getMeta()).paused, true);
        }
        assert.deepEqual((await pause(server, { engine })).outcomes, {});

        assert.deepEqual((await resume(server, { engine })).outcomes, { resumed: 4 });
        for (const queue of twin.queues) await queue.resume();
        await compare('resumed');
        for (const queue of server.queues) {
          assert.equal(await queue.isPaused(), false);
          assert.equal((await eventsOf(server, queue.base)).at(-1), 'resumed');
          assert.equal(await server.client.hexists(`${queue.base}meta`, 'moonshift:paused'), 0);
        }
        assert.deepEqual((await resume(server, { engine })).outcomes, {});
      });

      test('nothing is taken in between, and every job runs once', async (t) => {
        const server = await redisFor(t);
        const queue = queueOn(server, library, 'mail');
        let release;
        const gate = new Promise((open) => (release = open));
        const started = [];
        const run = (job) => (started.push(job.id), started.length > 20 ? gate : undefined);
        const worker = workerOn(server, library, 'mail', { run, concurrency: 3 });
        const ids = [...(await add(queue, 60)), ...(await add(queue, 10, { priority: 3 }))];
        await until(() => started.length >= 22, 'the worker is in the middle of it');

        await pause(server, { engine });
        ids.push(...(await add(queue, 10)), ...(await add(queue, 3, { priority: 1 })));
        ids.push(...(await add(queue, 3, { delay: 1 })));
        release();
        await until(async () => (await queue.getActiveCount()) === 0, 'running jobs end');
        const before = worker.ran.length;
        assert.ok(before < ids.length);
        await until(async () => (await queue.getDelayedCount()) === 0 || before > 0, 'time passes');
        ids.push(...(await add(queue, 30)));
        assert.equal(worker.ran.length, before, 'no further job is taken');

        await resume(server, { engine });
        await until(() => new Set(worker.ran).size === ids.length, 'all jobs have run');
        assert.deepEqual(worker.ran.toSorted(), ids.toSorted());
        await until(async () => (await queue.getActiveCount()) === 0, 'none is active');
        assert.equal(await server.client.llen(`${queue.base}paused`), 0);
      });

      test('pausing twice with a stray push loses nothing and keeps the order', async (t) => {
        for (const skipMetasUpdate of [true, false]) {
          const server = await redisFor(t);
          const queue = queueOn(server, library, 'mail');
          const ids = [];
          for (let n = 0; n < 12; n++) ids.push((await queue.add('job', { n })).id);
          await pause(server, { engine });
          // BullMQ 6 adds to `wait` in spite of the pause; its Queue also says so in `meta`.
          const newer = queueOn(server, majors.bullmq6, 'mail', { skipMetasUpdate });
          await newer.waitUntilReady();
          for (let n = 0; n < 3; n++) ids.push((await newer.add('stray', { n })).id);
          const { outcomes } = await pause(server, { engine });
          if (moves && skipMetasUpdate) assert.deepEqual(outcomes, { moved: 1 });
          assert.deepEqual((await resume(server, { engine })).outcomes, { resumed: 1 });
          assert.deepEqual(await inTurn(server, 'bull:mail:wait'), ids);
          assert.equal(await server.client.exists('bull:mail:paused'), 0);
          const worker = workerOn(server, library, 'mail');
          await until(() => worker.ran.length >= ids.length, 'all have run');
          assert.deepEqual(worker.ran, ids);
        }
      });

      test('long lists keep their order, whatever is in the other list', async (t) => {
        const server = await redisFor(t);
        await queueOn(server, library, 'mail').waitUntilReady();
        const name = 'bull:mail:';
        await until(() => server.client.exists(`${name}meta`), 'the queue is known');
        const ids = (from, to) => Array.from({ length: to - from }, (_, n) => `j${from + n}`);
        for (const [first, stray] of [
          [10, 0],
          [3500, 0],
          [3500, 10],
          [10, 3500],
          [2200, 3500],
          [0, 1500],
          [1500, 1000],
        ]) {
          await server.client.del(`${name}wait`, `${name}paused`);
          if (first) await server.client.lpush(`${name}wait`, ...ids(0, first));
          await pause(server, { engine });
          const parked = moves ? `${name}paused` : `${name}wait`;
          assert.equal(await server.client.llen(parked), first);
          if (stray) await server.client.lpush(`${name}wait`, ...ids(first, first + stray));
          await pause(server, { engine });
          if (moves) assert.equal(await server.client.llen(`${name}wait`), 0);
          assert.deepEqual(await inTurn(server, parked), ids(0, first + stray));
          if (stray)
            await server.client.lpush(`${name}wait`, ...ids(0, stray).map((id) => `s${id}`));
          const { outcomes } = await resume(server, { engine });
          assert.equal(outcomes.resumed, 1);
          assert.deepEqual(await inTurn(server, `${name}wait`), [
            ...ids(0, first + stray),
            ...ids(0, stray).map((id) => `s${id}`),
          ]);
          assert.equal(await server.client.exists(`${name}paused`), 0);
        }
      });

      test('resume resumes what pause paused, and with all what others did', async (t) => {
        const server = await redisFor(t);
        const [ours, theirs, both] = ['ours', 'theirs', 'both'].map((name) =>
          queueOn(server, library, name),
        );
        for (const queue of [ours, theirs, both]) await queue.add('job', {});
        await theirs.pause();
        assert.deepEqual((await pause(server, { engine })).outcomes, { paused: 2 });
        await both.resume();
        assert.deepEqual((await resume(server, { engine })).outcomes, {
          resumed: 1,
          kept: 1,
          gone: 1,
        });
        assert.deepEqual(await Promise.all([ours, theirs, both].map((it) => it.isPaused())), [
          false,
          true,
          false,
        ]);
        await both.pause();
        assert.deepEqual((await resume(server, { engine })).outcomes, { kept: 2 });
        assert.deepEqual((await resume(server, { engine, all: true, queues: 'th*' })).outcomes, {
          resumed: 1,
        });
        for (const queue of [ours, theirs]) assert.equal(await queue.getWaitingCount(), 1);
      });

      test('prefixes and names of any kind; what is not meant is left alone', async (t) => {
        const server = await redisFor(t);
        const names = version === 'bullmq4' || version === 'bullmq3' ? ['a:b', 'wait'] : ['wait'];
        for (const prefix of ['{bull}', 'app:{x}', 'glob*[a]?', 'bull']) {
          for (const name of names) {
            const queue = queueOn(server, library, name, { prefix });
            await queue.add('job', {});
            const other = queueOn(server, library, `${name}2`, { prefix });
            await other.add('job', {});
            assert.deepEqual((await pause(server, { engine, prefix, queues: name })).outcomes, {
              paused: 1,
            });
            assert.equal(await queue.isPaused(), true);
            assert.equal(await other.isPaused(), false);
            assert.deepEqual((await resume(server, { engine, prefix })).outcomes, { resumed: 1 });
          }
        }
      });

      test('above maxmemory all of it happens inside Redis, else nothing', async (t) => {
        const server = await redisFor(t);
        const queue = queueOn(server, library, 'mail');
        const ids = await add(queue, 20);
        for (const [task, paused] of Object.entries({ pause: true, resume: false })) {
          await server.client.config('SET', 'maxmemory', 1);
          const was = await snapshot(server.client);
          const { code } = await moonshift(`bullmq/${task}`, server.url, { engine });
          assert.equal(code, engine === 'server' ? 0 : 1);
          if (engine === 'local') assert.deepEqual(differences(was, await snapshot(server.client)), []);
          await server.client.config('SET', 'maxmemory', 0);
          if (engine === 'local') await moonshiftDone(`bullmq/${task}`, server.url, { engine });
          assert.equal(await queue.isPaused(), paused);
          const list = paused && moves ? 'paused' : 'wait';
          assert.deepEqual(await inTurn(server, `bull:mail:${list}`), ids);
        }
      });

      test('an idle worker starts at once after a resume', async (t) => {
        const server = await redisFor(t);
        const queue = queueOn(server, library, 'mail');
        const worker = workerOn(server, library, 'mail');
        await worker.waitUntilReady();
        const ids = [...(await add(queue, 1)), ...(await add(queue, 1, { delay: 50 }))];
        await until(() => worker.ran.length === 2, 'it works');
        await pause(server, { engine });
        ids.push(
          ...(await add(queue, 2, { priority: 5 })),
          ...(await add(queue, 1, { delay: 50 })),
        );
        await resume(server, { engine });
        await until(() => worker.ran.length === ids.length, 'the rest has run');
        assert.deepEqual(worker.ran.toSorted(), ids.toSorted());
      });
    });
  }
}

for (const engine of engines) {
  test(`${engine}: a list of another type fails that queue alone`, async (t) => {
    const server = await redisFor(t);
    const [odd, fine] = ['odd', 'fine'].map((name) => queueOn(server, majors.bullmq5, name));
    for (const queue of [odd, fine]) await queue.waitUntilReady();
    await fine.add('job', {});
    await until(() => server.client.exists('bull:odd:meta'), 'the queue is known');
    await server.client.set('bull:odd:wait', 'text');
    const { code, report } = await moonshift('bullmq/pause', server.url, { engine });
    assert.notEqual(code, 0);
    assert.equal(report.failed, 1);
    assert.deepEqual(report.outcomes, { paused: 1 });
    assert.equal(await odd.isPaused(), false);
  });
}

for (const engine of engines) {
  test(`${engine}: a queue of Bull, or of a version that is not known, is left alone`, async (t) => {
    const server = await redisFor(t);
    const redis = { path: server.socket };
    const bull = server.host(new Bull('old', { redis }));
    await bull.add({});
    const newer = queueOn(server, majors.bullmq6, 'newer');
    await newer.add('job', {});
    await server.client.hset('bull:newer:meta', 'version', 'bullmq:9.0.0');
    const before = await snapshot(server.client);
    const reasons = { 'kept: written by bullmq:9.0.0, which is not known here': 1 };
    assert.deepEqual((await pause(server, { engine })).reasons, reasons);
    assert.deepEqual((await resume(server, { engine, all: true })).reasons, reasons);
    assert.deepEqual(differences(before, await snapshot(server.client)), []);
  });
}
