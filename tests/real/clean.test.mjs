// bullmq/clean on queues that BullMQ itself filled: exactly the eligible jobs go, and all of each.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { allLibraries, clock } from './history.mjs';
import {
  byteForByte,
  differences,
  moonshiftDone,
  redisFor,
  RedisServer,
  snapshot,
  until,
} from './support.mjs';
import { keysOf, now, olderThan, withoutJobs, World } from './world.mjs';

/** Indexes lose members; everything else has to be byte for byte the same. */
const withoutIndexes = (all) =>
  new Map([...all].filter(([name]) => !/:(completed|failed)$/.test(name)));

for (const [version, library] of Object.entries(allLibraries)) {
  describe(`${version}: bullmq/clean`, () => {
    let origin, world, rdb, full;

    before(async () => {
      origin = await RedisServer.start();
      world = origin.host(new World(library, origin.client));
      await world.fill();
      full = await snapshot(origin.client);
      rdb = await origin.save();
    });
    after(async () => {
      clock.release();
      await origin.stop();
    });

    const clean = (server, state, options) =>
      moonshiftDone('bullmq/clean', server.url, { state, older_than: '7d', now, ...options });
    const goes = () => [...world.chosen('completed', 'goes'), ...world.chosen('failed', 'goes')];
    const cleanBoth = async (server, engine) => {
      await clean(server, 'completed', { engine });
      await clean(server, 'failed', { engine });
      return snapshot(server.client);
    };

    for (const engine of ['local', 'server']) {
      test(`${engine}: exactly the jobs beyond the limit go`, async (t) => {
        const server = await redisFor(t, { rdb });
        const completed = await clean(server, 'completed', { engine });
        assert.deepEqual(completed.outcomes, { removed: world.chosen('completed', 'goes').length });
        const between = await snapshot(server.client);
        assert.deepEqual(
          differences(withoutJobs(full, world.chosen('completed', 'goes')), between),
          [],
        );

        const failed = await clean(server, 'failed', { engine });
        assert.deepEqual(failed.outcomes, {
          removed: world.chosen('failed', 'goes').length,
          kept: world.chosen('failed', 'kept').length,
        });
        const end = await snapshot(server.client);
        assert.deepEqual(differences(withoutJobs(full, goes()), end), []);
      });

      test(`${engine}: no key of theirs is left, others are byte for byte the same`, async (t) => {
        const server = await redisFor(t, { rdb });
        const loaded = await snapshot(server.client);
        const end = await cleanBoth(server, engine);
        for (const { key } of goes()) {
          const left = [...end.keys()].filter((name) => name === key || name.startsWith(`${key}:`));
          assert.deepEqual(left, []);
        }
        const expected = withoutIndexes(withoutJobs(loaded, goes()));
        assert.deepEqual(differences(expected, withoutIndexes(end), byteForByte), []);
      });

      test(`${engine}: a second run changes nothing`, async (t) => {
        const server = await redisFor(t, { rdb });
        const once = await cleanBoth(server, engine);
        const again = await clean(server, 'failed', { engine });
        assert.deepEqual(again.outcomes, { kept: world.chosen('failed', 'kept').length });
        assert.deepEqual(differences(once, await cleanBoth(server, engine), byteForByte), []);
      });

      test(`${engine}: BullMQ agrees on what is left`, async (t) => {
        const server = await redisFor(t, { rdb });
        await cleanBoth(server, engine);
        const copy = server.host(new World(library, server.client));
        for (const [now, then] of [
          [copy.publishing, world.publishing],
          [copy.indexing, world.indexing],
        ]) {
          const expected = await then.queue.getJobCounts();
          for (const { base, state } of goes()) if (base === now.base) expected[state]--;
          assert.deepEqual(await now.queue.getJobCounts(), expected);
          for (const { base, id, fate } of world.fates) {
            if (base !== now.base) continue;
            const job = await now.queue.getJob(id);
            assert.equal(job === undefined, fate === 'goes', `${base}${id} ${fate}`);
          }
        }
      });

      test(`${engine}: the queue still processes what waits and what comes`, async (t) => {
        const server = await redisFor(t, { rdb });
        await cleanBoth(server, engine);
        const connection = server.connect();
        const queue = server.host(new library.Queue('publishing', { connection }));
        const seen = [];
        server.host(
          new library.Worker('publishing', async (job) => seen.push(job.id), {
            connection,
            runRetryDelay: 10, // after it was closed, too
          }),
        );
        const waiting = [
          ...(await queue.getWaiting()),
          ...((await queue.getPrioritized?.()) ?? []), // BullMQ 3 has them in `wait`
        ];
        assert.ok(waiting.length >= 2);
        const added = await queue.add('new', {});
        for (const { id } of [...waiting, added]) {
          await until(
            async () => (await queue.getJobState(id)) === 'completed',
            `${id} is completed`,
          );
          assert.equal(seen.filter((it) => it === id).length, 1);
        }
      });

      test(`${engine}: keep spares the newest, however old they are`, async (t) => {
        for (const [keep, older_than] of [
          [3, '0s'],
          [9, '7d'],
        ]) {
          const server = await redisFor(t, { rdb });
          const newest = {};
          for (const { base } of [world.publishing, world.indexing]) {
            newest[base] = await server.client.zrevrange(`${base}completed`, 0, keep - 1);
          }
          const spared = ({ base, id }) => newest[base].includes(id);
          const old = older_than === '0s' ? ['goes', 'stays', 'at the limit'] : ['goes'];
          const expected = world.chosen('completed', ...old).filter((job) => !spared(job));
          await clean(server, 'completed', { engine, keep, older_than });
          assert.deepEqual(
            differences(withoutJobs(full, expected), await snapshot(server.client)),
            [],
            `keep=${keep}`,
          );
        }
      });

      test(`${engine}: other queues and other prefixes are left alone`, async (t) => {
        const server = await redisFor(t, { rdb });
        for (const foreign of [
          { queues: 'publish' },
          { queues: '?ublishing*x' },
          { prefix: 'bul' },
        ]) {
          assert.equal((await clean(server, 'completed', { engine, ...foreign })).found, 0);
        }
        await clean(server, 'completed', { engine, queues: 'search-*' });
        const expected = world
          .chosen('completed', 'goes')
          .filter(({ base }) => base === world.indexing.base);
        assert.deepEqual(
          differences(withoutJobs(full, expected), await snapshot(server.client)),
          [],
        );
      });
    }

    test('both engines leave the same dataset', async (t) => {
      const [one, other] = [await redisFor(t, { rdb }), await redisFor(t, { rdb })];
      const left = [await cleanBoth(one, 'local'), await cleanBoth(other, 'server')];
      assert.deepEqual(differences(...left), []);
    });

    // The library's own clean() differs in three ways, and in no other:
    //   1. a job at the limit, which it removes (BullMQ 3 does not);
    //   2. the failed child of a waiting parent, which it removes: with the parent, if that is in
    //      the same queue, or else the parent is set to run without the child;
    //   3. a `cleaned` entry in the event stream.
    test("the library's own clean leaves the same, apart from the named differences", async (t) => {
      const server = await redisFor(t, { rdb });
      const copy = server.host(new World(library, server.client));
      const removed = [];
      clock.set(now);
      for (const state of ['completed', 'failed']) {
        for (const { queue, base } of [copy.publishing, copy.indexing]) {
          const ids = await queue.clean(olderThan, 0, state);
          removed.push(...ids.map((id) => base + id));
        }
      }
      clock.release();
      const fates = ['goes', 'kept', ...(world.major > 3 ? ['at the limit'] : [])];
      const chosen = ['completed', 'failed'].flatMap((state) => world.chosen(state, ...fates));
      assert.deepEqual(removed.sort(), chosen.map(({ key }) => key).sort());

      const parents = world.chosen('failed', 'kept').map(
        ({ key }) =>
          full
            .get(key)
            .contents.find((field) => field.startsWith('parentKey\0'))
            .split('\0')[1],
      );
      const ofParents = parents.flatMap((key) => keysOf({ key }));
      const moved = ['wait', 'marker', 'waiting-children'].map((it) => world.publishing.base + it);
      const events = [world.publishing, world.indexing].map(({ base }) => `${base}events`);
      const named = [...ofParents, ...moved, ...events];
      const unnamed = differences(withoutJobs(full, chosen), await snapshot(server.client)).filter(
        (name) => !named.includes(name),
      );
      assert.deepEqual(unnamed, []);
    });
  });
}
