// All tasks of bee/ in turn while workers run at full speed on the same queue, and are killed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Traffic } from '../bull/traffic.mjs';
import { launchMoonshift, redisFor, runArguments, until } from '../support.mjs';
import { openBee } from './world.mjs';

const program = new URL('live_worker.mjs', import.meta.url).pathname;

test('bee: every task under traffic, and workers that die', async (t) => {
  const server = await redisFor(t);
  const queue = openBee(server, 'live');
  const traffic = new Traffic(server, program, {
    add: async (list) => {
      const jobs = list.map((data) => {
        const job = queue.createJob(data);
        return data.kind === 'late' ? job.delayUntil(Date.now() + 20) : job;
      });
      await queue.saveAll(jobs);
      return jobs.map(({ id }) => id);
    },
    depth: () => server.client.llen('bq:live:waiting'),
  });

  const outcomes = {};
  const run = async (task, params) => {
    const args = runArguments(`bee/${task}`, server.url, { engine: 'auto', ...params });
    const { code, stdout, stderr } = await launchMoonshift(...args, '--timeout', '20s').done;
    const report = JSON.parse(stdout || '{}');
    const said = JSON.stringify({ ...report, parameters: undefined }).slice(0, 1500);
    assert.ok([0, 4, 5].includes(code), `${task}: ${code} ${said} ${stderr}`);
    assert.equal(report.failed, 0, `${task}: ${said}`);
    if (code) outcomes[`${task} ended with ${code}`] = (outcomes[`${task} ended with ${code}`] ?? 0) + 1;
    for (const [word, count] of Object.entries(report.outcomes)) {
      outcomes[`${task} ${word}`] = (outcomes[`${task} ${word}`] ?? 0) + count;
    }
    return code;
  };
  const turns = [
    () => run('clean', { older_than: '1s' }),
    () => run('requeue-stalled', { grace: '2s' }),
    () => run('retry-failed', {}),
    () => run('orphans', { grace: '200ms', repair: true, lost: 'remove' }),
    () => run('promote-overdue', { overdue_by: '0s' }),
  ];
  await traffic.during((i) => turns[i % turns.length]());
  await traffic.allHaveRun(async () => {
    await run('retry-failed', {});
    await run('requeue-stalled', { grace: '2s' });
  });
  await until(async () => (await server.client.exists('bq:live:active', 'bq:live:waiting')) === 0, 'all is done');
  t.diagnostic(JSON.stringify({ ...(await traffic.check()), ...outcomes }));

  await until(async () => (await run('clean', { older_than: '0s', now: Date.now() + 60_000 })) === 0, 'it is clean', 90);
  const left = (await server.client.keys('bq:live:*')).filter((key) => !/:(id|stalling|stallBlock)$/.test(key));
  assert.deepEqual(left, []);
});
