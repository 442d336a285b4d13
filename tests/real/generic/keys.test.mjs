// keys/delete, keys/expire and sessions/purge.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import {
  byteForByte,
  differences,
  launchMoonshift,
  moonshift,
  moonshiftDone,
  redisFor,
  runArguments,
  snapshot,
  until,
} from '../support.mjs';
import { addQueues } from './neighbours.mjs';

const latin1 = (bytes) => bytes.toString('latin1');
const names = ['plain', '*', '[a-z]?', '\\*', 'two\nlines', 'nul\0in', 'ключ-🚀', '\xff\xfe'].map((it) =>
  /[\x80-\xff]/.test(it) && !/[^\x00-\xff]/.test(it) ? Buffer.from(it, 'latin1') : Buffer.from(it),
);
const prefixed = (prefix) => names.map((name) => Buffer.concat([Buffer.from(prefix), name]));
const engines = ['local', 'server'];

const make = {
  string: (client, key) => client.set(key, 'x'),
  hash: (client, key) => client.hset(key, 'f', 'x'),
  list: (client, key) => client.rpush(key, 'x'),
  set: (client, key) => client.sadd(key, 'x'),
  zset: (client, key) => client.zadd(key, 1, 'x'),
  stream: (client, key) => client.xadd(key, '*', 'f', 'x'),
};
const types = Object.keys(make);

/** Runs the task, and demands that exactly the keys for which `goes` holds are gone, the others untouched. */
async function assertOnlyGone(server, script, params, goes) {
  const before = await snapshot(server.client);
  const report = await moonshiftDone(script, server.url, params);
  const after = await snapshot(server.client);
  assert.deepEqual(
    differences(before, after, byteForByte),
    [...before.keys()].filter(goes).sort(),
    JSON.stringify(report.outcomes),
  );
  assert.ok([...after.keys()].every((name) => before.has(name)));
  return report;
}

/** The same without a look at any key, which would be a use of it. */
async function assertOnlyTheseGo(server, script, params, gone) {
  const names = async () => (await server.client.keysBuffer('*')).map(latin1).sort();
  const before = await names();
  const report = await moonshiftDone(script, server.url, params);
  assert.deepEqual(
    await names(),
    before.filter((name) => !gone.includes(name)),
  );
  assert.deepEqual(report.outcomes, { removed: gone.length });
}

/** Seconds pass: Redis tells idle times in whole ones. */
const idleFor = (client, key, seconds) =>
  until(async () => (await client.object('IDLETIME', key)) >= seconds, `${key} is idle`, 30);

