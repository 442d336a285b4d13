// Runs that are cut off by kill -9 and run again.

import assert from 'node:assert/strict';
import { randomness } from './history.mjs';
import {
  differences,
  launchMoonshift,
  moonshiftDone,
  Proxy,
  redisFor,
  runArguments,
  snapshot,
} from './support.mjs';

/**
 * Kills runs of `script` at `cuts` points, all over its traffic, each on a server that started from the
 * snapshot `rdb`; runs it again, and demands the dataset of a run that was left alone. `params` are
 * those of moonshift(). `ignore(key)` is for what differs by nature, such as a stream's ids by the clock.
 */
export async function survivesKill(t, script, { rdb, cuts = 6, ignore = () => false, ...params }) {
  const finish = async (server) => {
    await moonshiftDone(script, server.url, params);
    return snapshot(server.client);
  };

  const calm = await redisFor(t, { rdb });
  const observed = await Proxy.start(calm);
  await moonshiftDone(script, observed.url, params);
  const end = await snapshot(calm.client);
  const random = randomness(cuts);

  let killed = 0;
  for (let i = 0; i < cuts; i++) {
    const server = await redisFor(t, { rdb });
    const part = observed.sent / 2 / cuts;
    const limit = random.between(Math.floor(part * i) + 1, Math.floor(part * (i + 1)));
    let run;
    const proxy = await Proxy.start(server, { limit, reached: () => run.child.kill('SIGKILL') });
    run = launchMoonshift(...runArguments(script, proxy.url, params));
    if ((await run.done).signal === 'SIGKILL') killed++;
    await proxy.close();
    const left = differences(end, await finish(server)).filter((key) => !ignore(key));
    assert.deepEqual(left, [], `${script}, cut off after ${limit} of ${observed.sent} bytes`);
    await server.stop();
  }
  assert.ok(killed > 0, `${script}: no run was under way when it was to be killed`);
}
