// ratelimit/purge and ratelimit/reset by the rules of single limiters, whose libraries do the counting.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import Bull from 'bull';
import { Queue, Worker } from 'bullmq';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { RedisStore } from 'rate-limit-redis';
import { survivesKill } from '../crash.mjs';
import {
  byteForByte,
  differences,
  moonshift,
  moonshiftDone,
  redisFor,
  snapshot,
  until,
} from '../support.mjs';

const engines = ['local', 'server'];
const hour = 3600_000;
const visitors = ['203.0.113.7', '2001:db8::1', 'ключ-ü-🚀', 'a*b', '[x]?', '5/1/minute', 'two\nlines'];

function program(interpreter, file) {
  const path = new URL(file, import.meta.url).pathname;
  return async (...args) =>
    JSON.parse((await promisify(execFile)(interpreter, [path, ...args], { timeout: 60_000 })).stdout);
}
/** Since limits 3 its keys begin with this. */
const limitsPrefix = execFileSync('/usr/bin/python3', [
  '-c',
  'import limits.storage as s; p = getattr(s.RedisStorage, "PREFIX", ""); print(p and p + ":", end="")',
]).toString();
const knock = program('/usr/bin/python3', 'limits_visitors.py');
const rack = program('/usr/bin/ruby', 'rack_visitors.rb');

