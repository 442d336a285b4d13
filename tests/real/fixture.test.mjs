// The fixture is what fixture.json says, and a night's maintenance of it does what it should.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import facts from './fixture.json' with { type: 'json' };
import { libraries } from './history.mjs';
import { differences, moonshiftDone, redisFor, snapshot } from './support.mjs';

const rdb = new URL('fixture.rdb', import.meta.url).pathname;
const sum = (list) => list.reduce((total, it) => total + it, 0);

async function nightly(server, engine) {
  for (const prefix of new Set(facts.queues.map((queue) => queue.prefix))) {
    const queues = facts.queues.filter((queue) => queue.prefix === prefix);
    for (const state of ['completed', 'failed']) {
      const { outcomes } = await moonshiftDone('bullmq/clean', server.url, {
        engine,
        state,
        prefix,
        older_than: '7d',
        now: facts.now,
      });
      assert.equal(outcomes.removed, sum(queues.map(({ eligible }) => eligible[state])));
      assert.equal(outcomes.kept ?? 0, sum(queues.map(({ kept }) => kept[state] ?? 0)));
    }
  }
  const pattern = facts.rate_limits.map((limits) => limits.pattern);
  const { outcomes } = await moonshiftDone('ratelimit/purge', server.url, { engine, pattern });
  assert.equal(outcomes.removed, sum(facts.rate_limits.map(({ leaked }) => leaked)));
}

describe('the fixture', () => {
  test('loads in full, in whatever year', async (t) => {
    const server = await redisFor(t, { rdb });
    assert.equal(await server.client.dbsize(), facts.keys);
  });

  test('a night leaves the same dataset with either engine, and BullMQ agrees', async (t) => {
    const ends = [];
    for (const engine of ['local', 'server']) {
      const server = await redisFor(t, { rdb });
      await nightly(server, engine);
      const once = await snapshot(server.client);
      for (const { prefix, name, library, counts, eligible } of facts.queues) {
        const queue = server.host(
          new libraries[library].Queue(name, { prefix, connection: server.client }),
        );
        assert.deepEqual(await queue.getJobCounts(), {
          ...counts,
          completed: counts.completed - eligible.completed,
          failed: counts.failed - eligible.failed,
        });
      }
      ends.push(once);
    }
    assert.deepEqual(differences(...ends), []);
  });
});
