// The tasks while those whose keys they look after are at work: limiters count, sessions are used, streams
// are read, lists are pushed to. Lasts $MOONSHIFT_LIVE_SECONDS.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { moonshift, redisFor } from '../support.mjs';

const seconds = Number(process.env.MOONSHIFT_LIVE_SECONDS ?? 10);

/** Does all of these again and again until time is up; the first failure ends it. */
async function atOnce(...loops) {
  const end = performance.now() + seconds * 1000;
  let failed = false;
  const again = async (loop) => {
    for (let turn = 0; performance.now() < end && !failed; turn++) await loop(turn);
  };
  await Promise.all(
    loops.map((loop) =>
      again(loop).catch((error) => {
        failed = true;
        throw error;
      }),
    ),
  );
}

/** A run may be told off because what it treats comes anew all the time (5), but nothing may fail. */
async function run(script, server, params) {
  const { code, report } = await moonshift(script, server.url, params);
  assert.ok([0, 5].includes(code), JSON.stringify(report));
  assert.equal(report.failed, 0, JSON.stringify(report));
  return report.outcomes;
}

test('nobody gets past a limiter, no session in use ends, no entry or line is lost', async (t) => {
  const server = await redisFor(t);
  const [limits, uses, adds, reads, pushes] = Array.from({ length: 5 }, () => server.connect());
  const long = new RateLimiterRedis({ storeClient: limits, keyPrefix: 'rl', points: 5, duration: 86_400 });
  const leaky = new RateLimiterRedis({ storeClient: limits, keyPrefix: 'rl', points: 5, duration: 0.5 });
  const allowed = new Map();
  let [sent, seen, pushed] = [0, 0, 0];
  for (let i = 0; i < 200; i++) await uses.set(`sess:${i}`, '{}');
  await reads.xgroup('CREATE', 'events:a', 'g', '0', 'MKSTREAM');

  const visit = async (turn) => {
    const who = `visitor:${turn % 200}`;
    await leaky.consume(`leaky:${turn % 300}`).catch(() => {});
    const won = await long.consume(who).then(
      () => true,
      () => false,
    );
    if (won) allowed.set(who, (allowed.get(who) ?? 0) + 1);
  };
  const useSession = async (turn) => {
    assert.ok(await uses.get(`sess:${turn % 200}`), 'a session in use ended');
    if (turn % 50 === 0) await uses.set(`sess:left:${turn}`, '{}');
  };
  const add = async () => void (await adds.xadd('events:a', '*', 'n', ++sent));
  const read = async () => {
    const got = await reads.xreadgroup('GROUP', 'g', 'c', 'COUNT', 20, 'STREAMS', 'events:a', '>');
    for (const [id, [, n]] of got?.[0][1] ?? []) {
      assert.equal(Number(n), ++seen, 'an entry was lost, or came twice');
      await reads.xack('events:a', 'g', id);
    }
  };
  const pushLine = async () => void (await pushes.lpush('log:a', `line ${++pushed}`));

  const totals = {};
  const maintain = async (turn) => {
    const engine = turn % 2 ? 'server' : 'local';
    const add = async (script, params) => {
      const outcomes = await run(script, server, params);
      for (const [outcome, count] of Object.entries(outcomes)) {
        const name = `${script} ${outcome}`;
        totals[name] = (totals[name] ?? 0) + count;
      }
    };
    await add('ratelimit/purge', { engine, pattern: 'rl:*' });
    await add('ratelimit/purge', { engine, pattern: 'rl:*', action: 'expire', window: '1s' });
    await add('sessions/purge', { engine: 'server', pattern: 'sess:*', idle: '4s' });
    await add('keys/expire', { engine, pattern: 'sess:left:*', ttl: '1h' });
    await add('streams/trim', { engine: 'server', pattern: 'events:*', keep: turn % 3, older_than: '0s' });
    await add('lists/trim', { engine, pattern: 'log:*', keep: 500 });
  };
  await atOnce(visit, useSession, add, read, pushLine, maintain);

  assert.deepEqual(
    [...allowed].filter(([, times]) => times !== 5).map(([who]) => who),
    [],
  );
  assert.equal(allowed.size, 200);
  while (seen < sent) await read();
  const lines = await server.client.lrange('log:a', 0, 499);
  assert.deepEqual(
    lines,
    lines.map((_, i) => `line ${pushed - i}`),
  );
  for (const script of ['ratelimit/purge removed', 'streams/trim trimmed', 'lists/trim trimmed']) {
    assert.ok(totals[script] > 0, `${script}: ${JSON.stringify(totals)}`);
  }
  t.diagnostic(`${sent} entries, ${pushed} lines, ${JSON.stringify(totals)}`);
});
