// All tasks of bull/ in turn while workers run at full speed on the same queue, and are killed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchMoonshift, redisFor, runArguments, until } from '../support.mjs';
import { Traffic } from './traffic.mjs';
import { openBull } from './world.mjs';

const program = new URL('live_worker.mjs', import.meta.url).pathname;
const options = { plain: {}, fail: {}, hang: { lifo: true }, urgent: { priority: 3 }, late: { delay: 20 } };

test('bull: every task under traffic, and workers that die', async (t) => {
  const server = await redisFor(t);
  const queue = openBull(server, 'live');
  const traffic = new Traffic(server, program, {
    add: async (list) => (await queue.addBulk(list.map((data) => ({ data, opts: options[data.kind] })))).map(({ id }) => id),
    depth: () => queue.getWaitingCount(),
  });

  const outcomes = {};
  const run = async (task, engine, params) => {
    const args = runArguments(`bull/${task}`, server.url, { engine, ...params });
    const { code, stdout, stderr } = await launchMoonshift(...args, '--timeout', '20s').done;
    const report = JSON.parse(stdout || '{}');
    const said = JSON.stringify({ ...report, parameters: undefined }).slice(0, 1500);
    assert.ok([0, 4, 5].includes(code), `${task} ${engine}: ${code} ${said} ${stderr}`);
    assert.equal(report.failed, 0, `${task} ${engine}: ${said}`);
    if (code) outcomes[`${task} ended with ${code}`] = (outcomes[`${task} ended with ${code}`] ?? 0) + 1;
    for (const [word, count] of Object.entries(report.outcomes)) {
      outcomes[`${task} ${word}`] = (outcomes[`${task} ${word}`] ?? 0) + count;
    }
    return code;
  };
  const turns = [
    (engine) => run('clean', engine, { older_than: '1s' }),
    (engine) => run('requeue-stalled', engine, { grace: '1s', max_stalled: 1000 }),
    () => run('retry-failed', 'auto', {}),
    (engine) => run('orphans', engine, { grace: '200ms', repair: true, lost: 'remove' }),
    () => run('promote-overdue', 'auto', { overdue_by: '0s' }),
    (engine) => run('pause', engine, {}),
    (engine) => run('resume', engine, {}),
  ];
  await traffic.during((i) => turns[i % turns.length](Math.floor(i / turns.length) % 2 ? 'server' : 'local'));
  await run('resume', 'local', {});
  await traffic.allHaveRun(async () => {
    await run('retry-failed', 'auto', {});
    await run('requeue-stalled', 'local', { grace: '500ms', max_stalled: 1000 });
  });
  await until(async () => (await server.client.exists('bull:live:active', 'bull:live:wait')) === 0, 'all is done');
  t.diagnostic(JSON.stringify({ ...(await traffic.check()), ...outcomes }));

  await until(async () => (await run('clean', 'server', { older_than: '0s', now: Date.now() + 60_000 })) === 0, 'it is clean', 90);
  const left = (await server.client.keys('bull:live:*')).filter((key) => !/:(id|stalled|stalled-check)$/.test(key));
  assert.deepEqual(left, []);
});
