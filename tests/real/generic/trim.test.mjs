// lists/trim and streams/trim.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { byteForByte, differences, moonshift, moonshiftDone, redisFor, snapshot } from '../support.mjs';
import { addQueues } from './neighbours.mjs';

const engines = ['local', 'server'];
const day = 24 * 3600_000;

const push = (client, side, key, from, to) =>
  client.eval(`for i = ARGV[1], ARGV[2] do redis.call('${side}PUSH', KEYS[1], 'line ' .. i) end`, 1, key, from, to);

describe('lists/trim', () => {
  const script = 'lists/trim';

  for (const engine of engines) {
    for (const [newest, side] of [
      ['left', 'L'],
      ['right', 'R'],
    ]) {
      test(`${engine}: the newest stay where they are pushed on the ${newest}`, async (t) => {
        const server = await redisFor(t);
        const keys = ['log:a', 'log:*', 'log:two\nlines', Buffer.from([0x6c, 0x6f, 0x67, 0x3a, 0xff])];
        for (const key of keys) await push(server.client, side, key, 1, 5321);
        await push(server.client, side, 'log:short', 1, 100);
        await push(server.client, side, 'other', 1, 500);
        await server.client.set('log:string', '1');
        const before = await snapshot(server.client);
        await moonshiftDone(script, server.url, { engine, pattern: 'log:*', keep: 100, newest });
        for (const key of keys) {
          const left = await server.client.lrange(key, 0, -1);
          const expected = Array.from({ length: 100 }, (_, i) => `line ${5321 - i}`);
          assert.deepEqual(newest === 'left' ? left : left.reverse(), expected);
        }
        assert.equal(differences(before, await snapshot(server.client), byteForByte).length, keys.length);
      });
    }

    test(`${engine}: lists of a job queue stay as they are`, async (t) => {
      const server = await redisFor(t);
      const libraries = await addQueues(server);
      const before = await snapshot(server.client);
      const params = { engine, pattern: '*', everything: true, keep: 1 };
      const { outcomes, reasons } = await moonshiftDone(script, server.url, params);
      assert.deepEqual(Object.keys(outcomes), ['kept']);
      for (const library of libraries) assert.match(JSON.stringify(reasons), new RegExp(library));
      assert.deepEqual(differences(before, await snapshot(server.client), byteForByte), []);
    });

    test(`${engine}: a list that grows at full speed keeps all that is new`, async (t) => {
      const server = await redisFor(t);
      await push(server.client, 'L', 'log:a', 1, 60_000);
      let [busy, at] = [true, 60_000];
      const pushing = (async () => {
        while (busy) {
          await push(server.client, 'L', 'log:a', at + 1, at + 20);
          at += 20;
        }
      })();
      await moonshiftDone(script, server.url, { engine, pattern: 'log:*', keep: 5000 });
      busy = false;
      await pushing;
      const left = await server.client.lrange('log:a', 0, -1);
      assert.ok(left.length >= 5000 && left.length < 60_000);
      assert.deepEqual(
        left,
        left.map((_, i) => `line ${at - i}`),
      );
    });

    test(`${engine}: a run that is killed anywhere and run again leaves what a whole one leaves`, async (t) => {
      const origin = await redisFor(t);
      const adding = origin.client.pipeline();
      for (let i = 0; i < 2000; i++) push(adding, 'L', `log:${i}`, 1, 20);
      for (let i = 0; i < 3; i++) push(adding, 'L', `log:long:${i}`, 1, 5300);
      await adding.exec();
      await survivesKill(t, script, { rdb: await origin.save(), cuts: 3, engine, pattern: 'log:*', keep: 10 });
    });
  }

  for (const params of [{ pattern: '*', keep: 1 }, { pattern: 'log:*', keep: 0 }, { pattern: 'log:*', keep: -5 }]) {
    test(`${JSON.stringify(params)} is refused`, async (t) => {
      const server = await redisFor(t);
      await push(server.client, 'L', 'log:a', 1, 10);
      assert.equal((await moonshift(script, server.url, params)).code, 1);
      assert.equal(await server.client.llen('log:a'), 10);
    });
  }
});

