// bullmq/clean on queues that BullMQ itself filled: exactly the eligible jobs go, and all of each.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clock, day, failure, hour, libraries, minute, QueueHistory, second } from './history.mjs';
import {
  byteForByte, differences, moonshiftDone, redisFor, RedisServer, snapshot, until,
} from './support.mjs';

const now = Date.parse('2026-11-01T02:30:00Z');
const olderThan = 7 * day;
const limit = now - olderThan;
const subkeys = [':logs', ':dependencies', ':processed', ':failed', ':unsuccessful'];

/** Queues with jobs in every state, and a list of what shall become of the finished ones. */
class World {
  constructor(library, connection) {
    const open = (name) => new QueueHistory(library, connection, name, {
      worker: { metrics: { maxDataPoints: 20 } },
    });
    this.publishing = open('publishing');
    this.indexing = open('search-indexing');
    this.fates = [];
  }

  /** `fate` is `goes`, `stays`, `at the limit`, or `kept` for a parent's sake. */
  expect(fate, state, { base }, { id }) {
    this.fates.push({ fate, state, base, id, key: base + id });
  }

  ids(state, ...fates) {
    return this.chosen(state, ...fates).map(({ key }) => key).sort();
  }

  chosen(state, ...fates) {
    return this.fates.filter((job) => job.state === state && fates.includes(job.fate));
  }

  async fill() {
    for (const queue of [this.publishing, this.indexing]) {
      await this.addEnded(queue);
      await this.addUnderWay(queue);
    }
    await this.addDeduplicated();
    await this.addFinishedFlows();
    await this.addStuckFlows();
    await this.addForgivingFlows();
    await this.addAbandoningFlows();
    for (const queue of [this.publishing, this.indexing]) await this.addDelayed(queue);
    clock.release();
  }

  async addEnded(queue) {
    const ages = [
      ['goes', 60 * day], ['goes', 8 * day], ['goes', olderThan + 1],
      ['at the limit', olderThan],
      ['stays', olderThan - 1], ['stays', 3 * day], ['stays', minute],
    ];
    const during = async (job) => {
      await job.log('first line');
      await job.log('second line');
      await job.updateProgress({ percent: 40 });
    };
    for (const [i, [fate, age]] of ages.entries()) {
      for (const [verb, state] of [['complete', 'completed'], ['fail', 'failed']]) {
        // Taken before the limit in any case: the end counts, not the start.
        await queue.add(now - age - hour, { i }, { attempts: 2 });
        const job = await queue[verb](now - age, { took: 5 * second, during, value: 'x'.repeat(70) });
        this.expect(fate, state, queue, job);
      }
    }
  }

  async addUnderWay(queue) {
    const long = 90 * day;
    await queue.add(now - long, { will: 'be active' });
    await queue.take(now - long + minute);
    await queue.add(now - long, { will: 'wait' });
    await queue.add(now - long, { will: 'wait first' }, { priority: 3 });
  }

  async addDelayed(queue) {
    await queue.add(now - 90 * day, { will: 'be late' }, { delay: 10 * day });
    await queue.add(now, { will: 'be on time' }, { delay: 10 * day });
    clock.set(now - day);
    await queue.queue.upsertJobScheduler('nightly', { pattern: '0 2 * * *', tz: 'UTC' });
  }

  async addDeduplicated() {
    const queue = this.publishing;
    const add = (at, id, options) => queue.add(at, {}, { deduplication: { id, ...options }, lifo: true });
    const run = async (fate, at) => this.expect(fate, 'completed', queue, await queue.complete(at));
    // de: outlives its job by a ttl and still names it.
    await add(now - 9 * day, 'own', { ttl: 1000 * day });
    await run('goes', now - 9 * day);
    await add(now - 2 * day, 'recent', { ttl: 1000 * day });
    await run('stays', now - 2 * day);
    // de: names a newer job that is still waiting.
    await add(now - 8 * day, 'taken over');
    await run('goes', now - 8 * day);
    await add(now - 7 * day, 'taken over');
    // A job kept back behind the active one: dn:.
    await add(now - 6 * day, 'queued', { keepLastIfActive: true });
    await queue.take(now - 6 * day);
    await add(now - 6 * day, 'queued', { keepLastIfActive: true });
  }

