// Names are binary: job ids, queues, prefixes and dedup ids as BullMQ accepts them, however odd.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clock, day, libraries, minute, QueueHistory } from './history.mjs';
import { byteForByte, differences, moonshiftDone, redisFor, RedisServer, snapshot } from './support.mjs';

const latin1 = (text) => Buffer.from(text).toString('latin1');
const now = Date.parse('2026-11-01T02:30:00Z');

const ids = [
  'a:b:c', 'repeat:x:1', 'ключ-ü-🚀', 'two\nlines', '\r\n$3\r\nbad', 'nul\0inside', ' ', '*', 'job-?', '[a-z]', '\\*',
  '%s %n', '"quoted" \'twice\'', '{tag}', '1e3', 'nil', 'nan', 'x'.repeat(70_000),
];
const queues = ['news', 'news*', 'new?', '[news]', 'новости\n', 'completed', 'a\\b'];
const prefixes = ['bull', 'b*ll', 'tenant:eu', '{app}', '{app:bull}', '[bul]l', 'préfixe 1'];

/** An old and a recent job for every id, each with a log and a dedup key. */
async function fillOdd(history, names) {
  for (const [i, id] of names.entries()) {
    for (const [suffix, age] of [['', 14 * day], ['!', day]]) {
      const deduplication = { id: id + suffix, ttl: 1000 * day };
      await history.add(now - age - minute, { i }, { jobId: id + suffix, deduplication });
      await history.complete(now - age, { during: (job) => job.log(id) });
    }
  }
}

/** What is left of a snapshot when the old jobs `names` of the queue at `base` are gone. */
function without(loaded, base, names) {
  const left = new Map(loaded);
  for (const id of names) {
    for (const key of [id, `${id}:logs`, `de:${id}`]) {
      assert.ok(left.delete(latin1(base + key)), `${base}${key} was there`);
    }
  }
  const index = latin1(`${base}completed`);
  const old = names.map((id) => `${latin1(id)}\0${now - 14 * day}`);
  const was = left.get(index);
  const contents = was.contents.filter((member) => !old.includes(member));
  assert.equal(was.contents.length - contents.length, names.length);
  return left.set(index, { ...was, contents });
}

const withoutIndexes = (all) => new Map([...all].filter(([name]) => !name.endsWith(':completed')));

for (const [version, library] of Object.entries(libraries)) {
  describe(`${version}: odd names`, () => {
    let origin, rdb;

    before(async () => {
      origin = await RedisServer.start();
      const open = (name, prefix) => origin.host(new QueueHistory(library, origin.client, name, { prefix }));
      await fillOdd(open('ids'), ids);
      for (const queue of queues) await fillOdd(open(queue, 'queues'), ['1a', 'b']);
      for (const prefix of prefixes) await fillOdd(open('mail', prefix), ['1a', 'b']);
      clock.release();
      rdb = await origin.save();
    });
    after(() => origin.stop());

    for (const engine of ['local', 'server']) {
      const clean = (server, options) =>
        moonshiftDone('bullmq/clean', server.url, { engine, now, state: 'completed', older_than: '7d', ...options });
      const assertCleaned = async (t, options, ...cleaned) => {
        const server = await redisFor(t, { rdb });
        let expected = await snapshot(server.client);
        for (const [base, names] of cleaned) expected = without(expected, base, names);
        const { outcomes } = await clean(server, options);
        assert.equal(outcomes.removed, cleaned.flatMap(([, names]) => names).length);
        const end = await snapshot(server.client);
        assert.deepEqual(differences(expected, end), []);
        assert.deepEqual(differences(withoutIndexes(expected), withoutIndexes(end), byteForByte), []);
        await server.stop();
      };

      test(`${engine}: job ids`, (t) => assertCleaned(t, { queues: 'ids' }, ['bull:ids:', ids]));

      test(`${engine}: queues chosen by a glob`, async (t) => {
        const cases = [
          ['news*', ['news', 'news*']],
          ['news\\*', ['news*']],
          ['new?', ['news', 'new?']],
          ['\\[news\\]', ['[news]']],
          ['[nc]*', ['news', 'news*', 'new?', 'completed']],
          ['новости*', ['новости\n']],
          ['a\\\\b', ['a\\b']],
          ['*', queues],
        ];
        for (const [glob, chosen] of cases) {
          const cleaned = chosen.map((name) => [`queues:${name}:`, ['1a', 'b']]);
          await assertCleaned(t, { prefix: 'queues', queues: glob }, ...cleaned);
        }
      });

      test(`${engine}: a prefix is taken literally`, async (t) => {
        for (const prefix of prefixes) {
          await assertCleaned(t, { prefix, queues: 'mail' }, [`${prefix}:mail:`, ['1a', 'b']]);
        }
      });
    }
  });
}
