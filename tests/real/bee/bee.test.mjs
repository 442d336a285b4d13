// The tasks of bee/ on queues that Bee-Queue itself filled, beside its own operations, and with a real
// worker afterwards.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { day, hour, minute } from '../history.mjs';
import { differences, moonshift, moonshiftDone, snapshot } from '../support.mjs';
import { add, now, openBee, Origin, runAll, startWorker, withClock } from './world.mjs';

const names = ['mail', 'mail:urgent', 'mail*'];
const odd = ['a:b', 'jobs', 'waiting', 'ключ', 'nul\0', ' ', '*', '\r\n', '1e3', '__proto__x'];
const ages = [60 * day, 8 * day, 7 * day + 1, 7 * day, 7 * day - 1, 3 * day, hour];
const sorted = (list) => [...list].sort();

/** Jobs of every kind; the ids of what has ended tell how old they are. */
async function fill(server) {
  for (const name of names) {
    const queue = openBee(server, name);
    const ended = [];
    for (const [i, age] of ages.entries()) {
      ended.push({ at: now - age, id: `ok ${i}` }, { at: now - age, id: `bad ${i}`, data: { fail: `timeout ${i}` } });
      ended.push({ at: now - age, data: { fail: 'boom' }, retries: 1 }, { at: now - age });
    }
    for (const id of odd) ended.push({ at: now - 9 * day, id }, { at: now - 9 * day, id: `${id}!`, data: { fail: 'odd' } });
    await add(queue, ended);
    await runAll(server, name);
    // Due later than created: it cannot have ended before.
    await add(queue, [{ at: now - 20 * day, id: 'late', delayUntil: now - day }]);
    const { client } = server;
    await client.multi().zrem(`bq:${name}:delayed`, 'late').sadd(`bq:${name}:succeeded`, 'late').exec();
    await add(queue, [
      { at: now - 9 * day, id: 'due', delayUntil: now - hour },
      { at: now - 9 * day, id: 'just due', delayUntil: now },
      { at: now - 9 * day, id: 'not due', delayUntil: now + hour },
    ]);
    await add(queue, ['dead 1', 'dead 2', 'dead 3'].map((id) => ({ at: now - hour, id })));
    for (let i = 0; i < 3; i++) await client.rpoplpush(`bq:${name}:waiting`, `bq:${name}:active`);
    await add(queue, Array.from({ length: 40 }, (_, i) => ({ at: now - 30 * day, id: `waits ${i}` })));
  }
}

