// Names are binary, and keys are never taken apart: prefixes, queues and job ids as Bull accepts them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { day, hour } from '../history.mjs';
import { differences, moonshiftDone, snapshot } from '../support.mjs';
import { Driver, engines, now, Origin } from './world.mjs';

const prefixes = ['bull', 'b*ll', 'tenant:eu', '{app}', '{app:bull}', '[bul]l', 'préfixe 1'];
const names = ['mail', 'mail:urgent', 'mail:urgent:id', 'mail*', 'новости\n', 'completed'];
const ids = ['a:b:c', 'repeat:x:1', '17', '17:logs', '17:lock:x', 'de:17', 'urgent:1', 'ключ', '\r\n$3\r\nbad', 'nul\0', ' ', '*', '[a]',
  '{tag}', '1e3', 'nil', 'meta:x', 'metrics:x', 'x'.repeat(5000)];

/** One old and one recent finished job, one that failed, is overdue, and whose worker died, for every id. */
async function fill(driver, list) {
  for (const id of list) {
    for (const [suffix, age] of [['', 10 * day], ['!', day]]) {
      await driver.add(now - age - hour, {}, { jobId: id + suffix });
      await driver.complete(now - age);
    }
    await driver.add(now - day, {}, { jobId: `${id}+failed` });
    await driver.fail(now - day);
    await driver.add(now - day, {}, { jobId: `${id}+dead` });
    await driver.abandon(now - hour);
    await driver.add(now - day, {}, { jobId: `${id}+late`, delay: hour });
  }
}

const latin1 = (text) => Buffer.from(text).toString('latin1');

describe('bull: odd names', () => {
  let origin;
  const queues = [...prefixes.map((prefix) => [prefix, 'news', ['a', 'b']]), ...names.map((name) => ['names', name, ['a', 'b']]),
    ['ids', 'odd', ids]];

  before(async () => {
    origin = await Origin.make(async (server) => {
      for (const [prefix, name, list] of queues) await fill(new Driver(server, name, { prefix }), list);
      // A debounce key and a rate-limit group that look like the counters of queues.
      await server.client.set('names:mail:de:user:id', '3');
      await server.client.set('names:mail:limiter:id', '3');
    });
  });
  after(() => origin.stop());

  /** All tasks on one queue: exactly its jobs move, and nothing of the others changes. */
  async function assertOnly(t, engine, prefix, glob, chosen) {
    const server = await origin.copy(t);
    const options = { prefix, queues: glob, now };
    const count = chosen.reduce((sum, [, list]) => sum + list.length, 0);
    const run = async (task, more) => (await moonshiftDone(`bull/${task}`, server.url, { ...options, ...more })).outcomes;
    assert.deepEqual(await run('orphans', { engine, grace: '0s', repair: true }), {});
    assert.deepEqual(await run('clean', { engine, older_than: '7d' }), { removed: count });
    assert.deepEqual(await run('requeue-stalled', { engine, grace: '0s' }), { requeued: count });
    assert.deepEqual(await run('retry-failed', { engine: 'auto' }), { retried: count });
    assert.deepEqual(await run('promote-overdue', { engine: 'auto' }), { promoted: count });
    assert.deepEqual(await run('pause', { engine }), { paused: chosen.length });
    assert.deepEqual(await run('resume', { engine }), { resumed: chosen.length });
    assert.deepEqual(await run('orphans', { engine, grace: '0s', repair: true }), {});
    const end = await snapshot(server.client);
    const bases = chosen.map(([name]) => latin1(`${prefix}:${name}:`));
    const touched = differences(origin.full, end);
    for (const [name, list] of chosen) {
      const base = `${prefix}:${name}:`;
      const waiting = await server.client.lrange(`${base}wait`, 0, -1);
      const back = ['dead', 'failed', 'late'].flatMap((kind) => list.map((id) => `${id}+${kind}`));
      assert.deepEqual(waiting.sort(), back.sort());
      const recent = await server.client.zrange(`${base}completed`, 0, -1);
      assert.deepEqual(recent.sort(), list.map((id) => `${id}!`).sort());
      for (const id of [...back, ...recent]) assert.equal(await server.client.hexists(base + id, 'data'), 1, id);
    }
    assert.deepEqual(touched.filter((key) => !bases.some((base) => key.startsWith(base))), []);
    await server.stop();
  }

  for (const engine of engines) {
    test(`${engine}: prefixes are taken literally`, async (t) => {
      for (const prefix of prefixes) await assertOnly(t, engine, prefix, '*', [['news', ['a', 'b']]]);
    });

    test(`${engine}: job ids`, (t) => assertOnly(t, engine, 'ids', '*', [['odd', ids]]));

    test(`${engine}: queues chosen by a glob`, async (t) => {
      const cases = [
        ['mail', ['mail']],
        ['mail:*', ['mail:urgent', 'mail:urgent:id']],
        ['mail\\*', ['mail*']],
        ['*', names],
      ];
      for (const [glob, chosen] of cases) {
        await assertOnly(t, engine, 'names', glob, chosen.map((name) => [name, ['a', 'b']]));
      }
    });
  }
});
