// bull/requeue-stalled, retry-failed and promote-overdue side by side with Bull's own operations, and with
// a real worker afterwards.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clock, day, hour, minute } from '../history.mjs';
import { differences, moonshift, moonshiftDone, snapshot } from '../support.mjs';
import { drain, Driver, engines, now, openBull, Origin, withClock, World } from './world.mjs';

const iso = (ms) => new Date(ms).toISOString();
const sorted = (list) => [...list].sort();
const sum = (list) => list.reduce((a, b) => a + b, 0);

/** Lets Bull itself do something with each queue of a copy of the world. */
async function byBull(server, at, work) {
  await withClock(async () => {
    clock.set(at);
    for (const name of World.names) await work(openBull(server, name), `bull:${name}:`);
    await server.dismiss();
  });
}

describe('jobs of Bull that wait again', () => {
  let origin;
  before(async () => {
    origin = await Origin.make((server) => new World(server).fill());
  });
  after(() => origin.stop());

  const requeue = (server, options) =>
    moonshiftDone('bull/requeue-stalled', server.url, { now, grace: '20ms', ...options });
  const retry = (server, options) => moonshiftDone('bull/retry-failed', server.url, { now, engine: 'auto', ...options });
  const promote = (server, options) =>
    moonshiftDone('bull/promote-overdue', server.url, { now, engine: 'auto', ...options });

  /** Two looks of the library: one marks what is active, the next puts back what is still unlocked. */
  async function checkTwice(queue, base) {
    for (let i = 0; i < 2; i++) {
      await queue.client.del(`${base}stalled-check`);
      await queue.moveUnlockedJobsToWait();
    }
  }

  for (const engine of engines) {
    test(`${engine}: stalled jobs go back as Bull's own check puts them`, async (t) => {
      const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
      await byBull(theirs, now, checkTwice);
      const dead = await ours.client.lrange('bull:mail:active', 0, -1);
      await ours.client.sadd('bull:mail:stalled', ...dead);
      const { outcomes } = await requeue(ours, { engine });
      assert.deepEqual(outcomes, { requeued: 8, exhausted: 4 });
      assert.deepEqual(await ours.client.smembers('bull:mail:stalled'), ['held']);
      const [one, other] = [await snapshot(theirs.client), await snapshot(ours.client)];
      // Named: the marks of its check, and the order of those that go back together.
      const marks = (key) => /:(stalled|stalled-check|wait)$/.test(key);
      assert.deepEqual(
        differences(one, other).filter((key) => !marks(key)),
        [],
      );
      for (const name of World.names) {
        const lists = [one, other].map((all) => all.get(`bull:${name}:wait`).contents);
        const before = origin.full.get(`bull:${name}:wait`).contents.length;
        assert.deepEqual(lists[0].slice(0, before), lists[1].slice(0, before));
        assert.deepEqual(sorted(lists[0].slice(before)), sorted(lists[1].slice(before)));
        assert.deepEqual(await ours.client.lrange(`bull:${name}:active`, 0, -1), ['held']);
      }
      assert.equal((await requeue(ours, { engine })).found, 0);
    });

    test(`${engine}: a worker then runs each of them once, and not the one that is held`, async (t) => {
      const server = await origin.copy(t);
      const waiting = await server.client.lrange('bull:mail:wait', 0, -1);
      const dead = (await server.client.lrange('bull:mail:active', 0, -1)).filter((id) => id !== 'held');
      await requeue(server, { engine, queues: 'mail' });
      const back = dead.filter((id) => !['often', 'goes'].includes(id));
      const delayed = await server.client.zrange('bull:mail:delayed', 0, -1);
      const ran = (await drain(server, 'mail', { ids: [...waiting, ...back] })).filter(
        (id) => !delayed.includes(id) && !id.startsWith('repeat:'),
      );
      assert.deepEqual(sorted(ran), sorted([...waiting, ...back]));
      assert.deepEqual(sorted(ran.slice(0, back.length)), sorted(back), 'next in turn');
      assert.equal(await server.client.zscore('bull:mail:failed', 'often'), `${now}`);
      assert.equal(await server.client.exists('bull:mail:goes'), 0);
    });

    test(`${engine}: max_stalled, a paused queue, a hash that is missing`, async (t) => {
      const server = await origin.copy(t);
      await byBull(server, now, (queue) => queue.pause());
      const active = await server.client.lrange('bull:mail:active', 0, -1);
      const [gone] = active.filter((id) => /^\d+$/.test(id));
      await server.client.del(`bull:mail:${gone}`);
      const { outcomes } = await requeue(server, { engine, max_stalled: 2 });
      assert.deepEqual(outcomes, { requeued: 11 });
      assert.equal(await server.client.exists('bull:mail:wait'), 0);
      assert.equal(await server.client.exists(`bull:mail:${gone}`), 0);
      assert.equal(await server.client.lrange('bull:mail:paused', -5, -1).then((it) => it.length), 5);
      assert.deepEqual(sorted(await server.client.lrange('bull:mail:active', 0, -1)), sorted([gone, 'held']));
    });
  }

  test('failed jobs go back as job.retry() puts them, but with their priority', async (t) => {
    const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
    await byBull(theirs, now, async (queue, base) => {
      for (const id of await queue.client.zrange(`${base}failed`, 0, -1)) {
        await (await queue.getJob(id)).retry();
      }
    });
    const { outcomes } = await retry(ours);
    const count = (all, name) => all.get(name).contents.length;
    assert.deepEqual(outcomes, { retried: sum(World.names.map((it) => count(origin.full, `bull:${it}:failed`))) });
    const [one, other] = [await snapshot(theirs.client), await snapshot(ours.client)];
    const named = World.names.flatMap((name) => [`bull:${name}:wait`, `bull:${name}:priority`]);
    assert.deepEqual(differences(one, other), sorted(named));
    for (const name of World.names) {
      const lists = [one, other].map((all) => all.get(`bull:${name}:wait`).contents);
      assert.deepEqual(sorted(lists[0]), sorted(lists[1]));
      const priority = async (id) => Number(await ours.client.hget(`bull:${name}:${id}`, 'priority'));
      const plain = [];
      const order = [];
      for (const id of lists[1].toReversed()) {
        const it = await priority(id);
        if (it) order.push(it);
        else plain.push(id);
      }
      // Jobs with `lifo` stand in front of them; Bull finds no exact place beside such either.
      if (name === 'mail') assert.deepEqual(order, sorted(order), 'the most urgent first');
      assert.equal(order.length, count(other, `bull:${name}:priority`));
      const theirPlain = [];
      for (const id of lists[0].toReversed()) if (!(await priority(id))) theirPlain.push(id);
      assert.deepEqual(plain, theirPlain, 'the others in the same order');
    }
  });

  test('failed jobs are chosen by time and by error, and run once', async (t) => {
    const server = await origin.copy(t);
    const driver = await server.client.zrangebyscore('bull:mail:failed', now - 2 * day, '+inf');
    const chosen = [];
    for (const id of driver) {
      if (/^timeout/.test(await server.client.hget(`bull:mail:${id}`, 'failedReason'))) chosen.push(id);
    }
    assert.ok(chosen.length > 1);
    const options = { queues: 'mail', since: iso(now - 2 * day), error: 'timeout of*' };
    const { outcomes } = await retry(server, options);
    assert.deepEqual(outcomes, { retried: chosen.length });
    assert.equal((await retry(server, options)).found, 0);
    const ran = await drain(server, 'mail', { ids: chosen });
    for (const id of chosen) assert.equal(ran.filter((it) => it === id).length, 1);
  });

  test('a job that is locked, or whose hash is missing, is not retried', async (t) => {
    const server = await origin.copy(t);
    const [locked, missing] = await server.client.zrange('bull:mail:failed', 0, 1);
    await server.client.set(`bull:mail:${locked}:lock`, 'token');
    await server.client.del(`bull:mail:${missing}`);
    const { outcomes } = await retry(server, { queues: 'mail' });
    assert.equal(outcomes.kept, 2);
    assert.deepEqual(await server.client.zrange('bull:mail:failed', 0, -1), [locked, missing]);
    assert.equal(await server.client.exists(`bull:mail:${missing}`), 0);
  });

  test('overdue jobs go where Bull itself promotes them', async (t) => {
    const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
    await byBull(theirs, now + 1, async (queue) => {
      await queue.updateDelayTimer();
      clearTimeout(queue.delayTimer);
    });
    const { outcomes } = await promote(ours, { now: now + 1, overdue_by: '0s' });
    assert.ok(outcomes.promoted >= 12);
    assert.deepEqual(differences(await snapshot(theirs.client), await snapshot(ours.client)), []);
  });

  test('overdue_by is a limit that counts, and repeatable jobs keep their schedule', async (t) => {
    const server = await origin.copy(t);
    const is_delayed = () => server.client.zscore('bull:mail:delayed', 'due now');
    await promote(server, { overdue_by: '1ms' });
    assert.ok(await is_delayed());
    await promote(server, { overdue_by: '0s' });
    assert.equal(await is_delayed(), null);
    assert.deepEqual(
      await server.client.zrange('bull:mail:repeat', 0, -1, 'WITHSCORES'),
      origin.full.get('bull:mail:repeat').contents.flatMap((it) => it.split('\0')),
    );
    assert.equal((await moonshift('bull/promote-overdue', server.url, { engine: 'local', now })).code, 2);
    const repeatable = await server.client.zcard('bull:mail:repeat');
    await drain(server, 'mail', { ids: ['due now'] });
    assert.equal(await server.client.zcard('bull:mail:repeat'), repeatable);
  });

  test('a paused queue: all goes to paused, in the order of priorities', async (t) => {
    const server = await origin.copy(t);
    const driver = new Driver(server, 'quiet');
    await withClock(async () => {
      for (const priority of [3, 1, undefined, 2]) {
        await driver.add(now - day, {}, { priority });
        await driver.add(now - day, {}, { priority, delay: hour });
      }
      for (let i = 0; i < 4; i++) await driver.fail(now - minute);
      await driver.queue.pause();
    });
    await retry(server, { queues: 'quiet' });
    await promote(server, { queues: 'quiet' });
    const ids = await server.client.lrange('bull:quiet:paused', 0, -1);
    const priorities = await Promise.all(ids.map((id) => server.client.hget(`bull:quiet:${id}`, 'priority')));
    assert.deepEqual(priorities, ['0', '0', '3', '3', '2', '2', '1', '1']);
    assert.equal(await server.client.exists('bull:quiet:wait'), 0);
  });
});