describe('bee', () => {
  let origin;
  before(async () => {
    origin = await Origin.make(fill);
  });
  after(() => origin.stop());

  const run = async (server, task, options) =>
    (await moonshiftDone(`bee/${task}`, server.url, { now, engine: 'auto', ...options })).outcomes;

  /** A queue of a snapshot as plain data. */
  const set = (all, name, key) => (all.get(Buffer.from(`bq:${name}:${key}`).toString('latin1'))?.contents ?? []);
  const jobsOf = (all, name) => set(all, name, 'jobs').map((pair) => pair.split('\0'));

  test('clean: exactly the jobs beyond the limit go, from both places', async (t) => {
    const server = await origin.copy(t);
    for (const [state, prefix] of [['succeeded', 'ok'], ['failed', 'bad']]) {
      const outcomes = await run(server, 'clean', { state });
      assert.deepEqual(outcomes, { removed: names.length * (3 + 3 + odd.length) }, prefix);
    }
    for (const name of names) {
      const queue = openBee(server, name);
      const health = await queue.checkHealth();
      assert.deepEqual([health.succeeded, health.failed], [2 * 4 + 1, 2 * 4]);
      assert.equal(await server.client.hlen(`bq:${name}:jobs`), 9 + 8 + 3 + 3 + 40);
      for (let i = 0; i < ages.length; i++) {
        assert.equal((await queue.getJob(`ok ${i}`)) !== null, i >= 3, `ok ${i}`);
        assert.equal((await queue.getJob(`bad ${i}`)) !== null, i >= 3, `bad ${i}`);
      }
      assert.ok(await queue.getJob('late'), 'due a day ago');
    }
    assert.deepEqual(await run(server, 'clean', {}), {});
  });

  test("clean leaves what removeJob() leaves for the same jobs", async (t) => {
    const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
    await run(ours, 'clean', { queues: 'mail' });
    const queue = openBee(theirs, 'mail');
    const left = new Set(await ours.client.smembers('bq:mail:succeeded'));
    for (const id of await theirs.client.smembers('bq:mail:succeeded')) if (!left.has(id)) await queue.removeJob(id);
    assert.deepEqual(differences(await snapshot(theirs.client), await snapshot(ours.client)), []);
    const foreign = differences(origin.full, await snapshot(ours.client));
    assert.deepEqual(foreign, ['bq:mail:jobs', 'bq:mail:succeeded']);
  });

  test('clean: a succeeded job that was retried stays while it waits', async (t) => {
    const server = await origin.copy(t);
    const queue = openBee(server, 'mail');
    await (await queue.getJob('ok 0')).retry();
    const outcomes = await run(server, 'clean', { queues: 'mail' });
    assert.equal(outcomes.kept, 1);
    const ran = await runAll(server, 'mail');
    assert.ok(ran.includes('ok 0'));
  });

  test('retry-failed: as Job.retry(), chosen by time and error, and each runs once', async (t) => {
    const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
    const queue = openBee(theirs, 'mail');
    for (const id of await theirs.client.smembers('bq:mail:failed')) await (await queue.getJob(id)).retry();
    const count = await ours.client.scard('bq:mail:failed');
    assert.deepEqual(await run(ours, 'retry-failed', { queues: 'mail' }), { retried: count });
    const [one, other] = [await snapshot(theirs.client), await snapshot(ours.client)];
    assert.deepEqual(differences(one, other).filter((key) => key !== 'bq:mail:waiting'), []);
    assert.deepEqual(sorted(set(one, 'mail', 'waiting')), sorted(set(other, 'mail', 'waiting')));

    const server = await origin.copy(t);
    const options = { queues: 'mail', since: new Date(now - 4 * day).toISOString(), error: '*timeout*' };
    assert.deepEqual(await run(server, 'retry-failed', options), { retried: 2 });
    const ran = await runAll(server, 'mail');
    for (const id of ['bad 5', 'bad 6']) assert.equal(ran.filter((it) => it === id).length, 1);
    assert.equal(ran.length, new Set(ran).size);
    assert.ok(!ran.includes('bad 4'));
  });

  test('promote-overdue: as the library raises them', async (t) => {
    const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
    await withClock(now, async () => {
      for (const name of names) {
        const queue = openBee(theirs, name, { activateDelayedJobs: true });
        await queue.ready();
        const raised = new Promise((resolve) => queue.once('raised jobs', resolve));
        queue._activateDelayed();
        assert.equal(await raised, 2);
      }
    });
    assert.deepEqual(await run(ours, 'promote-overdue', { overdue_by: '0s' }), { promoted: 2 * names.length });
    assert.deepEqual(differences(await snapshot(theirs.client), await snapshot(ours.client)), []);
    const server = await origin.copy(t);
    assert.deepEqual(await run(server, 'promote-overdue', {}), { promoted: names.length });
    assert.ok((await runAll(server, 'mail')).includes('due'));
  });

  test("requeue-stalled: as the library's own checks, though none has been made", async (t) => {
    const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
    for (const name of names) {
      const queue = openBee(theirs, name, { stallInterval: 1 });
      await queue.checkStalledJobs();
      await theirs.client.del(`bq:${name}:stallBlock`);
      assert.equal(await queue.checkStalledJobs(), 3);
      await theirs.client.del(`bq:${name}:stallBlock`);
    }
    const outcomes = await run(ours, 'requeue-stalled', { grace: '60ms' });
    assert.deepEqual(outcomes, { kept: 9, requeued: 9 }, 'marked first');
    for (const name of names) await ours.client.del(`bq:${name}:stallBlock`);
    const [one, other] = [await snapshot(theirs.client), await snapshot(ours.client)];
    assert.deepEqual(differences(one, other).filter((key) => !key.endsWith(':waiting')), []);
    for (const name of names) {
      const list = (all) => set(all, Buffer.from(name).toString(), 'waiting');
      assert.deepEqual(sorted(list(one).slice(0, 3)), sorted(list(other).slice(0, 3)));
      assert.deepEqual(list(one).slice(3), list(other).slice(3));
    }
    const ran = await runAll(ours, 'mail');
    for (const id of ['dead 1', 'dead 2', 'dead 3']) assert.equal(ran.filter((it) => it === id).length, 1);
  });

  test('requeue-stalled: a living worker keeps its jobs', async (t) => {
    const server = await origin.copy(t);
    await server.client.del('bq:mail:active', 'bq:mail:waiting');
    const queue = openBee(server, 'mail', { isWorker: true, stallInterval: 100 });
    let end, runs = 0;
    const ended = new Promise((resolve) => (end = resolve));
    const started = new Promise((resolve) =>
      queue.process(async () => {
        runs++;
        resolve();
        await ended;
      }),
    );
    await add(openBee(server, 'mail'), [{ at: now, id: 'long' }]);
    await started;
    const outcomes = await run(server, 'requeue-stalled', { queues: 'mail', grace: '300ms' });
    assert.equal(outcomes.requeued, undefined);
    end();
    assert.equal(runs, 1);
  });

  test('orphans: each leftover is told and repaired; a healthy world has none', async (t) => {
    const server = await origin.copy(t);
    assert.deepEqual(await run(server, 'orphans', { grace: '0s', repair: true }), {});
    const { client } = server;
    await client.hdel('bq:mail:jobs', 'waits 1', 'dead 1', 'ok 6', 'bad 6', 'not due');
    await client.srem('bq:mail:succeeded', 'ok 5');
    await client.lrem('bq:mail:waiting', 0, 'waits 2');
    const littered = await snapshot(client);
    const report = await moonshiftDone('bee/orphans', server.url, { now, engine: 'auto', grace: '10ms' });
    assert.deepEqual(report.reasons, {
      'kept: an id in waiting without a job': 1,
      'kept: an id in active without a job': 1,
      'kept: an id in succeeded without a job': 1,
      'kept: an id in failed without a job': 1,
      'kept: an id in delayed without a job': 1,
      'kept: a finished job that nothing names': 1,
      'kept: an unfinished job that nothing names': 1,
    });
    assert.deepEqual(differences(littered, await snapshot(client)), []);
    assert.deepEqual(await run(server, 'orphans', { grace: '0s', repair: true }), { removed: 6, kept: 1 });
    assert.deepEqual(await run(server, 'orphans', { grace: '0s', repair: true, lost: 'requeue' }), { requeued: 1 });
    assert.deepEqual(await run(server, 'orphans', { grace: '0s' }), {});
    assert.ok((await runAll(server, 'mail')).includes('waits 2'));
  });

  test('other prefixes and unknown layouts are left alone; hash tags are literal', async (t) => {
    const server = await origin.copy(t);
    const tagged = openBee(server, 'mail', { prefix: '{app:bee}' });
    await add(tagged, [{ at: now - 9 * day, id: 'x' }]);
    await runAll(server, 'mail', { prefix: '{app:bee}' });
    await server.client.hset('bq:other:jobs', 'x', 'no job');
    await server.client.hset('bq:sets:jobs', '1', JSON.stringify({ data: {}, options: { timestamp: 1 }, status: 'created' }));
    await server.client.sadd('bq:sets:waiting', '1');
    for (const task of ['clean', 'retry-failed', 'promote-overdue', 'requeue-stalled', 'orphans']) {
      for (const queues of ['other', 'sets']) assert.deepEqual(await run(server, task, { queues }), { kept: 1 }, task);
    }
    assert.deepEqual(await run(server, 'clean', { prefix: '{app:bee}' }), { removed: 1 });
    assert.deepEqual(await run(server, 'clean', { queues: 'mail\\*' }), { removed: 6 + odd.length });
    assert.equal((await moonshift('bee/clean', server.url, { engine: 'local' })).code, 2);
  });
});