describe('keys/delete', () => {
  const engine = 'server';
  const script = 'keys/delete';

  test('only keys under the pattern, whatever bytes their names have', async (t) => {
    const server = await redisFor(t);
    for (const key of [...prefixed('cache:'), ...prefixed('cachE:'), ...prefixed('cache')]) {
      await server.client.set(key, '1');
    }
    const pattern = 'cache:*';
    const report = await assertOnlyGone(server, script, { engine, pattern }, (it) => it.startsWith('cache:'));
    assert.deepEqual(report.outcomes, { removed: names.length });
  });

  test('a name with glob characters is deleted by its escaped pattern alone', async (t) => {
    const server = await redisFor(t);
    for (const key of ['c:[a]*', 'c:a', 'c:abc', 'c:[a]xyz']) await server.client.set(key, '1');
    await assertOnlyGone(server, script, { engine, pattern: 'c:\\[a\\]\\*' }, (it) => it === 'c:[a]*');
  });

  for (const type of types) {
    test(`type=${type} takes no other type`, async (t) => {
      const server = await redisFor(t);
      for (const it of types) await make[it](server.client, `c:${it}`);
      await assertOnlyGone(server, script, { engine, pattern: 'c:*', type }, (it) => it === `c:${type}`);
    });
  }

  test('by TTL: none, any, below', async (t) => {
    const fill = async () => {
      const server = await redisFor(t);
      await server.client.set('c:none', '1');
      await server.client.set('c:long', '1', 'EX', 5000);
      await server.client.set('c:short', '1', 'EX', 500);
      return server;
    };
    const cases = [
      [{ ttl: 'none' }, ['c:none']],
      [{ ttl_below: '10m' }, ['c:short']],
      [{}, ['c:long', 'c:none', 'c:short']],
    ];
    for (const [params, gone] of cases) {
      await assertOnlyGone(await fill(), script, { engine, pattern: 'c:*', ...params }, (it) => gone.includes(it));
    }
  });

  test('by size', async (t) => {
    const server = await redisFor(t);
    await server.client.set('c:large', 'x'.repeat(100_000));
    await server.client.set('c:small', 'x'.repeat(100));
    await assertOnlyGone(server, script, { engine, pattern: 'c:*', larger_than: '50kb' }, (it) => it === 'c:large');
  });

  test('by idle time, which no look at the keys ends', async (t) => {
    const server = await redisFor(t);
    for (const key of ['c:idle', 'c:read', 'c:written']) await server.client.set(key, 'text');
    await server.client.set('c:number', '17');
    await idleFor(server.client, 'c:idle', 4);
    await server.client.get('c:read');
    await server.client.set('c:written', 'other');
    await server.client.set('c:number written', '4711'); // Redis shares this one among all keys
    const params = { engine, pattern: 'c:*', idle: '2s' };
    const { done } = launchMoonshift(...runArguments(script, server.url, params), '--dry-run');
    assert.equal(JSON.parse((await done).stdout).found, 1);
    await assertOnlyTheseGo(server, script, params, ['c:idle']);
  });

  test('under an LFU policy idle times are refused', async (t) => {
    const server = await redisFor(t);
    await server.client.set('c:1', '1');
    await server.client.config('SET', 'maxmemory-policy', 'allkeys-lfu');
    for (const name of [script, 'sessions/purge']) {
      const { code, report } = await moonshift(name, server.url, { engine, pattern: 'c:*', idle: '0s' });
      assert.equal(code, 1);
      assert.match(JSON.stringify(report), /keeps no idle times/);
    }
    assert.equal(await server.client.dbsize(), 1);
  });

  test('a pattern that every key matches needs everything=true', async (t) => {
    const server = await redisFor(t);
    for (const it of types) await make[it](server.client, it);
    for (const pattern of ['*', '**', '?*', '[^z]*', '[a-z]*']) {
      for (const name of [script, 'keys/expire', 'sessions/purge']) {
        const { code } = await moonshift(name, server.url, { engine, pattern, ...(name === 'keys/expire' && { ttl: '1h' }) });
        assert.equal(code, 1, `${name} ${pattern}`);
      }
    }
    assert.equal(await server.client.dbsize(), types.length);
    await assertOnlyGone(server, script, { engine, pattern: '*', everything: true }, () => true);
  });

  test('a key that is used all the time is never deleted for being idle', async (t) => {
    const server = await redisFor(t);
    await server.client.eval("for i = 1, 2000 do redis.call('SET', 'c:' .. i, 'text') end", 0);
    await idleFor(server.client, 'c:1', 2);
    let busy = true;
    const lost = [];
    const read = async () => {
      const kept = [];
      for (let i = 2000; i > 0 && busy; i--) {
        if (await server.client.get(`c:${i}`)) kept.push(i);
      }
      return kept;
    };
    const reading = read();
    const report = await moonshiftDone(script, server.url, { engine, pattern: 'c:*', idle: '1s' });
    busy = false;
    for (const i of await reading) if (!(await server.client.exists(`c:${i}`))) lost.push(i);
    assert.deepEqual(lost, []);
    assert.equal(report.outcomes.removed + (await server.client.dbsize()), 2000);
  });

  test('a run that is killed anywhere and run again leaves what a whole one leaves', async (t) => {
    const origin = await redisFor(t);
    await origin.client.eval("for i = 1, 4000 do redis.call('SET', 'c:' .. i, i) redis.call('SET', 'd:' .. i, i) end", 0);
    const rdb = await origin.save();
    await survivesKill(t, script, { rdb, cuts: 4, engine, pattern: 'c:*' });
  });

  test('the local engine is refused, for it could not see a key being read', async (t) => {
    const server = await redisFor(t);
    await server.client.set('c:1', '1');
    const { code } = await moonshift(script, server.url, { engine: 'local', pattern: 'c:*' });
    assert.notEqual(code, 0);
    assert.equal(await server.client.dbsize(), 1);
  });
});

