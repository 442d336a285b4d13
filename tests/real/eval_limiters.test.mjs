// Every Lua script of rate-limiter-flexible and rate-limit-redis in moonshift's local engine,
// compared with EVAL.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  BurstyRateLimiter,
  RateLimiterQueue,
  RateLimiterRedis,
  RateLimiterValkey,
} from 'rate-limiter-flexible';
import { RedisStore } from 'rate-limit-redis';
import { compareScripts } from './replay.mjs';

const visitors = ['203.0.113.7', '2001:db8::1', 'ключ-ü-🚀', 'two\nlines', 'nul\0inside', '\\*'];
// The scripts answer with PTTL, which goes on while the second database is waited for.
const life = { replies: ['remaining life in ms'] };

async function useFlexible(server) {
  const storeClient = server.connect();
  const open = (options) => new RateLimiterRedis({ storeClient, points: 3, ...options });
  const long = open({ duration: 3600, blockDuration: 7200 });
  const even = open({ duration: 60, keyPrefix: 'even', execEvenly: true, execEvenlyMinDelayMs: 1 });
  const bursty = new BurstyRateLimiter(
    long,
    open({ keyPrefix: 'burst', points: 1, duration: 600 }),
  );
  const queue = new RateLimiterQueue(open({ keyPrefix: 'queue', points: 9, duration: 3600 }));
  for (const who of visitors) {
    for (const points of [1, 2]) await long.consume(who, points);
    await assert.rejects(long.consume(who));
    await long.penalty(who, 5);
    await long.reward(who, 2);
    await long.get(who);
    await even.consume(who);
    await bursty.consume(`both ${who}`);
    await queue.removeTokens(2, who);
    await long.set(`set ${who}`, 2, 600);
    await long.consume(`set ${who}`);
    await long.block(`blocked ${who}`, 600);
    await assert.rejects(long.consume(`blocked ${who}`));
    await long.delete(who);
  }
  // A counter without an expiry, as windows below a second leave it, gets one.
  await open({ duration: 0.5 }).consume('short');
  await long.consume('short', 2);
  await storeClient.set('rlflx:text', 'no number');
  await assert.rejects(long.consume('text'));
}

/** Valkey calls `redis` `server`. On Redis that is an error, whose text has to be the same. */
async function useFlexibleForValkey(server) {
  const limiter = new RateLimiterValkey({ storeClient: server.connect(), points: 3, duration: 60 });
  await assert.rejects(limiter.consume('somebody'), /nonexistent global variable 'server'/);
}

async function useExpress(server) {
  const client = server.connect();
  const open = async (options, windowMs) => {
    const sendCommand = (...command) => client.call(...command);
    const store = new RedisStore({ sendCommand, ...options });
    await store.init({ windowMs });
    return store;
  };
  const stores = [await open({}, 3600_000), await open({ prefix: 'other:' }, 90_061)];
  for (const who of visitors) {
    for (const store of stores) {
      await store.get(who);
      for (let hit = 0; hit < 3; hit++) await store.increment(who);
      await store.decrement(who);
      await store.get(who);
    }
    await stores[0].resetKey(who);
    await stores[0].increment(who);
  }
  // What a late DECR leaves behind: a negative counter that never expires.
  await stores[0].decrement('late');
  await stores[0].get('late');
  await stores[0].increment('late');
}

const textOf = (Limiter) => {
  const storeClient = { defineCommand: () => {} };
  return new Limiter({ storeClient, points: 1, duration: 1 })._incrTtlLuaScript;
};

compareScripts('rate-limiter-flexible in the local engine', {
  scripts: new Map([
    ['increment', textOf(RateLimiterRedis)],
    ['increment for Valkey', textOf(RateLimiterValkey)],
  ]),
  scenarios: [
    ['limiters of all kinds', useFlexible],
    ['the one for Valkey', useFlexibleForValkey],
  ],
  rules: life,
});

/** rate-limit-redis does not export its scripts; they are template strings in its source. */
function scriptsOfExpress() {
  const source = readFileSync(new URL(import.meta.resolve('rate-limit-redis')), 'utf8');
  const templates = source.matchAll(
    /^ {2}(\w+): `([^`]*)`\.replaceAll\(\/\^\\s\+\/gm, ""\)\.trim\(\)/gm,
  );
  return new Map(
    [...templates].map(([, name, text]) => [name, text.replaceAll(/^\s+/gm, '').trim()]),
  );
}

compareScripts('rate-limit-redis in the local engine', {
  scripts: scriptsOfExpress(),
  scenarios: [['stores with different windows', useExpress]],
  rules: life,
});