function hasRackAttack() {
  try {
    execFileSync('/usr/bin/ruby', ['-e', 'require "rack/attack"'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A TTL between these many ms: of a window that began when the task ran. */
async function assertEnds(client, key, window) {
  const left = await client.pttl(key);
  assert.ok(left > window - 60_000 && left <= window, `${key} ends in ${left} ms, not in ${window}`);
}

describe('python-limits', () => {
  const strategies = { 'fixed-window': 'string', 'moving-window': 'list' };
  const key = (who) => `${limitsPrefix}LIMITER/${who}/3/2/hour`;
  const params = { pattern: `${limitsPrefix}LIMITER*`, limiter: 'python-limits', type: ['string', 'list'] };

  for (const engine of engines) {
    for (const [strategy, type] of Object.entries(strategies)) {
      test(`${engine}: a ${strategy} visitor who is blocked for ever is let in after one window`, async (t) => {
        const server = await redisFor(t);
        const [blocked, free] = [visitors.slice(0, 3), visitors.slice(3)];
        await knock(server.socket, strategy, '3 per 2 hours', 4, ...visitors);
        for (const who of blocked) await server.client.persist(key(who));
        await server.client.set(`${limitsPrefix}LIMITER/not a limit`, '1');
        const before = await snapshot(server.client);

        const report = await moonshiftDone('ratelimit/purge', server.url, {
          engine,
          action: 'expire',
          ...params,
        });
        assert.deepEqual(report.outcomes, { expires: blocked.length, kept: 1 });
        for (const who of blocked) {
          assert.equal(await server.client.type(key(who)), type);
          await assertEnds(server.client, key(who), 2 * hour);
        }
        const touched = differences(before, await snapshot(server.client), byteForByte);
        assert.equal(touched.length, blocked.length);
        assert.ok(free.every((who) => !touched.includes(key(who))));

        await server.client.pexpire(key(blocked[0]), 1);
        await until(async () => !(await server.client.exists(key(blocked[0]))), 'the window is over');
        const answers = await knock(server.socket, strategy, '3 per 2 hours', 1, ...visitors);
        assert.deepEqual(
          Object.keys(answers).filter((who) => answers[who]),
          [blocked[0]],
        );
      });
    }
  }
});

describe('rate-limit-redis', () => {
  const params = { pattern: 'rl:*', limiter: 'rate-limit-redis' };

  for (const engine of engines) {
    test(`${engine}: only what a late decrement left goes`, async (t) => {
      const server = await redisFor(t);
      const store = new RedisStore({ sendCommand: (...command) => server.client.call(...command) });
      await store.init({ windowMs: hour });
      for (const who of visitors) {
        await store.decrement(`late:${who}`);
        await store.increment(who);
      }
      await server.client.set('rl:no TTL', '3');
      await server.client.set('rl:text', 'minus one');
      await server.client.set('rl:live', '-1', 'EX', 100);
      await server.client.hset('rl:hash', 'f', '-1');
      const before = await snapshot(server.client);
      const { outcomes, reasons } = await moonshiftDone('ratelimit/purge', server.url, { engine, ...params });
      assert.deepEqual(outcomes, { removed: visitors.length, kept: 2 }, JSON.stringify(reasons));
      const gone = differences(before, await snapshot(server.client), byteForByte);
      assert.equal(gone.length, visitors.length);
      assert.ok(gone.every((name) => name.startsWith('rl:late:')));
    });
  }
});

describe('rate-limiter-flexible', () => {
  for (const engine of engines) {
    test(`${engine}: with action=expire a client who is over the limit waits for one window, and no live window changes`, async (t) => {
      const server = await redisFor(t);
      const storeClient = server.client;
      const short = new RateLimiterRedis({ storeClient, points: 2, duration: 0.5 });
      const long = new RateLimiterRedis({ storeClient, points: 2, duration: 3600 });
      for (const who of visitors) {
        await short.consume(`short:${who}`, 2);
        await long.consume(`long:${who}`);
      }
      const before = await snapshot(server.client);
      const params = { engine, pattern: 'rlflx:*', action: 'expire', window: '10m' };
      const { outcomes } = await moonshiftDone('ratelimit/purge', server.url, params);
      assert.deepEqual(outcomes, { expires: visitors.length });
      const touched = differences(before, await snapshot(server.client), byteForByte);
      assert.equal(touched.length, visitors.length);
      assert.ok(touched.every((name) => name.startsWith('rlflx:short:')));
      for (const who of visitors) await assertEnds(server.client, `rlflx:short:${who}`, 600_000);
      await assert.rejects(short.consume(`short:${visitors[0]}`), (left) => left.msBeforeNext > 500_000);
    });
  }

  for (const engine of engines) {
    test(`${engine}: a window that opens at the same moment keeps its own end`, async (t) => {
      const server = await redisFor(t);
      await server.client.eval("for i = 1, 4000 do redis.call('SET', 'rl:' .. i, 9) end", 0);
      const opened = [];
      let busy = true;
      const opening = (async () => {
        for (let i = 4000; i > 0 && busy; i--) {
          if (await server.client.call('PEXPIRE', `rl:${i}`, 90_000_000, 'NX')) opened.push(i);
        }
      })();
      await moonshiftDone('ratelimit/purge', server.url, {
        engine,
        pattern: 'rl:*',
        action: 'expire',
        window: '1h',
      });
      busy = false;
      await opening;
      assert.ok(opened.length > 0);
      for (const i of opened) assert.ok((await server.client.pttl(`rl:${i}`)) > 80_000_000, `rl:${i}`);
    });
  }

  test('a run that is killed anywhere and run again leaves what a whole one leaves', async (t) => {
    const origin = await redisFor(t);
    const short = new RateLimiterRedis({ storeClient: origin.client, points: 2, duration: 0.5 });
    const long = new RateLimiterRedis({ storeClient: origin.client, points: 2, duration: 3600 });
    const who = Array.from({ length: 3000 }, (_, i) => `${i}`);
    await Promise.all(who.map((it) => short.consume(`short:${it}`)));
    await Promise.all(who.slice(2000).map((it) => long.consume(`long:${it}`)));
    const rdb = await origin.save();
    for (const engine of engines) {
      await survivesKill(t, 'ratelimit/purge', { rdb, cuts: 3, engine, pattern: 'rlflx:*' });
    }
  });
});

describe('rack-attack', { skip: !hasRackAttack() && 'ruby-rack-attack is not installed' }, () => {
  const params = { pattern: 'rack::attack:*', limiter: 'rack-attack', window: '1m' };

  for (const engine of engines) {
    test(`${engine}: counters of windows that are over go, never a ban or the window of now`, async (t) => {
      const server = await redisFor(t);
      const past = Math.floor(Date.now() / 60_000) - 2;
      const banned = await rack(server.socket, '60', ...visitors);
      assert.ok(Object.values(banned).every(Boolean));
      await rack(server.socket, '3600', 'hourly');
      for (const key of await server.client.keys('*')) await server.client.persist(key);
      const made = await snapshot(server.client);
      for (const who of visitors) await server.client.set(`rack::attack:${past}:logins/ip:${who}`, '4');
      await server.client.set(`rack::attack:fail2ban:ban:${past}:1`, '1');
      made.set(`rack::attack:fail2ban:ban:${past}:1`, (await snapshot(server.client)).get(`rack::attack:fail2ban:ban:${past}:1`));

      // Seen from one second before the end of the next window: those of now are not over.
      const { outcomes } = await moonshiftDone('ratelimit/purge', server.url, {
        engine,
        ...params,
        now: (past + 2) * 60_000 + 59_000,
      });
      assert.equal(outcomes.removed, visitors.length);
      assert.deepEqual(differences(made, await snapshot(server.client), byteForByte), []);
    });

    test(`${engine}: ratelimit/reset lets one visitor in again, bans included`, async (t) => {
      const server = await redisFor(t);
      await rack(server.socket, '31536000', ...visitors);
      const before = await snapshot(server.client);
      const [who] = visitors;
      await moonshiftDone('ratelimit/reset', server.url, { engine, prefix: 'rack::attack:', client: who });
      const gone = differences(before, await snapshot(server.client), byteForByte);
      assert.equal(gone.length, 3);
      assert.ok(gone.every((name) => name.endsWith(`:${who}`)));
    });
  }
});

describe('the limiter of a queue', () => {
  const params = { pattern: '*:limiter', limiter: 'bullmq' };

  for (const engine of engines) {
    test(`${engine}: BullMQ keeps to its limit again, and no other key goes`, async (t) => {
      const server = await redisFor(t);
      const connection = server.connect();
      const prefix = '{app:bull}';
      const queue = server.host(new Queue('mail', { connection, prefix }));
      await queue.addBulk(Array.from({ length: 20 }, (_, i) => ({ name: 'job', data: { i } })));
      await server.client.set(`${prefix}:mail:limiter`, '7'); // what a lost TTL leaves
      await server.client.set('no queue:limiter', '7');
      await server.client.set(`${prefix}:limiter`, '7');
      await server.client.set(`${prefix}:other:limiter`, '7', 'EX', 1000);
      const before = await snapshot(server.client);
      const { outcomes } = await moonshiftDone('ratelimit/purge', server.url, { engine, ...params });
      assert.deepEqual(outcomes, { removed: 1, kept: 2 });
      assert.deepEqual(differences(before, await snapshot(server.client)), [`${prefix}:mail:limiter`]);

      let done = 0;
      server.host(
        new Worker('mail', async () => void done++, {
          connection: server.connect(),
          prefix,
          limiter: { max: 5, duration: hour },
        }),
      );
      await until(async () => (await queue.getRateLimitTtl(5)) > 0 && done === 5, 'the limit is reached');
      assert.equal(await queue.getWaitingCount(), 15);
    });

    test(`${engine}: Bull runs its jobs again`, async (t) => {
      const server = await redisFor(t);
      const limiter = { max: 5, duration: hour };
      const queue = new Bull('mail', { redis: { path: server.socket }, limiter });
      server.host({ close: () => queue.close() });
      for (let i = 0; i < 10; i++) await queue.add({ i });
      await server.client.set('bull:mail:limiter', '7');
      const { outcomes } = await moonshiftDone('ratelimit/purge', server.url, { engine, ...params });
      assert.deepEqual(outcomes, { removed: 1 });
      let done = 0;
      queue.process(async () => void done++);
      await until(() => done === 5, 'the first window');
    });
  }
});

describe('ratelimit/reset', () => {
  for (const engine of engines) {
    test(`${engine}: python-limits lets one visitor in again, and nobody else`, async (t) => {
      const server = await redisFor(t);
      for (const strategy of ['fixed-window', 'moving-window']) {
        await knock(server.socket, strategy, `${strategy === 'fixed-window' ? 2 : 3}/hour`, 4, ...visitors);
      }
      await server.client.set(`${limitsPrefix}LIMITER/${visitors[0]}/no limit`, '1');
      for (const who of visitors) {
        const before = await snapshot(server.client);
        const { outcomes } = await moonshiftDone('ratelimit/reset', server.url, {
          engine,
          prefix: `${limitsPrefix}LIMITER/`,
          client: who,
        });
        assert.deepEqual(outcomes, { removed: 2 }, who);
        assert.deepEqual(
          differences(before, await snapshot(server.client), byteForByte).sort(),
          ['2/1/hour', '3/1/hour'].map((limit) =>
            Buffer.from(`${limitsPrefix}LIMITER/${who}/${limit}`).toString('latin1'),
          ),
        );
      }
    });

    if (limitsPrefix) {
      test(`${engine}: a sliding window of python-limits ends for one visitor alone`, async (t) => {
        const server = await redisFor(t);
        await knock(server.socket, 'sliding-window-counter', '2/hour', 4, ...visitors);
        for (const who of visitors) {
          const before = await snapshot(server.client);
          const { outcomes } = await moonshiftDone('ratelimit/reset', server.url, {
            engine,
            prefix: 'LIMITS:{LIMITER/',
            client: who,
          });
          assert.deepEqual(outcomes, { removed: 1 }, who);
          const gone = Buffer.from(`LIMITS:{LIMITER/${who}/2/1/hour}`).toString('latin1');
          assert.deepEqual(differences(before, await snapshot(server.client), byteForByte), [gone]);
        }
      });
    }

    test(`${engine}: exact keys and clients of other limiters, taken literally`, async (t) => {
      const server = await redisFor(t);
      const limiter = new RateLimiterRedis({ storeClient: server.client, points: 2, duration: 3600 });
      for (const who of [...visitors, 'a', 'ab', 'aXb']) await limiter.consume(who);
      await limiter.block('a*b', 3600);
      await server.client.hset('rlflx:hash', 'f', '1');
      const before = await snapshot(server.client);
      const reset = (params) => moonshiftDone('ratelimit/reset', server.url, { engine, ...params });
      assert.deepEqual((await reset({ prefix: 'rlflx:', client: ['a*b', '[x]?'] })).outcomes, { removed: 2 });
      assert.deepEqual((await reset({ key: ['rlflx:a', 'rlflx:none', 'rlflx:hash'] })).outcomes, {
        removed: 1,
        kept: 1,
      });
      assert.deepEqual(
        differences(before, await snapshot(server.client), byteForByte),
        ['rlflx:[x]?', 'rlflx:a', 'rlflx:a*b'].sort(),
      );
      assert.equal((await limiter.consume('a*b')).consumedPoints, 1);
    });
  }

  test('a limiter that is in use is reset once and counts on', async (t) => {
    const server = await redisFor(t);
    const limiter = new RateLimiterRedis({ storeClient: server.client, points: 1e9, duration: 3600 });
    let busy = true;
    await limiter.consume('busy', 1e6);
    const traffic = (async () => {
      while (busy) await limiter.consume('busy');
    })();
    const report = await moonshiftDone('ratelimit/reset', server.url, {
      engine: 'server', // a key that is counted all the time leaves a transaction of ours no gap
      key: 'rlflx:busy',
    });
    busy = false;
    await traffic;
    assert.deepEqual(report.outcomes, { removed: 1 });
    assert.ok((await limiter.get('busy')).consumedPoints < 1e6);
  });
});

describe('parameters that do not go together', () => {
  const cases = [
    ['ratelimit/purge', { pattern: 'rl:*', action: 'expire' }, /needs the window/],
    ['ratelimit/purge', { pattern: 'rl:*', action: 'expire', window: '1h', only: 'all' }, /only=leaked/],
    ['ratelimit/purge', { pattern: 'rl:*', limiter: 'python-limits', only: 'all' }, /only=leaked/],
    ['ratelimit/purge', { pattern: 'rack*', limiter: 'rack-attack' }, /period/],
    ['ratelimit/purge', { pattern: '*' }, /everything=true/],
    ['runbook/clear-rate-limits', { pattern: '?*', only: 'all' }, /everything=true/],
    ['ratelimit/reset', {}, /name a limiter/],
    ['ratelimit/reset', { client: 'a' }, /needs prefix/],
    ['ratelimit/reset', { client: '', prefix: 'rl:' }, /empty/],
  ];
  for (const [script, params, message] of cases) {
    test(`${script} ${JSON.stringify(params)} changes nothing`, async (t) => {
      const server = await redisFor(t);
      await server.client.set('rl:1', '1');
      await server.client.set('', '1');
      const { code, report } = await moonshift(script, server.url, params);
      assert.notEqual(code, 0);
      assert.match(JSON.stringify(report), message);
      assert.equal(await server.client.dbsize(), 2);
    });
  }
});