  /** A parent here and a child in each queue; `lifo` lets them run before the waiting jobs. */
  addFlow(at, ...children) {
    const opts = { lifo: true };
    return this.publishing.addFlow(at, {
      name: 'parent', opts,
      children: children.map(([queue, options]) => ({
        name: 'child', queueName: queue.name, opts: { ...opts, ...options },
      })),
    });
  }

  async addFinishedFlows() {
    const { publishing, indexing } = this;
    for (const [fate, age] of [['goes', 20 * day], ['stays', 2 * day]]) {
      await this.addFlow(now - age, [publishing], [indexing]);
      for (const queue of [publishing, indexing, publishing]) {
        const job = await queue.complete(now - age, { during: (it) => it.log('part of a flow') });
        this.expect(fate, 'completed', queue, job);
      }
    }
    // An old child whose parent still waits for another one.
    await this.addFlow(now - 20 * day, [indexing, { delay: 100 * day }], [publishing]);
    this.expect('goes', 'completed', publishing, await publishing.complete(now - 20 * day));
  }

  /** Failed children that their waiting parents still count on: in the same queue and across. */
  async addStuckFlows() {
    for (const queue of [this.publishing, this.indexing]) {
      await this.addFlow(now - 20 * day, [queue]);
      this.expect('kept', 'failed', queue, await queue.fail(now - 20 * day));
    }
  }

  async addForgivingFlows() {
    const { publishing, indexing } = this;
    for (const option of ['ignoreDependencyOnFailure', 'removeDependencyOnFailure']) {
      await this.addFlow(now - 15 * day, [indexing, { [option]: true }]);
      this.expect('goes', 'failed', indexing, await indexing.fail(now - 15 * day));
      this.expect('goes', 'completed', publishing, await publishing.complete(now - 15 * day));
    }
    // The parent has not run yet; its own keys still tell of the child.
    await this.addFlow(
      now - 15 * day, [indexing, { ignoreDependencyOnFailure: true }], [publishing, { delay: 100 * day }]);
    this.expect('goes', 'failed', indexing, await indexing.fail(now - 15 * day));
  }

  async addAbandoningFlows() {
    const { publishing, indexing } = this;
    for (const [fate, age] of [['goes', 15 * day], ['stays', day]]) {
      const { job } = await this.addFlow(now - age, [indexing, { failParentOnFailure: true }]);
      this.expect(fate, 'failed', indexing, await indexing.fail(now - age));
      await publishing.failDeferred(now - age);
      this.expect(fate, 'failed', publishing, job);
    }
  }

  async close() {
    await this.publishing.close();
    await this.indexing.close();
  }
}

const isIndex = (name) => /:(completed|failed)$/.test(name);
const keysOf = ({ key }) => [key, ...subkeys.map((suffix) => key + suffix)];

/** What is left of a snapshot when nothing but these jobs goes. */
function withoutJobs(before, jobs) {
  const left = new Map(before);
  const gone = new Map();
  for (const job of jobs) {
    keysOf(job).forEach((key) => left.delete(key));
    const index = job.base + job.state;
    gone.set(index, [...(gone.get(index) ?? []), job.id]);
  }
  for (const [name, { contents }] of before) {
    const owner = name.match(/^(.*:)de:/)?.[1];
    if (owner && jobs.some(({ base, id }) => base === owner && contents === id)) left.delete(name);
  }
  for (const [index, ids] of gone) {
    const was = before.get(index);
    const contents = was.contents.filter((pair) => !ids.includes(pair.split('\0')[0]));
    assert.equal(contents.length, was.contents.length - ids.length, `${index} held all of them`);
    left.set(index, { ...was, contents });
    if (contents.length === 0) left.delete(index);
  }
  return left;
}

const withoutIndexes = (snapshot) => new Map([...snapshot].filter(([name]) => !isIndex(name)));