describe('keys of a job queue', () => {
  for (const [script, params] of [
    ['keys/delete', {}],
    ['sessions/purge', { idle: '0s' }],
    ['keys/expire', { ttl: '1h' }],
    ['ratelimit/purge', { type: ['string', 'hash', 'list', 'set', 'zset'] }],
    ['circuit/reset', { type: ['string', 'hash', 'list', 'set', 'zset'] }],
  ]) {
    test(`${script} leaves them alone, whatever the pattern`, async (t) => {
      const server = await redisFor(t);
      const libraries = await addQueues(server);
      const before = await snapshot(server.client);
      await server.client.set('user:1', 'text');
      await server.client.set('user:id', '123456'); // a counter, but no queue
      await server.client.rpush('user:jobs', '1');
      if (params.idle) await idleFor(server.client, 'user:jobs', 1);
      const engine = script === 'keys/delete' || params.idle ? 'server' : 'local';
      const report = await moonshiftDone(script, server.url, { engine, pattern: '*', everything: true, ...params });
      const expected = script === 'sessions/purge' ? 2 : 3;
      assert.equal(report.outcomes.removed ?? report.outcomes.expires, expected, JSON.stringify(report));
      assert.equal(report.failed, 0);
      const after = await snapshot(server.client);
      for (const key of ['user:1', 'user:id', 'user:jobs']) after.delete(key);
      assert.deepEqual(differences(before, after, ['contents', 'type', 'expires']), []);
      if (script !== 'keys/delete') return;
      for (const library of libraries) assert.match(JSON.stringify(report), new RegExp(library));
    });
  }
});

describe('keys/expire', () => {
  const script = 'keys/expire';

  for (const engine of engines) {
    test(`${engine}: keys without a TTL get one, the others keep theirs`, async (t) => {
      const server = await redisFor(t);
      const all = prefixed('cache:');
      for (const key of all) await server.client.set(key, '1');
      for (const type of types) await make[type](server.client, `cache:${type}`);
      await server.client.set('cache:live', '1', 'EX', 50);
      await server.client.set('other', '1');
      const before = await snapshot(server.client);
      const report = await moonshiftDone(script, server.url, { engine, pattern: 'cache:*', ttl: '1h' });
      assert.deepEqual(report.outcomes, { expires: all.length + types.length });
      const after = await snapshot(server.client);
      assert.deepEqual(differences(before, after, ['type', 'contents']), []);
      for (const [name, { expires }] of after) {
        if (!name.startsWith('cache:') || name === 'cache:live') {
          assert.equal(expires, before.get(name).expires);
        } else {
          const left = expires - Date.now();
          assert.ok(left > 3500_000 && left <= 3600_000, `${name}: ${left}`);
        }
      }
    });

    test(`${engine}: with spread they do not all end at once`, async (t) => {
      const server = await redisFor(t);
      await server.client.eval("for i = 1, 500 do redis.call('SET', 'c:' .. i, i) end", 0);
      await moonshiftDone(script, server.url, { engine, pattern: 'c:*', ttl: '1h', spread: '1h' });
      const left = [];
      for (let i = 1; i <= 500; i++) left.push(await server.client.pttl(`c:${i}`));
      assert.ok(Math.min(...left) > 3500_000 && Math.max(...left) <= 7200_000);
      const early = left.filter((it) => it < 5400_000).length;
      assert.ok(early > 150 && early < 350, `${early} of 500 in the first half`);
    });

    test(`${engine}: a TTL that somebody gives at the same moment stays`, async (t) => {
      const server = await redisFor(t);
      await server.client.eval("for i = 1, 4000 do redis.call('SET', 'c:' .. i, i) end", 0);
      const given = [];
      let busy = true;
      const giving = (async () => {
        for (let i = 4000; i > 0 && busy; i--) {
          if (await server.client.call('PEXPIRE', `c:${i}`, 90_000_000, 'NX')) given.push(i);
        }
      })();
      await moonshiftDone(script, server.url, { engine, pattern: 'c:*', ttl: '1h' });
      busy = false;
      await giving;
      assert.ok(given.length > 0);
      for (const i of given) assert.ok((await server.client.pttl(`c:${i}`)) > 80_000_000, `c:${i}`);
    });

    test(`${engine}: a run that is killed anywhere and run again gives each key its TTL`, async (t) => {
      const origin = await redisFor(t);
      await origin.client.eval("for i = 1, 3000 do redis.call('SET', 'c:' .. i, i) end", 0);
      const rdb = await origin.save();
      const expires = (name) => name.startsWith('c:'); // when, depends on the clock
      await survivesKill(t, script, { rdb, cuts: 3, engine, pattern: 'c:*', ttl: '1h', ignore: expires });
    });
  }
});