/** Entries one second apart, the newest at `now`. */
async function fill(client, key, count, now) {
  const text = `for i = 1, ARGV[1] do
      redis.call('XADD', KEYS[1], string.format('%.0f-0', ARGV[2] - (ARGV[1] - i) * 1000), 'n', i)
    end`;
  await client.eval(text, 1, key, count, now);
}

const ids = async (client, key) => (await client.xrange(key, '-', '+')).map(([id]) => Number(id.split('-')[0]));

describe('streams/trim', () => {
  const engine = 'server';
  const script = 'streams/trim';
  const now = Date.parse('2026-11-01T02:30:00Z');
  const trim = (server, params) =>
    moonshiftDone(script, server.url, { engine, now, pattern: 'events:*', ...params });
  /** What a stream of `count` keeps: its newest `left`. */
  const newest = (left) => Array.from({ length: left }, (_, i) => now - (left - 1 - i) * 1000);

  const cases = [
    ['by age, the entry that is exactly so old stays', { older_than: '1000s' }, 1001],
    ['by number', { keep: 321 }, 321],
    ['by both, the number wins', { older_than: '100s', keep: 500 }, 500],
    ['by both, the age wins', { older_than: '1000s', keep: 500 }, 1001],
    ['by both, when the stream is shorter than keep', { older_than: '1s', keep: 9000 }, 5000],
    ['by an age that all have', { older_than: '0s' }, 1],
  ];
  for (const [name, params, left] of cases) {
    test(name, async (t) => {
      const server = await redisFor(t);
      const keys = ['events:a', 'events:[x]*\n'];
      for (const key of [...keys, 'other']) await fill(server.client, key, 5000, now);
      await server.client.set('events:string', '1');
      await trim(server, params);
      for (const key of keys) assert.deepEqual(await ids(server.client, key), newest(left));
      assert.equal(await server.client.xlen('other'), 5000);
    });
  }

  const groups = [
    ['a group that read nothing holds everything', async () => {}, 3000],
    [
      'a group that read some and acknowledged them lets those go',
      async (client) => {
        const read = await client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 2000, 'STREAMS', 'events:a', '>');
        await client.xack('events:a', 'g', ...read[0][1].map(([id]) => id));
      },
      1000,
    ],
    [
      'an entry that was delivered and not acknowledged holds itself and what came after',
      async (client) => {
        const read = await client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 2000, 'STREAMS', 'events:a', '>');
        const all = read[0][1].map(([id]) => id);
        await client.xack('events:a', 'g', ...all.filter((_, i) => i !== 700));
      },
      2300,
    ],
    [
      'a pending entry that was deleted holds nothing, the next one that is there does',
      async (client) => {
        const read = await client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 2000, 'STREAMS', 'events:a', '>');
        const all = read[0][1].map(([id]) => id);
        await client.xack('events:a', 'g', ...all.slice(50, 1500));
        await client.xdel('events:a', ...all.slice(0, 50));
      },
      1500,
    ],
    [
      'the slowest of two groups decides',
      async (client) => {
        await client.xgroup('CREATE', 'events:a', 'fast', '$');
        await client.xreadgroup('GROUP', 'g', 'c', 'COUNT', 500, 'NOACK', 'STREAMS', 'events:a', '>');
      },
      2500,
    ],
    [
      'a group that has read all lets all go that is old enough',
      (client) => client.xgroup('SETID', 'events:a', 'g', '$'),
      10,
    ],
  ];
  for (const [name, use, left] of groups) {
    for (const params of [{ older_than: '9500ms' }, { keep: 10 }, { older_than: '5s', keep: 10 }]) {
      test(`${name} (${Object.keys(params).join(' and ')})`, async (t) => {
        const server = await redisFor(t);
        await fill(server.client, 'events:a', 3000, now);
        await server.client.xgroup('CREATE', 'events:a', 'g', '0');
        await use(server.client);
        const pending = await server.client.xpending('events:a', 'g');
        await trim(server, params);
        assert.deepEqual(await ids(server.client, 'events:a'), newest(left));
        assert.deepEqual(await server.client.xpending('events:a', 'g'), pending);
        await trim(server, { ...params, undelivered: true });
        assert.deepEqual(await ids(server.client, 'events:a'), newest(10));
      });
    }
  }

  test('a consumer at full speed gets every entry, once, while its stream is trimmed', async (t) => {
    const server = await redisFor(t);
    const [producer, consumer] = [server.connect(), server.connect()];
    await producer.xgroup('CREATE', 'events:a', 'g', '0', 'MKSTREAM');
    let [added, busy, seen] = [0, true, 0];
    const adding = (async () => {
      while (busy || added < 3000) await producer.xadd('events:a', '*', 'n', ++added);
    })();
    const consuming = (async () => {
      for (;;) {
        const read = await consumer.xreadgroup('GROUP', 'g', 'c', 'COUNT', 50, 'STREAMS', 'events:a', '>');
        if (!read) {
          if (!busy && seen === added) return;
          continue;
        }
        for (const [id, [, n]] of read[0][1]) {
          assert.equal(Number(n), ++seen);
          await consumer.xack('events:a', 'g', id);
        }
      }
    })();
    for (let i = 0; i < 10; i++) {
      await moonshift(script, server.url, { engine, pattern: 'events:*', older_than: '0s' });
      await moonshift(script, server.url, { engine, pattern: 'events:*', keep: 5 });
    }
    busy = false;
    await Promise.all([adding, consuming]);
    assert.equal(seen, added);
  });

  test('a stream whose ids are no times is trimmed by number only', async (t) => {
    const server = await redisFor(t);
    for (let i = 1; i <= 50; i++) await server.client.xadd('events:a', `${i}-1`, 'n', i);
    const { outcomes, reasons } = await trim(server, { older_than: '1d' });
    assert.deepEqual(Object.keys(outcomes), ['kept'], JSON.stringify(reasons));
    assert.equal(await server.client.xlen('events:a'), 50);
    await trim(server, { keep: 7 });
    assert.equal(await server.client.xlen('events:a'), 7);
  });

  test('ids beyond 2^53 are compared exactly', async (t) => {
    const server = await redisFor(t);
    const large = ['1761964200000-18446744073709551613', '1761964200000-18446744073709551614', '1761964200000-18446744073709551615'];
    for (const id of large) await server.client.xadd('events:a', id, 'f', 'x');
    await server.client.xgroup('CREATE', 'events:a', 'g', large[1]);
    await trim(server, { keep: 1 });
    const left = (await server.client.xrange('events:a', '-', '+')).map(([id]) => id);
    assert.deepEqual(left, large.slice(1)); // the delivered one stays: a Lua number could not tell its successor
  });

  test('a run that is killed anywhere and run again leaves what a whole one leaves', async (t) => {
    const origin = await redisFor(t);
    const adding = origin.client.pipeline();
    for (let i = 0; i < 2000; i++) fill(adding, `events:${i}`, 30, now);
    for (let i = 0; i < 3; i++) fill(adding, `events:long:${i}`, 2500, now);
    await adding.exec();
    const rdb = await origin.save();
    for (const params of [{ older_than: '10s' }, { older_than: '10s', keep: 15 }]) {
      await survivesKill(t, script, { rdb, cuts: 2, engine, now, pattern: 'events:*', ...params });
    }
  });

  for (const params of [{ pattern: '*', keep: 1 }, { pattern: 'events:*' }]) {
    test(`${JSON.stringify(params)} is refused`, async (t) => {
      const server = await redisFor(t);
      await fill(server.client, 'events:a', 10, now - day);
      assert.equal((await moonshift(script, server.url, { engine, ...params })).code, 1);
      assert.equal(await server.client.xlen('events:a'), 10);
    });
  }
});
