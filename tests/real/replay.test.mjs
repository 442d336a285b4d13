// The replay itself: it finds every kind of difference, and forgives only what a rule names.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { EvalBatch, Recorder, Replayer, rules } from './replay.mjs';

const script = `
  redis.call('HSET', KEYS[1], 'field', ARGV[1], 'other', '1')
  redis.call('RPUSH', KEYS[2], 'a', 'b', ARGV[1])
  redis.call('SADD', KEYS[3], 'x', 'y')
  redis.call('ZADD', KEYS[4], 1, 'one', 1.5, ARGV[1])
  redis.call('XADD', KEYS[5], '*', 'event', ARGV[1])
  redis.call('SET', KEYS[6], ARGV[1], 'PX', 600000)
  redis.call('PUBLISH', 'channel', ARGV[1])
  return {1, ARGV[1], redis.status_reply('FINE'), false, {redis.error_reply('ERR inside')}}`;
const argument = 'ü\xff\0"\r\n';
const keys = ['hash', 'list', 'set', 'zset', 'stream', 'nul\0key'];

/** moonshift, but with another reply, or after more `commands` than the script gave. */
function falsified({ reply: change = (reply) => reply, commands = [] }) {
  const asScript = (argv) => ({ text: 'return redis.call(unpack(ARGV))', keys: [], args: argv });
  return (url) => {
    const batch = new EvalBatch(url, 'server');
    return {
      ask: async (step) => {
        const reply = change(await batch.ask(step));
        for (const argv of commands) await batch.ask(asScript(argv));
        return reply;
      },
      close: () => batch.close(),
    };
  };
}

const falsifications = {
  'a number in the reply': { reply: ([, ...rest]) => [2, ...rest] },
  'a number that became a string': { reply: ([, ...rest]) => ['1', ...rest] },
  'a string in the reply': { reply: (reply) => reply.with(1, 'other') },
  'a status that became a string': { reply: (reply) => reply.with(2, 'FINE') },
  'nil that became 0': { reply: (reply) => reply.with(3, 0) },
  'the text of an inner error': { reply: (reply) => reply.with(4, [{ e: 'ERR elsewhere' }]) },
  'an element too much': { reply: (reply) => [...reply, null] },
  'an error instead of a reply': { reply: () => ({ e: 'ERR broken' }) },
  'a field of a hash': { commands: [['HSET', 'hash', 'field', 'x']] },
  'the order of a list': { commands: [['LMOVE', 'list', 'list', 'LEFT', 'RIGHT']] },
  'a member of a set': { commands: [['SADD', 'set', 'z']] },
  'a score': { commands: [['ZINCRBY', 'zset', '0.5', 'one']] },
  'an entry of a stream': { commands: [['XADD', 'stream', '*', 'event', 'two']] },
  'the id of an entry': {
    commands: [
      ['DEL', 'stream'],
      ['XADD', 'stream', '1-1', 'event', argument],
    ],
  },
  'a string': { commands: [['APPEND', 'nul\0key', '!']] },
  'an expiry that is gone': { commands: [['PERSIST', 'nul\0key']] },
  'an expiry too much': { commands: [['EXPIRE', 'list', '600']] },
  'seconds for milliseconds': { commands: [['EXPIRE', 'nul\0key', '600000']] },
  'another type': {
    commands: [
      ['DEL', 'set'],
      ['RPUSH', 'set', 'x', 'y'],
    ],
  },
  'a key too much': { commands: [['SET', 'extra', '1']] },
  'a message': { commands: [['PUBLISH', 'channel', 'other']] },
  'a key that is missing': { commands: [['DEL', 'zset']] },
};

