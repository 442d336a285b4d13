// bullmq/pause and bullmq/resume, cut off anywhere and run again: no job is lost, nor its place in turn.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { randomness } from '../history.mjs';
import {
  launchMoonshift,
  moonshiftDone,
  Proxy,
  redisFor,
  RedisServer,
  runArguments,
} from '../support.mjs';
import { engines } from './pause_support.mjs';

const now = 1_700_000_000_000;
const isEvents = (key) => key.endsWith(':events');

// As the libraries leave them: see pause.test.mjs. Many small queues, and some whose lists are both long.
const fill = `
  local function push(key, from, to)
    for n = from, to do redis.call('LPUSH', key, 'j' .. n) end
  end
  for q = 1, 500 do
    local base = 'bull:q' .. q .. ':'
    redis.call('HSET', base .. 'meta', 'version', q % 2 == 0 and 'bullmq:5.81.5' or 'bullmq:4.18.3')
    push(base .. 'wait', 1, q % 7)
    if q % 5 == 0 then redis.call('ZADD', base .. 'prioritized', 4294967296, 'p') end
  end
  for q = 1, 6 do
    local base = 'bull:long' .. q .. ':'
    redis.call('HSET', base .. 'meta', 'version', 'bullmq:5.81.5')
    push(base .. 'paused', 1, q * 700)
    push(base .. 'wait', q * 700 + 1, q * 1700)
  end`;

async function savedBy(make) {
  const server = await RedisServer.start();
  try {
    await server.client.eval(fill, 0);
    await make?.(server);
    return { rdb: await server.save(), server };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The jobs of each queue, wherever they are. */
async function jobsOf(server) {
  const all = {};
  for (const key of (await server.client.keys('*:meta')).sort()) {
    const base = key.slice(0, -'meta'.length);
    const lists = await Promise.all(
      ['wait', 'paused'].map((list) => server.client.lrange(base + list, 0, -1)),
    );
    all[base] = lists
      .flat()
      .filter((id) => id !== '0:0')
      .sort();
  }
  return all;
}

describe('cut off and run again', () => {
  const states = {};
  before(async () => {
    states['bullmq/pause'] = await savedBy();
    states['bullmq/resume'] = await savedBy(async (server) => {
      await moonshiftDone('bullmq/pause', server.url, { now });
      for (let q = 1; q <= 6; q += 2) {
        const strays = Array.from({ length: q * 300 }, (_, n) => `s${n}`);
        await server.client.lpush(`bull:long${q}:wait`, ...strays);
      }
    });
  });
  after(() => Promise.all(Object.values(states).map(({ server }) => server.stop())));

  for (const script of ['bullmq/pause', 'bullmq/resume']) {
    for (const engine of engines) {
      test(`${engine}: ${script} ends as if nothing had happened`, (t) =>
        survivesKill(t, script, {
          rdb: states[script].rdb,
          engine,
          now,
          cuts: 5,
          ignore: isEvents,
        }));

      test(`${engine}: ${script} has lost no job when it is killed`, async (t) => {
        const { rdb, server: origin } = states[script];
        const expected = await jobsOf(origin);
        const random = randomness(engine.length);
        for (let i = 0; i < 4; i++) {
          const server = await redisFor(t, { rdb });
          const limit = random.between(2_000, 30_000);
          let run;
          const reached = () => run.child.kill('SIGKILL');
          const proxy = await Proxy.start(server, { limit, reached });
          run = launchMoonshift(...runArguments(script, proxy.url, { engine, now }));
          assert.equal((await run.done).signal, 'SIGKILL');
          await proxy.close();
          assert.deepEqual(await jobsOf(server), expected);
          await server.stop();
        }
      });
    }
  }
});