describe('sessions/purge', () => {
  const engine = 'server';
  const script = 'sessions/purge';

  test('only sessions that were not used for longer than idle, and have no TTL', async (t) => {
    const server = await redisFor(t);
    const idle = [...prefixed('sess:'), 'sess:hash'];
    for (const key of idle.slice(0, -1)) await server.client.set(key, '{"user":1}');
    await server.client.hset('sess:hash', 'user', '1');
    await server.client.set('sess:ttl', '1', 'EX', 5000);
    await server.client.sadd('sess:set', '1');
    await server.client.set('other', 'text'); // a number would be shared, and so its idle time
    await idleFor(server.client, 'other', 4);
    await server.client.set('sess:new', '{}');
    await server.client.set('sess:read', '{}');
    const gone = idle.map((it) => latin1(Buffer.from(it)));
    await assertOnlyTheseGo(server, script, { engine, pattern: 'sess:*', idle: '2s' }, gone);
  });

  test('under an LFU policy max_frequency decides', async (t) => {
    const server = await redisFor(t);
    await server.client.config('SET', 'maxmemory-policy', 'allkeys-lfu', 'lfu-decay-time', '0', 'lfu-log-factor', '0');
    await server.client.set('sess:rare', '{}');
    await server.client.set('sess:often', '{}');
    for (let i = 0; i < 50; i++) await server.client.get('sess:often');
    const params = { engine, pattern: 'sess:*', max_frequency: 10 };
    await assertOnlyTheseGo(server, script, params, ['sess:rare']);
  });

  test('without one, max_frequency is refused', async (t) => {
    const server = await redisFor(t);
    await server.client.set('sess:1', '1');
    const { code } = await moonshift(script, server.url, { engine, pattern: 'sess:*', max_frequency: 10 });
    assert.equal(code, 1);
    assert.equal(await server.client.dbsize(), 1);
  });

  test('a run that is killed anywhere and run again leaves what a whole one leaves', async (t) => {
    const origin = await redisFor(t);
    await origin.client.eval("for i = 1, 4000 do redis.call('SET', 'sess:' .. i, '{}') end", 0);
    await idleFor(origin.client, 'sess:1', 3);
    await origin.client.config('SET', 'maxmemory-policy', 'allkeys-lru'); // has snapshots keep idle times
    await survivesKill(t, script, { rdb: await origin.save(), cuts: 3, engine, pattern: 'sess:*', idle: '2s' });
  });
});
