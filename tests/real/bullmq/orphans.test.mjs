// bullmq/orphans on queues that BullMQ filled and a crash has damaged: what is lost goes, nothing else.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Bull from 'bull';
import { differences, moonshiftDone, redisFor, RedisServer, snapshot, until } from '../support.mjs';
import { damage, fullQueue, idsOf } from './orphans_support.mjs';
import { majors, queueOn, workerOn } from './pause_support.mjs';

const base = 'bull:mail:';
const orphans = (server, options) =>
  moonshiftDone('bullmq/orphans', server.url, { engine: 'server', grace: '0s', ...options });

const count = (reasons) => Object.values(reasons).reduce((sum, n) => sum + n, 0);

for (const [version, library] of Object.entries(majors)) {
  describe(`${version}: bullmq/orphans`, () => {
    const healthy = {};
    const damaged = {};
    const servers = [];

    before(async () => {
      for (const state of [healthy, damaged]) {
        const server = await RedisServer.start();
        servers.push(server);
        await fullQueue(server, library);
        if (state === damaged) state.lost = await damage(server.client, base);
        state.rdb = await server.save();
      }
    });
    after(() => Promise.all(servers.map((server) => server.stop())));

    test('a healthy queue has none', async (t) => {
      const server = await redisFor(t, healthy);
      const report = await orphans(server, { repair: true });
      assert.equal(report.found, 0, JSON.stringify(report));
    });

    test('reports what is lost and changes nothing', async (t) => {
      const server = await redisFor(t, damaged);
      const { lost } = damaged;
      const loaded = await snapshot(server.client);
      const report = await orphans(server);
      const of = (state) => lost.entries.filter(([it]) => it === state).length;
      const expected = {
        'kept: a job in no index': lost.jobs.length,
        'kept: traces of a job that was not there': 1,
        'kept: a deduplication key that names a job that is not there': lost.dedups.length,
        'kept: the logs of a job that is not there': lost.subKeys.length - 4,
      };
      for (const it of ['dependencies', 'processed', 'failed', 'unsuccessful'])
        expected[`kept: the ${it} of a job that is not there`] = 1;
      for (const [state] of lost.entries)
        expected[`kept: an entry of ${state} without a job`] = of(state);
      for (const [name, n] of Object.entries(expected)) if (!n) delete expected[name];
      assert.deepEqual(report.reasons, expected);
      assert.deepEqual(report.outcomes, { kept: count(expected) });
      assert.deepEqual(differences(loaded, await snapshot(server.client)), []);
    });

    test('repairs exactly that, and a worker runs the rest once', async (t) => {
      const server = await redisFor(t, damaged);
      const { lost } = damaged;
      const loaded = await snapshot(server.client);
      await orphans(server, { repair: true });
      const repaired = await snapshot(server.client);

      const changed = new Set(
        [
          ...lost.jobs.flatMap((id) => [base + id, `${base}${id}:logs`]),
          ...lost.traces.map((id) => base + id),
          ...lost.subKeys,
          ...lost.dedups.flatMap((id) => [`${base}de:${id}`, `${base}dn:${id}`]),
        ].filter((key) => loaded.has(key)),
      );
      for (const key of changed) assert.ok(!repaired.has(key), `${key} is gone`);
      for (const [state] of lost.entries) changed.add(base + state);
      assert.deepEqual(differences(loaded, repaired), [...changed].sort());
      assert.equal((await orphans(server, { repair: true })).found, 0);

      const ids = await idsOf(server.client, base);
      const expected = new Set([...ids.wait, ...ids.prioritized]);
      for (const id of Object.values(ids).flat())
        assert.ok(await server.client.exists(base + id), `${id} is there`);
      for (const [, id] of lost.entries) assert.ok(!expected.has(id));
      const worker = workerOn(server, library, 'mail', { concurrency: 8 });
      await until(() => [...expected].every((id) => worker.ran.includes(id)), 'the rest has run');
      const queue = queueOn(server, library, 'mail');
      await until(async () => (await queue.getWaitingChildrenCount()) === 0, 'the flows end');
      await until(
        () => ['parent0', 'parent3'].every((id) => worker.ran.includes(id)),
        'parents run',
      );
      assert.equal(new Set(worker.ran).size, worker.ran.length, 'none ran twice');
      for (const id of lost.jobs) assert.ok(!worker.ran.includes(id));
    });

    test('leaves alone whatever only looks lost', async (t) => {
      const server = await redisFor(t, healthy);
      const { client } = server;
      const ids = await idsOf(client, base);
      const [scheduled] = [...ids.delayed, ...ids.wait].filter((id) => /^repeat:/.test(id));
      const fields = ['name', 'j', 'data', '{}', 'opts', '{}', 'timestamp', '1'];
      await client.zrem(`${base}delayed`, scheduled); // the scheduler goes by it still
      await client.lrem(`${base}wait`, 0, scheduled);
      await client.lrem(`${base}wait`, 0, 'w1');
      await client.set(`${base}w1:lock`, 'token', 'PX', 600_000);
      await client.zrem(`${base}waiting-children`, 'parent1');
      await client.lrem(`${base}wait`, 0, 'child2-0');
      await client.hset(`${base}grouped`, ...fields, 'gid', '7');
      await client.hset(`${base}settings`, 'colour', 'blue', 'ats', '1');
      await client.hset(`${base}limits`, 'priority', '3', 'delay', '5');
      await client.hset(`${base}stats:processed`, '2026-11-01', '5');
      await client.hset(`${base}stats:failed`, '2026-11-01', '5');
      await client.sadd(`${base}package:dependencies`, 'lodash');
      await client.hset(`${base}metrics:failed`, 'count', '1', 'prevTS', '1', 'prevCount', '0');
      await client.set(`${base}gone:lock`, 'token', 'PX', 600_000);
      await client.rpush(`${base}gone:logs`, 'its worker still runs');
      await client.set(`${base}de:later`, 'nobody', 'PX', 600_000);
      await client.hset(`${base}dn:behind`, ...fields.slice(0, 6));
      await client.hset(`${base}dn:x:failed`, ...fields.slice(0, 6));
      // A queue of Bull whose keys look like those of jobs `sub:1`, and a BullMQ relay.
      const bull = server.host(
        new Bull('mail:sub', {
          createClient: (type) =>
            Object.assign(server.connect(), {
              options: { ...client.options, enableReadyCheck: false, maxRetriesPerRequest: null },
            }),
        }),
      );
      for (let n = 0; n < 5; n++) await bull.add({ n });
      await bull.add({}, { delay: 1e6 });
      await client.hset('bull::relay:{x}', ...fields);
      await client.hset('other:mail:1', ...fields);

      const loaded = await snapshot(client);
      const { outcomes, reasons } = await orphans(server, { repair: true });
      assert.deepEqual(differences(loaded, await snapshot(client)), []);
      assert.deepEqual(Object.keys(outcomes), ['kept']);
      assert.deepEqual(reasons, {
        'kept: a job in no index, but a scheduler names it as its next': 1,
        'kept: a job in no index, but a worker has locked it': 1,
        'kept: a job in no index, but it is a parent with open children': 1,
        'kept: a job in no index, but its parent waits for it': 1,
        'kept: a job in no index, but it is of a group': 1,
        'kept: a hash that is no job': 2,
        "kept: a hash that is not BullMQ's": 2,
        "kept: a set that is not BullMQ's": 1,
        'kept: the logs of a job that is not there, but a worker has locked it': 1,
        'kept: a next job kept back whose deduplication key is gone': 2,
      });
    });

    test('a queue with keys or of a version that is not known is only reported', async (t) => {
      const { lost, rdb } = damaged;
      const strange = await redisFor(t, { rdb });
      await strange.client.zadd(`${base}groups`, 1, 'g');
      const { reasons } = await orphans(strange, { repair: true });
      const reason = 'kept: a job in no index, but its queue has keys that are not known here';
      assert.equal(reasons[reason], lost.jobs.length + lost.traces.length);
      assert.equal(reasons["kept: a zset that is not BullMQ's"], 1);
      for (const id of lost.jobs) assert.ok(await strange.client.exists(base + id));

      for (const written of ['bullmq-pro:7.1.0', 'bullmq:9.0.0']) {
        const server = await redisFor(t, { rdb });
        await server.client.hset(`${base}meta`, 'version', written);
        const loaded = await snapshot(server.client);
        const report = await orphans(server, { repair: true });
        assert.deepEqual(Object.keys(report.reasons), [
          `kept: written by ${written}, which is not known here`,
        ]);
        assert.deepEqual(differences(loaded, await snapshot(server.client)), []);
      }
    });

    test('lists that are too long to search are told', async (t) => {
      const server = await redisFor(t, damaged);
      const loaded = await snapshot(server.client);
      const { reasons } = await orphans(server, { repair: true, longest: 10 });
      const left = await snapshot(server.client);
      for (const id of damaged.lost.jobs) assert.ok(left.has(base + id));
      assert.ok(reasons['kept: perhaps a job in no index; the lists are too long to search'] > 0);
      assert.deepEqual(
        differences(loaded, left).filter((key) => key === `${base}wait`),
        [],
      );
    });

    test('prefixes and names of any kind; queues within queues', async (t) => {
      const server = await redisFor(t);
      const names = version === 'bullmq4' || version === 'bullmq3' ? ['a', 'a:b'] : ['a'];
      const prefixes = ['{bull}', 'app:{x}', 'glob*[a]?', 'app:{x}:a'];
      const all = prefixes.flatMap((prefix) => names.map((name) => ({ prefix, name })));
      for (const { prefix, name } of all) {
        const queue = queueOn(server, library, name, { prefix });
        await queue.add('job', {}, { jobId: 'b:17:x' });
        await queue.add('job', {});
        await queue.add('job', {}, { jobId: 'c:17:x' });
        await queue.add('job', {}, { jobId: 'bin\u0000\u00ff', delay: 1e6 });
      }
      // A job `b:17:x` of a queue `a` has the key of a job `17:x` of a queue `a:b`.
      for (const { prefix } of all) {
        const { outcomes, reasons } = await orphans(server, { prefix, repair: true });
        assert.deepEqual(
          Object.keys(outcomes).filter((it) => it !== 'kept'),
          [],
          prefix,
        );
        assert.deepEqual(
          Object.keys(reasons).filter((it) => !/another queue/.test(it)),
          [],
        );
      }
      for (const { prefix, name } of all) {
        await server.client.lrem(`${prefix}:${name}:wait`, 0, 'c:17:x');
        await server.client.zrem(`${prefix}:${name}:delayed`, 'bin\u0000\u00ff');
        const { outcomes } = await orphans(server, { prefix, queues: name, repair: true });
        assert.equal(outcomes.removed, 2, `${prefix}:${name}`);
        assert.equal(await server.client.exists(`${prefix}:${name}:2`), 1);
      }
    });

    if (library.Queue.prototype.removeOrphanedJobs) {
      test('side by side with removeOrphanedJobs', async (t) => {
        const [ours, theirs] = [await redisFor(t, damaged), await redisFor(t, damaged)];
        for (const it of [ours, theirs])
          await it.client.hset(
            `${base}metrics:failed`,
            'count',
            '1',
            'prevTS',
            '1',
            'prevCount',
            '0',
          );
        await orphans(ours, { repair: true });
        await queueOn(theirs, library, 'mail', { skipMetasUpdate: true }).removeOrphanedJobs();
        const { lost } = damaged;
        const theyLeave = [
          // The marker's member `1` is no job, but they take it for one.
          ...['1', '1:logs'].filter(() => lost.jobs.includes('1')).map((it) => base + it),
          ...lost.jobs.filter((id) => id.includes(':')).map((id) => base + id),
          ...lost.subKeys.filter((key) => /long:gone/.test(key)),
          ...lost.subKeys.filter((key) =>
            lost.entries.some(([, id]) => key === `${base}${id}:logs`),
          ),
          ...new Set(lost.entries.map(([state]) => base + state)),
          `${base}de:once`,
          `${base}dn:once`,
        ];
        const theyRemove = [`${base}metrics:failed`];
        assert.deepEqual(
          differences(await snapshot(ours.client), await snapshot(theirs.client)),
          [...theyLeave, ...theyRemove].sort(),
        );
      });
    }
  });
}