describe('replay', () => {
  let recorder, steps;

  before(async () => {
    recorder = await Recorder.start();
    steps = await recorder.record(async ({ client }) => {
      await client.set('before', 1);
      await client.eval(script, keys.length, ...keys, Buffer.from(argument, 'latin1'));
      await client.set('after', 1);
    });
  });
  after(() => recorder.stop());

  const replayed = async (open) => {
    const replayer = await Replayer.start(open);
    try {
      return await replayer.replay(steps, { name: () => 'the script' });
    } finally {
      await replayer.stop();
    }
  };

  test('a recording holds commands and scripts, bytes and all', () => {
    assert.deepEqual(steps, [
      { argv: ['set', 'before', '1'] },
      { text: script, keys, args: [argument] },
      { argv: ['set', 'after', '1'] },
    ]);
  });

  test('scripts are known by EVAL and SCRIPT LOAD, and an unknown one is skipped', async () => {
    const text = 'return redis.call("INCR", KEYS[1])';
    const recorded = await recorder.record(async ({ client }) => {
      const sha = createHash('sha1').update(text).digest('hex');
      await assert.rejects(client.evalsha(sha, 1, 'key'), /NOSCRIPT/);
      await client.script('LOAD', text);
      await client.multi().evalsha(sha.toUpperCase(), 1, 'key').exec();
      await client.eval(text, 1, 'key');
    });
    assert.deepEqual(recorded, Array(2).fill({ text, keys: ['key'], args: [] }));
  });

  test('what waits is replayed without waiting', async () => {
    const recorded = await recorder.record(async ({ client }) => {
      await client.rpush('list', 'a', 'b');
      await client.brpoplpush('list', 'other', 5);
      await client.blmove('list', 'other', 'LEFT', 'RIGHT', 5);
      await client.zadd('zset', 1, 'one');
      await client.bzpopmin('zset', 5);
    });
    assert.deepEqual(
      recorded.map(({ argv }) => argv.join(' ').toUpperCase()),
      [
        'RPUSH LIST A B',
        'RPOPLPUSH LIST OTHER',
        'LMOVE LIST OTHER LEFT RIGHT',
        'ZADD ZSET 1 ONE',
        'ZPOPMIN ZSET',
      ],
    );
  });

  test('nothing is found where there is nothing', async () => {
    assert.equal(`${await replayed(falsified({}))}`, 'compared 1 calls of 1 scripts');
  });

  for (const [what, change] of Object.entries(falsifications)) {
    test(`it finds ${what}`, () => assert.rejects(replayed(falsified(change)), /the script/));
  }

  test('rules forgive what they name and nothing else', () => {
    const cases = {
      'order of JSON fields': [
        ['{"a":1,"b":[1,2]}', '{"b":[1,2],"a":1}', true],
        ['{"a":1,"b":[1,2]}', '{"b":[2,1],"a":1}', false],
        ['{"a":1}', '{"a":"1"}', false],
        ['{"a":1,"b":2}', '{"b":2.0,"a":1}', false],
        ['plain', 'text', false],
      ],
      'order of SCAN': [
        [['a', 'b'], ['b', 'a'], true],
        [['a', 'b'], ['a', 'a'], false],
        [[1], [2], false],
      ],
      'clock of the server': [
        ['1793500200000-0', '1793500200017-3', true],
        ['lease 1793500200.25', 'lease 1793500201', true],
        [1793500200000, 1793500200900, true],
        ['1793500200000', '1793500209000', false],
        ['lease 1793500200', 'least 1793500200', false],
        ['5-1', '6-1', false],
        ['1', '2', false],
      ],
      'remaining life in ms': [
        [60_000, 59_950, true],
        [60_000, 50_000, false],
        [3, 2, false],
        ['60000', '59950', false],
      ],
      'remaining life in s': [
        [60, 59, true],
        [60, 50, false],
      ],
      'end of life in ms, above 12 bits': [
        ['7346179276783618', '7346179276787714', true],
        ['7346179276783618', '7346179276783619', false],
        ['1', '4097', false],
      ],
    };
    assert.deepEqual(Object.keys(cases).sort(), Object.keys(rules).sort());
    for (const [name, list] of Object.entries(cases)) {
      for (const [a, b, forgiven] of list)
        assert.equal(rules[name](a, b), forgiven, `${name}: ${a} ${b}`);
    }
  });
});
