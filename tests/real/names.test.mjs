// Names are binary: job ids, queues, prefixes and dedup ids as BullMQ accepts them, however odd.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clock, day, libraries, minute, QueueHistory } from './history.mjs';
import {
  byteForByte,
  differences,
  moonshiftDone,
  redisFor,
  RedisServer,
  snapshot,
} from './support.mjs';

const latin1 = (text) => Buffer.from(text).toString('latin1');
const now = Date.parse('2026-11-01T02:30:00Z');

const ids = [
  'a:b:c',
  'repeat:x:1',
  'ключ-ü-🚀',
  'two\nlines',
  '\r\n$3\r\nbad',
  'nul\0inside',
  ' ',
  '*',
  'job-?',
  '[a-z]',
  '\\*',
  '%s %n',
  '"quoted" \'twice\'',
  '{tag}',
  '1e3',
  'nil',
  'nan',
  'x'.repeat(70_000),
];
const queues = ['news', 'news*', 'new?', '[news]', 'новости\n', 'completed', 'a\\b'];
const prefixes = ['bull', 'b*ll', 'tenant:eu', '{app}', '{app:bull}', '[bul]l', 'préfixe 1'];

/** An old and a recent job for every id, each with a log and a dedup key. */
async function fillOdd(history, names) {
  for (const [i, id] of names.entries()) {
    for (const [suffix, age] of [
      ['', 14 * day],
      ['!', day],
    ]) {
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
    const origins = {};

    /** Queues with these names, filled once for all tests. */
    async function make(topic, queues) {
      const server = await RedisServer.start();
      for (const [prefix, name, jobs] of queues) {
        await fillOdd(
          server.host(new QueueHistory(library, server.client, name, { prefix })),
          jobs,
        );
      }
      clock.release();
      origins[topic] = { server, rdb: await server.save() };
    }

    before(async () => {
      await make('ids', [['bull', 'ids', ids]]);
      await make(
        'queues',
        queues.map((name) => ['queues', name, ['a', 'b']]),
      );
      await make(
        'prefixes',
        prefixes.map((prefix) => [prefix, 'mail', ['a', 'b']]),
      );
    });
    after(() => Promise.all(Object.values(origins).map(({ server }) => server.stop())));

    /** Cleans a copy; exactly the old jobs `names` of each queue at `base` go. */
    async function assertCleaned(t, topic, options, ...cleaned) {
      const server = await redisFor(t, { rdb: origins[topic].rdb });
      let expected = await snapshot(server.client);
      for (const [base, names] of cleaned) expected = without(expected, base, names);
      const { outcomes } = await moonshiftDone('bullmq/clean', server.url, {
        now,
        state: 'completed',
        older_than: '7d',
        ...options,
      });
      assert.equal(outcomes.removed, cleaned.flatMap(([, names]) => names).length);
      const end = await snapshot(server.client);
      assert.deepEqual(differences(expected, end), []);
      assert.deepEqual(differences(withoutIndexes(expected), withoutIndexes(end), byteForByte), []);
      await server.stop();
    }

    for (const engine of ['local', 'server']) {
      test(`${engine}: job ids`, (t) => assertCleaned(t, 'ids', { engine }, ['bull:ids:', ids]));

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
          const cleaned = chosen.map((name) => [`queues:${name}:`, ['a', 'b']]);
          await assertCleaned(t, 'queues', { engine, prefix: 'queues', queues: glob }, ...cleaned);
        }
      });

      test(`${engine}: a prefix is taken literally`, async (t) => {
        for (const prefix of prefixes) {
          await assertCleaned(t, 'prefixes', { engine, prefix }, [`${prefix}:mail:`, ['a', 'b']]);
        }
      });
    }
  });
}
