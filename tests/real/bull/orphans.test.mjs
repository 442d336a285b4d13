// bull/orphans on what Bull itself leaves behind, in the middle of a healthy world: each leftover is told,
// nothing else is touched, and afterwards the queues work again.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { hour, minute } from '../history.mjs';
import { differences, moonshiftDone, snapshot } from '../support.mjs';
import { drain, Driver, engines, now, openBull, Origin, World } from './world.mjs';

/** What Bull's own operations leave; `lost` are ids of unfinished jobs that no index names. */
async function litter(server) {
  const leaks = new Driver(server, 'leaks');
  const { client } = leaks.queue;
  const add = (options) => leaks.add(now - hour, {}, options);

  // empty() forgets logs and debounce keys.
  for (const id of ['one', 'two']) {
    const job = await add({ debounce: { id } });
    await job.log('still here');
  }
  await leaks.queue.empty();

  // A job that was being promoted or taken when it was removed.
  const removed = await add({ jobId: 'removed' });
  await client.del('bull:leaks:removed');
  await leaks.queue.getNextJob().catch(() => {});
  await client.del('bull:leaks:removed:lock');

  // Finished, but in no index; in an index, but gone.
  for (const jobId of ['unlisted', 'gone']) {
    await add({ jobId });
    await leaks.complete(now - minute);
  }
  await client.zrem('bull:leaks:completed', 'unlisted');
  await client.del('bull:leaks:gone');
  await add({ jobId: 'late', delay: hour });
  await add({ jobId: 'urgent', priority: 2 });
  await client.del('bull:leaks:late', 'bull:leaks:urgent');

  // Pausing a paused queue to which a job was pushed loses the ones that were in paused.
  await add({ jobId: 'lost 1' });
  await add({ jobId: 'lost:2' });
  await leaks.queue.pause();
  await client.lpush('bull:leaks:wait', (await add({ jobId: 'pushed', delay: hour })).id);
  await client.zrem('bull:leaks:delayed', 'pushed');
  await leaks.queue.pause();
  await leaks.queue.resume();

  // A job that was held back by the rate limiter, and went away.
  const limited = new Driver(server, 'limited', { limiter: { max: 1, duration: hour } });
  for (const jobId of ['first', 'second']) await limited.add(now, {}, { jobId });
  await limited.take(now);
  await limited.queue.getNextJob();
  await client.del('bull:limited:second');
  assert.equal(await client.hexists('bull:limited:limiter:index', 'second'), 1);
  return removed;
}

describe('bull/orphans', () => {
  let origin, healthy;
  before(async () => {
    healthy = await Origin.make((server) => new World(server).fill());
    origin = await Origin.make(async (server) => {
      await new World(server).fill();
      await litter(server);
    });
  });
  after(() => Promise.all([origin.stop(), healthy.stop()]));

  const find = (server, options) => moonshiftDone('bull/orphans', server.url, { now, grace: '20ms', ...options });

  const reasons = {
    'a debounce key whose job is gone: nothing can be added under its name': 2,
    'a log without its job': 2,
    'a finished job that no index names': 1,
    'an unfinished job that no index names': 2,
    'an index names it': 1,
    'an entry in active without a job': 1,
    'an entry in completed without a job': 1,
    'an entry in delayed without a job': 2,
    'an entry in priority without a job': 1,
    'a job that is gone, and still slows the rate limiter down': 1,
  };

  for (const engine of engines) {
    test(`${engine}: every leftover is told, and nothing is touched`, async (t) => {
      const server = await origin.copy(t);
      const report = await find(server, { engine });
      const told = Object.entries(reasons).map(([reason, count]) => [`kept: ${reason}`, count]);
      assert.deepEqual(report.reasons, Object.fromEntries(told));
      assert.deepEqual(Object.keys(report.outcomes), ['kept']);
      assert.deepEqual(differences(origin.full, await snapshot(server.client)), []);
    });

    test(`${engine}: a healthy world has none`, async (t) => {
      const server = await healthy.copy(t);
      const report = await find(server, { engine, repair: true });
      assert.deepEqual(report.reasons, { 'kept: an index names it': 1 }, 'urgent:like of mail');
      assert.deepEqual(differences(healthy.full, await snapshot(server.client)), []);
    });

    test(`${engine}: repair removes them and no more; unfinished jobs stay`, async (t) => {
      const server = await origin.copy(t);
      await find(server, { engine, repair: true });
      await find(server, { engine, repair: true }); // what an entry had hidden
      const end = await snapshot(server.client);
      const foreign = (all) => new Map([...all].filter(([key]) => !/^bull:(leaks|limited):|:lock$/.test(key)));
      assert.deepEqual(differences(foreign(healthy.full), foreign(end), ['type', 'contents']), []);
      const left = [...end.keys()].filter((key) => key.startsWith('bull:leaks:')).sort();
      assert.deepEqual(
        left.filter((key) => !/:(id|wait|meta|stalled)$/.test(key)),
        ['bull:leaks:lost 1', 'bull:leaks:lost:2', 'bull:leaks:pushed'],
      );
      assert.ok(!end.has('bull:limited:limiter:index'));
      const again = await find(server, { engine });
      assert.deepEqual(again.reasons, {
        'kept: an unfinished job that no index names': 2,
        'kept: an index names it': 1,
      });
    });

    test(`${engine}: lost jobs are put back or removed, as the operator says`, async (t) => {
      const server = await origin.copy(t);
      await find(server, { engine, repair: true, lost: 'requeue', queues: 'leaks' });
      assert.deepEqual((await server.client.lrange('bull:leaks:wait', 0, -1)).sort(), ['lost 1', 'lost:2', 'pushed']);
      await find(server, { engine, repair: true, lost: 'requeue', queues: 'leaks' });
      const ran = await drain(server, 'leaks', { ids: ['lost 1', 'lost:2', 'pushed'] });
      assert.equal(ran.length, 3);

      const other = await origin.copy(t);
      await find(other, { engine, repair: true, lost: 'remove', queues: 'leaks' });
      assert.equal(await other.client.exists('bull:leaks:lost 1', 'bull:leaks:lost:2'), 0);
    });

    test(`${engine}: a debounced name can be used again`, async (t) => {
      const server = await origin.copy(t);
      const queue = openBull(server, 'leaks');
      const add = () => queue.add({}, { debounce: { id: 'one' } });
      const blocked = await add();
      assert.equal(await queue.getJob(blocked.id), null);
      await find(server, { engine, repair: true });
      assert.ok(await queue.getJob((await add()).id));
    });
  }
});
