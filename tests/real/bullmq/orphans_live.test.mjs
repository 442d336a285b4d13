// bullmq/orphans while workers run at full speed and are killed: no live job is ever taken for a lost one.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moonshiftDone, redisFor, until } from '../support.mjs';
import { eventsOf, majors, queueOn, workerProcess } from './pause_support.mjs';

const milliseconds = 1000 * Number(process.env.MOONSHIFT_LIVE_SECONDS ?? 10);
const share = milliseconds / Object.keys(majors).length;

for (const [version, library] of Object.entries(majors)) {
  describe(`${version}: bullmq/orphans and bullmq/pause under traffic`, () => {
    test('every job runs, and nothing but what was lost is removed', async (t) => {
      const server = await redisFor(t);
      const { client } = server;
      const streams = { events: { maxLen: 10_000_000 } };
      const queue = queueOn(server, library, 'mail', { streams });
      const added = [];
      const lost = [];
      const workers = [0, 1, 2].map(() => workerProcess(server, version, 'mail'));
      await queue.add('job', {});
      await until(() => client.exists('ran'), 'the workers are up');
      const ends = performance.now() + share;
      const goesOn = () => performance.now() < ends;

      const kinds = [
        {},
        {},
        {},
        { removeOnComplete: true },
        { delay: 20 },
        { attempts: 3, backoff: 10 },
        ...(version === 'bullmq3' ? [] : [{ priority: 5 }]),
      ];
      const produce = async () => {
        while (goesOn()) {
          const options = Array.from({ length: 140 }, (_, n) => ({
            name: 'job',
            data: { n },
            opts: kinds[n % kinds.length],
          }));
          added.push(...(await queue.addBulk(options)).map(({ id }) => id));
          await until(
            async () => (await client.llen('bull:mail:wait')) < 500,
            'workers keep up',
            60,
          );
        }
      };
      const lose = async () => {
        for (let n = 0; goesOn(); n++) {
          const fields = ['name', 'x', 'data', '{}', 'opts', '{}', 'timestamp', '1'];
          lost.push(`lost${n}`);
          await client.hset(`bull:mail:lost${n}`, ...fields);
          await new Promise((later) => setTimeout(later, 20));
        }
      };
      const kill = async () => {
        while (goesOn()) {
          await new Promise((later) => setTimeout(later, 700));
          await workers.shift().kill();
          workers.push(workerProcess(server, version, 'mail'));
        }
      };
      const reports = [];
      const tend = async () => {
        for (let n = 0; goesOn(); n++) {
          const engine = n % 2 ? 'local' : 'server';
          const { outcomes } = await moonshiftDone('bullmq/orphans', server.url, {
            engine: 'server',
            grace: '50ms',
            repair: true,
          });
          reports.push(outcomes);
          await moonshiftDone('bullmq/pause', server.url, { engine });
          assert.equal(await queue.isPaused(), true);
          await moonshiftDone('bullmq/resume', server.url, { engine });
        }
      };
      await Promise.all([produce(), lose(), kill(), tend()]);

      const ran = async () => new Set(await client.lrange('ran', 0, -1));
      await until(
        async () => {
          const all = await ran();
          return added.every((id) => all.has(id));
        },
        'every added job has run',
        30,
      );
      const counts = () => queue.getJobCounts('wait', 'active', 'delayed', 'paused');
      await until(
        async () => Object.values(await counts()).every((n) => n === 0),
        'all is done',
        30,
      );
      await moonshiftDone('bullmq/orphans', server.url, {
        engine: 'server',
        grace: '0s',
        repair: true,
      });
      const left = (await client.keys('bull:mail:lost*')).length;
      assert.equal(left, 0, 'what was lost is gone');
      const removed = reports.reduce((sum, it) => sum + (it.removed ?? 0), 0);
      assert.ok(removed > 0 && removed <= lost.length);
      const stalled = (await eventsOf(server, queue.base)).filter((it) => it === 'stalled').length;
      const twice = (await client.llen('ran')) - added.length - 1;
      assert.ok(twice <= stalled, `${twice} ran again, ${stalled} had stalled`);
      t.diagnostic(
        `${added.length} jobs, ${reports.length} rounds, ${removed} removed, ${twice} ran again`,
      );
    });
  });
}
