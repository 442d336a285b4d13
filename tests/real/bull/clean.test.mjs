// bull/clean on queues that Bull itself filled: exactly the eligible jobs go, and all of each.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clock, day } from '../history.mjs';
import { byteForByte, differences, moonshiftDone, snapshot } from '../support.mjs';
import { engines, now, openBull, Origin, withClock, withoutJobs, World } from './world.mjs';

const clean = (server, state, options) =>
  moonshiftDone('bull/clean', server.url, { state, older_than: '7d', now, ...options });

async function cleanBoth(server, engine) {
  for (const state of ['completed', 'failed']) await clean(server, state, { engine });
  return snapshot(server.client);
}

describe('bull/clean', () => {
  let origin, ended;
  const old = (state) =>
    ended.filter((job) => job.at < now - 7 * day && (!state || job.state === state));

  before(async () => {
    origin = await Origin.make(async (server) => {
      const world = new World(server);
      await world.fill();
      ended = world.ended;
    });
  });
  after(() => origin.stop());

  for (const engine of engines) {
    test(`${engine}: exactly the jobs beyond the limit go, and all of each`, async (t) => {
      const server = await origin.copy(t);
      assert.ok(ended.length >= 190 && old().length > 60);
      for (const state of ['completed', 'failed']) {
        const { outcomes } = await clean(server, state, { engine });
        assert.deepEqual(outcomes, { removed: old(state).length });
      }
      const end = await snapshot(server.client);
      assert.deepEqual(differences(withoutJobs(origin.full, old()), end), []);
      const again = await clean(server, 'completed', { engine });
      assert.equal(again.found, 0);
      assert.deepEqual(differences(end, await snapshot(server.client), byteForByte), []);
    });

    test(`${engine}: keep spares the newest`, async (t) => {
      const server = await origin.copy(t);
      await clean(server, 'completed', { engine, keep: 3, older_than: '0s' });
      for (const name of World.names) {
        assert.equal(await server.client.zcard(`bull:${name}:completed`), 3);
        const [id] = await server.client.zrevrange(`bull:${name}:completed`, 0, 0);
        assert.equal(await server.client.exists(`bull:${name}:${id}`), 1);
      }
    });

    test(`${engine}: other queues, and the longer name, are left alone`, async (t) => {
      const server = await origin.copy(t);
      for (const foreign of [{ queues: 'mai' }, { prefix: 'bul' }, { prefix: 'bull:mail:urgent' }]) {
        assert.equal((await clean(server, 'completed', { engine, ...foreign })).found, 0);
      }
      await clean(server, 'completed', { engine, queues: 'mail' });
      const expected = old('completed').filter(({ base }) => base === 'bull:mail:');
      const end = await snapshot(server.client);
      assert.deepEqual(differences(withoutJobs(origin.full, expected), end), []);
    });

    test(`${engine}: a locked job, and one whose two times differ, stay`, async (t) => {
      const server = await origin.copy(t);
      const [locked, newer, entry] = old('completed').filter(({ base }) => base === 'bull:mail:');
      await server.client.set(`${locked.key}:lock`, 'token', 'PX', 60_000);
      await server.client.hset(newer.key, 'finishedOn', now);
      await server.client.del(entry.key, `${entry.key}:logs`);
      const { outcomes } = await clean(server, 'completed', { engine });
      assert.deepEqual(outcomes, { removed: old('completed').length - 2, kept: 2 });
      const left = await server.client.zrange('bull:mail:completed', 0, -1);
      assert.ok(left.includes(locked.id) && left.includes(newer.id) && !left.includes(entry.id));
    });

    test(`${engine}: what still names the job goes with it`, async (t) => {
      const server = await origin.copy(t);
      const [one, other, limited] = old('completed').filter(({ base }) => base === 'bull:mail:');
      await server.client.hset(one.key, 'deid', 'for ever');
      await server.client.set('bull:mail:de:for ever', one.id);
      await server.client.hset(other.key, 'deid', 'taken over');
      await server.client.set('bull:mail:de:taken over', 'a newer job');
      await server.client.sadd('bull:mail:limiter:limited', limited.id);
      await server.client.hset('bull:mail:limiter:index', limited.id, 'bull:mail:limiter:limited');
      await clean(server, 'completed', { engine });
      assert.equal(await server.client.exists('bull:mail:de:for ever'), 0);
      assert.equal(await server.client.get('bull:mail:de:taken over'), 'a newer job');
      assert.equal(await server.client.exists('bull:mail:limiter:limited', 'bull:mail:limiter:index'), 0);
    });

    test(`${engine}: Bull before 3, where completed is a set, is reported and left alone`, async (t) => {
      const server = await origin.copy(t);
      await server.client.set('bull:ancient:id', 3);
      await server.client.sadd('bull:ancient:completed', 1, 2, 3);
      for (const task of ['clean', 'requeue-stalled', 'pause', 'orphans']) {
        const options = { queues: 'ancient', now, ...(task === 'clean' || { engine }) };
        if (task === 'requeue-stalled' || task === 'orphans') options.grace = '0s';
        const report = await moonshiftDone(`bull/${task}`, server.url, options);
        assert.deepEqual(report.outcomes, { kept: 1 }, task);
      }
      const end = await snapshot(server.client);
      assert.equal(end.size, origin.full.size + 2);
    });
  }

  // No difference: the named ones concern broken entries, and what is held up meanwhile.
  test("the library's own clean leaves the same", async (t) => {
    const [theirs, ours] = [await origin.copy(t), await origin.copy(t)];
    await withClock(async () => {
      for (const name of World.names) {
        const queue = openBull(theirs, name);
        for (const state of ['completed', 'failed']) await queue.clean(7 * day, state);
      }
      await theirs.dismiss();
    });
    clock.release();
    const end = await cleanBoth(ours, 'local');
    assert.deepEqual(differences(await snapshot(theirs.client), end), []);
    const server = await origin.copy(t);
    assert.deepEqual(differences(await cleanBoth(server, 'server'), end), []);
  });
});
