// ratelimit/purge on the counters of two real limiters: what leaked goes, what is live stays.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { RedisStore } from 'rate-limit-redis';
import {
  byteForByte,
  differences,
  moonshiftDone,
  redisFor,
  RedisServer,
  snapshot,
  until,
} from './support.mjs';

const clients = [
  '203.0.113.7',
  '2001:db8::1',
  'ключ-ü-🚀',
  'two\nlines',
  'nul\0inside',
  '*',
  '[a-z]?',
  '\\*',
];

/** A window below a second becomes none: rate-limiter-flexible's counters then never expire. */
async function useFlexible(storeClient) {
  const [short, long] = [0.5, 3600].map(
    (duration) => new RateLimiterRedis({ storeClient, points: 5, duration }),
  );
  for (const who of clients) {
    await short.consume(`short:${who}`);
    await long.consume(`long:${who}`);
    await long.block(`blocked:${who}`, 3600);
  }
}

/** A DECR after the end of the window: rate-limit-redis then leaves -1 behind, for ever. */
async function useExpress(client) {
  const open = async (windowMs) => {
    const store = new RedisStore({ sendCommand: (...command) => client.call(...command) });
    await store.init({ windowMs });
    return store;
  };
  const [short, long] = [await open(1), await open(3600_000)];
  for (const who of clients) {
    await short.increment(`late:${who}`);
    await until(async () => !(await client.exists(`rl:late:${who}`)), 'the window is over');
    await short.decrement(`late:${who}`);
    await long.increment(who);
  }
}

/** Neighbours without a TTL, none of which is a counter under the given patterns. */
async function addNeighbours(client) {
  await client.set('rlflx', '1');
  await client.set('xrl:1', '1');
  await client.set('RL:1', '1');
  await client.hset('session:1', 'rl:', '1');
}

describe('ratelimit/purge', () => {
  const pattern = ['rlflx:*', 'rl:*'];
  const leaks = (name) => /^(rlflx:short:|rl:late:)/.test(name);
  const counter = (name) => /^(rlflx|rl):/.test(name);
  const without = (all, gone) => new Map([...all].filter(([name]) => !gone(name)));
  let origin, rdb;

  before(async () => {
    origin = await RedisServer.start();
    await useFlexible(origin.client);
    await useExpress(origin.client);
    await addNeighbours(origin.client);
    rdb = await origin.save();
  });
  after(() => origin.stop());

  for (const engine of ['local', 'server']) {
    test(`${engine}: only leaked counters go, live ones stay byte for byte`, async (t) => {
      const server = await redisFor(t, { rdb });
      const loaded = await snapshot(server.client);
      const { outcomes } = await moonshiftDone('ratelimit/purge', server.url, { engine, pattern });
      assert.deepEqual(outcomes, { removed: 2 * clients.length });
      assert.deepEqual(
        differences(without(loaded, leaks), await snapshot(server.client), byteForByte),
        [],
      );
    });

    test(`${engine}: one pattern leaves the other limiter alone`, async (t) => {
      const server = await redisFor(t, { rdb });
      const loaded = await snapshot(server.client);
      await moonshiftDone('ratelimit/purge', server.url, { engine, pattern: 'rl:*' });
      const gone = (name) => leaks(name) && name.startsWith('rl:');
      assert.deepEqual(
        differences(without(loaded, gone), await snapshot(server.client), byteForByte),
        [],
      );
    });

    test(`${engine}: only=all takes the live counters too, and nothing else`, async (t) => {
      const server = await redisFor(t, { rdb });
      const loaded = await snapshot(server.client);
      await moonshiftDone('ratelimit/purge', server.url, { engine, pattern, only: 'all' });
      assert.deepEqual(
        differences(without(loaded, counter), await snapshot(server.client), byteForByte),
        [],
      );
    });

    test(`${engine}: a client whose counter was purged is counted anew`, async (t) => {
      const server = await redisFor(t, { rdb });
      await moonshiftDone('ratelimit/purge', server.url, { engine, pattern });
      const limiter = new RateLimiterRedis({ storeClient: server.client, points: 5, duration: 60 });
      assert.equal((await limiter.consume(`short:${clients[0]}`)).consumedPoints, 1);
      assert.ok((await server.client.pttl(`rlflx:short:${clients[0]}`)) > 0);
    });
  }
});
