// circuit/reset on what breakers keep in Redis, written as their libraries write it: pybreaker's
// CircuitRedisStorage and stoplight's state hash.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { byteForByte, differences, moonshift, moonshiftDone, redisFor, snapshot } from '../support.mjs';

/** pybreaker: no TTL, opened_at in seconds. */
async function openBreaker(client, namespace) {
  const base = namespace ? `${namespace}:pybreaker:` : 'pybreaker:';
  await client.mset(`${base}fail_counter`, '5', `${base}state`, 'open', `${base}opened_at`, '1761964200');
}

const light = (name) => `stoplight:v5:metadata:${name}`;

async function openLight(client, name, locked) {
  await client.hset(light(name), 'breached_at', '1761964200.5', 'recovery_scheduled_after', '1761964260.5');
  if (locked) await client.hset(light(name), 'locked_state', locked);
}

describe('circuit/reset', () => {
  const script = 'circuit/reset';

  for (const engine of ['local', 'server']) {
    test(`${engine}: the three keys of a pybreaker go together, those of others stay`, async (t) => {
      for (const [pattern, namespace] of [
        ['pay:pybreaker:state', 'pay'],
        ['pay:pybreaker:*', 'pay'],
        ['pybreaker:*', ''],
        ['*pay:pybreaker:opened_at', 'pay'],
      ]) {
        const server = await redisFor(t);
        for (const it of ['pay', 'mail', 'pay2', '']) await openBreaker(server.client, it);
        await server.client.set('mypybreaker:state', 'open');
        const before = await snapshot(server.client);
        const { outcomes, reasons } = await moonshiftDone(script, server.url, { engine, pattern });
        assert.equal(outcomes.removed, 1);
        assert.match(JSON.stringify(reasons), /calls go to what had failed/);
        const base = namespace ? `${namespace}:pybreaker:` : 'pybreaker:';
        assert.deepEqual(
          differences(before, await snapshot(server.client), byteForByte),
          ['fail_counter', 'opened_at', 'state'].map((it) => base + it),
        );
      }
    });

    test(`${engine}: of a pybreaker, a key of another type stays`, async (t) => {
      const server = await redisFor(t);
      await openBreaker(server.client, 'pay');
      await server.client.del('pay:pybreaker:opened_at');
      await server.client.rpush('pay:pybreaker:opened_at', 'of somebody else');
      const { outcomes } = await moonshiftDone(script, server.url, { engine, pattern: 'pay:pybreaker:*' });
      assert.equal(outcomes.removed, 1);
      assert.deepEqual(await server.client.keys('*'), ['pay:pybreaker:opened_at']);
    });

    test(`${engine}: a light that was locked by hand stays locked`, async (t) => {
      const server = await redisFor(t);
      for (const [name, locked] of [['a'], ['b', 'unlocked'], ['c', 'locked_red'], ['d', 'locked_green']]) {
        await openLight(server.client, name, locked);
      }
      await server.client.zadd('stoplight:v5:metrics:a:errors:1761962400', 1, 'x');
      const before = await snapshot(server.client);
      const { outcomes } = await moonshiftDone(script, server.url, { engine, pattern: 'stoplight:v5:*' });
      assert.deepEqual(outcomes, { removed: 2, kept: 2 });
      assert.deepEqual(differences(before, await snapshot(server.client), byteForByte), [light('a'), light('b')]);
      await moonshiftDone(script, server.url, { engine, pattern: 'stoplight:v5:metrics:a:*', type: 'zset' });
      assert.equal(await server.client.exists('stoplight:v5:metrics:a:errors:1761962400'), 0);
    });

    test(`${engine}: other breakers by name, whatever bytes it has, and of the types given`, async (t) => {
      const server = await redisFor(t);
      const names = ['cb:a', 'cb:[a]*', 'cb:\\*', 'cb:two\nlines', 'cb:nul\0'];
      for (const name of names) await server.client.set(name, 'OPEN');
      await server.client.set(Buffer.from([0x63, 0x62, 0x3a, 0xff]), 'OPEN');
      await server.client.lpush('cb:list', '1');
      await server.client.set('xcb:a', 'OPEN');
      const before = await snapshot(server.client);
      for (const name of ['circuit/reset', 'runbook/clear-circuit-breakers']) {
        await moonshiftDone(name, server.url, { engine, pattern: 'cb:\\[a\\]\\*' });
        assert.deepEqual(differences(before, await snapshot(server.client), byteForByte), ['cb:[a]*']);
      }
      const { outcomes } = await moonshiftDone(script, server.url, { engine, pattern: 'cb:*' });
      assert.deepEqual(outcomes, { removed: names.length });
      assert.equal(await server.client.dbsize(), 2);
    });

    test(`${engine}: a run that is killed anywhere and run again leaves what a whole one leaves`, async (t) => {
      const origin = await redisFor(t);
      const adding = origin.client.pipeline();
      for (let i = 0; i < 2500; i++) await openBreaker(adding, `service ${i}`);
      await adding.exec();
      await survivesKill(t, script, { rdb: await origin.save(), cuts: 2, engine, pattern: '*:pybreaker:*' });
    });
  }

  test('a breaker that is in use and writes its state anew is no failure', async (t) => {
    const server = await redisFor(t);
    await openBreaker(server.client, 'pay');
    let busy = true;
    const calls = (async () => {
      while (busy) {
        await server.client.setnx('pay:pybreaker:fail_counter', '0');
        await server.client.setnx('pay:pybreaker:state', 'closed');
      }
    })();
    await moonshiftDone(script, server.url, { pattern: 'pay:pybreaker:state' });
    busy = false;
    await calls;
    assert.equal(await server.client.get('pay:pybreaker:state'), 'closed');
    assert.equal(await server.client.exists('pay:pybreaker:opened_at'), 0);
  });

  test('without a pattern, or with one that every key matches, nothing is done', async (t) => {
    const server = await redisFor(t);
    await openBreaker(server.client, 'pay');
    assert.equal((await moonshift(script, server.url, {})).code, 2);
    assert.equal((await moonshift(script, server.url, { pattern: '*' })).code, 1);
    assert.equal(await server.client.dbsize(), 3);
  });
});
