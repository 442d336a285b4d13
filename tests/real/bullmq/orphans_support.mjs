// Queues in every state, made by BullMQ itself, and what a crash, an eviction or a hand at redis-cli
// leaves of them.

import { clock, failure, QueueHistory } from '../history.mjs';

const week = 7 * 24 * 3600 * 1000;

/** A queue with some 250 jobs of all kinds, five of them active. Closed with the server. */
export async function fullQueue(server, library, name = 'mail', { prefix = 'bull' } = {}) {
  const now = Date.now();
  const history = server.host(
    new QueueHistory(library, server.client, name, {
      prefix,
      worker: { metrics: { maxDataPoints: 50 } },
    }),
  );
  const { queue } = history;
  try {
    await queue.waitUntilReady();
    const during = (job) => job.log('a line');
    for (let n = 0; n < 40; n++) await history.add(now, { n });
    for (let n = 0; n < 40; n++) await history.complete(now, { during });
    for (let n = 0; n < 20; n++) await history.add(now, { n });
    for (let n = 0; n < 20; n++) await history.fail(now, { during, error: failure('boom') });
    for (let n = 0; n < 5; n++) await history.add(now, { n });
    for (let n = 0; n < 5; n++) await history.take(now);
    for (let n = 0; n < 60; n++) await history.add(now, { n }, { jobId: `w${n}` });
    for (const n of [1, 2, 3]) await history.add(now, { n }, { jobId: `part:of:${n}` });
    for (let n = 0; n < 30; n++)
      await history.add(now, { n }, { jobId: `p${n}`, priority: 1 + (n % 4) });
    for (let n = 0; n < 30; n++) await history.add(now, { n }, { jobId: `d${n}`, delay: week });
    for (let n = 0; n < 4; n++) {
      await history.addFlow(now, {
        name: 'parent',
        opts: { jobId: `parent${n}` },
        children: [0, 1].map((c) => ({
          name: 'child',
          queueName: name,
          opts: { jobId: `child${n}-${c}` },
        })),
      });
    }
    if (queue.upsertJobScheduler) {
      await queue.upsertJobScheduler('beat', { every: week });
      await queue.upsertJobScheduler('beat:failed', { every: 2 * week });
      await history.add(now, {}, { jobId: 'dedup', deduplication: { id: 'once' } });
      await history.add(now, {}, { jobId: 'stays', deduplication: { id: 'kept' } });
      await history.add(now, {}, { jobId: 'window', deduplication: { id: 'w', ttl: week } });
    } else {
      await history.add(now, {}, { repeat: { every: week } });
    }
  } finally {
    clock.release();
  }
  return history;
}

/** Ids by state, as they are before anything is damaged. */
export async function idsOf(client, base) {
  const list = (name) => client.lrange(base + name, 0, -1);
  const zset = (name) => client.zrange(base + name, 0, -1);
  return {
    wait: await list('wait'),
    active: await list('active'),
    prioritized: await zset('prioritized'),
    delayed: await zset('delayed'),
    completed: await zset('completed'),
    failed: await zset('failed'),
  };
}

const lists = ['wait', 'active'];
const remove = (client, base, state, id) =>
  lists.includes(state) ? client.lrem(base + state, 0, id) : client.zrem(base + state, id);

/**
 * Loses some of everything. Says what has become of it: `jobs` in no index, `entries` without a job,
 * `subKeys` without a job, `dedups` that name one that is not there.
 */
export async function damage(client, base) {
  const ids = await idsOf(client, base);
  const lost = { jobs: [], entries: [], subKeys: [], dedups: [], traces: [] };
  const loseEntry = async (state, id) => {
    await remove(client, base, state, id);
    await client.zrem(`${base}priority`, id);
    lost.jobs.push(id);
  };
  const loseHash = async (state, id) => {
    await client.del(base + id, `${base}${id}:lock`);
    lost.entries.push([state, id]);
    if (await client.exists(`${base}${id}:logs`)) lost.subKeys.push(`${base}${id}:logs`);
  };
  for (let n = 0; n < 20; n++) await loseEntry('wait', `w${n}`);
  for (const n of [1, 2]) await loseEntry('wait', `part:of:${n}`);
  const ranked = ids.prioritized.length ? 'prioritized' : 'wait';
  for (let n = 0; n < 5; n++) await loseEntry(ranked, `p${n}`);
  for (let n = 0; n < 5; n++) await loseEntry('delayed', `d${n}`);
  for (let n = 0; n < 10; n++) await loseEntry('completed', ids.completed[n]);
  for (let n = 0; n < 5; n++) await loseEntry('failed', ids.failed[n]);
  for (let n = 20; n < 26; n++) await loseHash('wait', `w${n}`);
  await loseHash('wait', 'part:of:3');
  for (let n = 10; n < 13; n++) {
    await loseHash(ranked, `p${n}`);
    if (ranked === 'wait') lost.entries.push(['priority', `p${n}`]);
    await loseHash('delayed', `d${n}`);
    await loseHash('completed', ids.completed[n]);
    await loseHash('failed', ids.failed[n]);
  }
  await loseHash('active', ids.active[0]);
  await client.sadd(`${base}stalled`, ids.active[0], ids.active[1], 'nobody');
  lost.entries.push(['stalled', ids.active[0]], ['stalled', 'nobody']);
  await client.hset(`${base}ghost`, 'processedOn', '1', 'ats', '1');
  lost.traces.push('ghost');
  await client.rpush(`${base}long:gone:id:logs`, 'line');
  await client.sadd(`${base}vanished:dependencies`, 'bull:x:1');
  await client.hset(`${base}vanished:processed`, 'bull:x:1', '1');
  await client.hset(`${base}vanished:failed`, 'bull:x:1', '1');
  await client.zadd(`${base}vanished:unsuccessful`, 1, 'bull:x:1');
  lost.subKeys.push(`${base}long:gone:id:logs`);
  for (const it of ['dependencies', 'processed', 'failed', 'unsuccessful'])
    lost.subKeys.push(`${base}vanished:${it}`);
  if (await client.exists(`${base}de:once`)) {
    await client.del(`${base}dedup`, `${base}window`);
    await client.lrem(`${base}wait`, 0, 'dedup');
    await client.lrem(`${base}wait`, 0, 'window');
    await client.hset(`${base}dn:once`, 'name', 'next', 'data', '{}', 'opts', '{}');
    lost.dedups.push('once');
  }
  return lost;
}