for (const [version, library] of Object.entries(libraries)) {
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
      test(`${engine}: exactly the jobs beyond the limit go, first completed, then failed`, async (t) => {
        const server = await redisFor(t, { rdb });
        const completed = await clean(server, 'completed', { engine });
        assert.deepEqual(completed.outcomes, { removed: world.ids('completed', 'goes').length });
        const between = await snapshot(server.client);
        assert.deepEqual(differences(withoutJobs(full, world.chosen('completed', 'goes')), between), []);

        const failed = await clean(server, 'failed', { engine });
        assert.deepEqual(failed.outcomes, {
          removed: world.ids('failed', 'goes').length,
          kept: world.ids('failed', 'kept').length,
        });
        const end = await snapshot(server.client);
        assert.deepEqual(differences(withoutJobs(full, goes()), end), []);
      });

      test(`${engine}: no key of a removed job is left, every other key is byte for byte the same`, async (t) => {
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

      test(`${engine}: a second run finds nothing but what is kept, and changes nothing`, async (t) => {
        const server = await redisFor(t, { rdb });
        const once = await cleanBoth(server, engine);
        const again = await clean(server, 'failed', { engine });
        assert.deepEqual(again.outcomes, { kept: world.ids('failed', 'kept').length });
        assert.deepEqual(differences(once, await cleanBoth(server, engine), byteForByte), []);
      });

      test(`${engine}: BullMQ agrees on what is left`, async (t) => {
        const server = await redisFor(t, { rdb });
        await cleanBoth(server, engine);
        const copy = server.host(new World(library, server.client));
        for (const [now, then] of [[copy.publishing, world.publishing], [copy.indexing, world.indexing]]) {
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
        server.host(new library.Worker('publishing', async (job) => seen.push(job.id), { connection }));
        const waiting = [...(await queue.getWaiting()), ...(await queue.getPrioritized())];
        assert.ok(waiting.length > 2);
        const added = await queue.add('new', {});
        for (const { id } of [...waiting, added]) {
          await until(async () => (await queue.getJobState(id)) === 'completed', `${id} is completed`);
          assert.equal(seen.filter((it) => it === id).length, 1);
        }
      });

      test(`${engine}: keep spares the newest, however old they are`, async (t) => {
        for (const [keep, older_than] of [[3, '0s'], [9, '7d']]) {
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
            differences(withoutJobs(full, expected), await snapshot(server.client)), [], `keep=${keep}`);
        }
      });

      test(`${engine}: other queues and other prefixes are left alone`, async (t) => {
        const server = await redisFor(t, { rdb });
        for (const foreign of [{ queues: 'publish' }, { queues: '?ublishing*x' }, { prefix: 'bul' }]) {
          assert.equal((await clean(server, 'completed', { engine, ...foreign })).found, 0);
        }
        await clean(server, 'completed', { engine, queues: 'search-*' });
        const expected = world.chosen('completed', 'goes').filter(({ base }) => base === world.indexing.base);
        assert.deepEqual(differences(withoutJobs(full, expected), await snapshot(server.client)), []);
      });
    }

    test('both engines leave the same dataset', async (t) => {
      const [one, other] = [await redisFor(t, { rdb }), await redisFor(t, { rdb })];
      const left = [await cleanBoth(one, 'local'), await cleanBoth(other, 'server')];
      assert.deepEqual(differences(...left), []);
    });

    // The library's own clean() differs in three ways, and in no other:
    //   1. a job at the limit, which it removes;
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
      const chosen = ['completed', 'failed'].flatMap((state) => world.chosen(state, 'goes', 'at the limit', 'kept'));
      assert.deepEqual(removed.sort(), chosen.map(({ key }) => key).sort());

      const parents = world.chosen('failed', 'kept').map(({ key }) =>
        full.get(key).contents.find((field) => field.startsWith('parentKey\0')).split('\0')[1]);
      const ofParents = parents.flatMap((key) => keysOf({ key }));
      const moved = ['wait', 'marker', 'waiting-children'].map((it) => world.publishing.base + it);
      const events = [world.publishing, world.indexing].map(({ base }) => `${base}events`);
      const named = [...ofParents, ...moved, ...events];
      const unnamed = differences(withoutJobs(full, chosen), await snapshot(server.client))
        .filter((name) => !named.includes(name));
      assert.deepEqual(unnamed, []);
    });
  });
}
