// clients/kill: idle connections go, and none that is idle by nature.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { Queue, Worker } from 'bullmq';
import { moonshift, moonshiftDone, redisFor, until } from '../support.mjs';

const script = 'clients/kill';
const engine = 'local';

/** id and fields of each connection. */
async function list(client) {
  const lines = (await client.client('LIST')).trim().split('\n');
  return lines.map((line) => Object.fromEntries(line.split(' ').map((it) => it.split(/=(.*)/).slice(0, 2))));
}

const idsOf = async (client) => (await list(client)).map(({ id }) => id).sort();

/** A connection by this name that does not come back. */
async function guest(server, name) {
  const client = server.connect();
  client.options.retryStrategy = null;
  await client.client('SETNAME', name);
  return { client, id: `${await client.client('ID')}` };
}

/** These are in use until the test ends. */
function keepBusy(t, ...clients) {
  const pinging = setInterval(() => clients.forEach((client) => client.ping().catch(() => {})), 100);
  t.after(() => clearInterval(pinging));
}

const idle = (server, id, seconds) =>
  until(
    async () => Number((await list(server.client)).find((it) => it.id === id)?.idle) >= seconds,
    `connection ${id} is idle`,
  );

test('only connections that were idle for longer go', async (t) => {
  const server = await redisFor(t);
  const idlers = [await guest(server, 'web'), await guest(server, 'web'), await guest(server, 'cron')];
  const busy = await guest(server, 'web');
  keepBusy(t, server.client, busy.client);
  await idle(server, idlers[2].id, 3);
  const params = { engine, idle: '1500ms' };
  assert.deepEqual((await moonshiftDone(script, server.url, { ...params, name: 'w*' })).outcomes, { killed: 2 });
  let left = await idsOf(server.client);
  assert.ok(left.includes(busy.id) && left.includes(idlers[2].id) && !left.includes(idlers[0].id));
  await busy.client.ping();
  assert.deepEqual((await moonshiftDone(script, server.url, { ...params, user: 'nobody' })).outcomes, {});
  assert.deepEqual((await moonshiftDone(script, server.url, { ...params, addr: '10.*' })).outcomes, {});
  assert.deepEqual((await moonshiftDone(script, server.url, { ...params, user: 'default' })).outcomes, { killed: 1 });
});

test('subscribers, blocked clients, caches, monitors and replicas stay unless asked for', async (t) => {
  const server = await redisFor(t);
  const replica = connect(server.socket, () => replica.write('PSYNC ? -1\r\n'));
  t.after(() => replica.destroy());
  replica.on('error', () => {}).resume();
  const [subscriber, blocked, cache] = [
    await guest(server, 'subscriber'),
    await guest(server, 'blocked'),
    await guest(server, 'cache'),
  ];
  await subscriber.client.subscribe('news');
  blocked.client.blpop('nothing', 0).catch(() => {});
  await cache.client.client('TRACKING', 'ON', 'BCAST', 'REDIRECT', subscriber.id);
  const opener = server.connect();
  const monitor = await opener.monitor();
  opener.disconnect();
  t.after(() => monitor.disconnect());
  const plain = await guest(server, 'plain');
  keepBusy(t, server.client);
  await idle(server, plain.id, 2);
  await idle(server, subscriber.id, 2);

  const flags = (await list(server.client)).map((it) => it.flags).join('');
  for (const flag of 'SOPbt') assert.ok(flags.includes(flag), `${flag} in ${flags}`);
  const before = await idsOf(server.client);
  const params = { engine, idle: '1s' };
  assert.deepEqual((await moonshiftDone(script, server.url, params)).outcomes, { killed: 1 });
  assert.deepEqual(
    (await idsOf(server.client)).filter((id) => before.includes(id)),
    before.filter((id) => id !== plain.id),
  );
  for (const [flag, { id }] of [
    ['tracking', cache],
    ['blocked', blocked],
    ['pubsub', subscriber],
  ]) {
    assert.ok((await idsOf(server.client)).includes(id));
    assert.deepEqual((await moonshiftDone(script, server.url, { ...params, [flag]: true })).outcomes, { killed: 1 });
    assert.ok(!(await idsOf(server.client)).includes(id));
  }
});

test('a BullMQ worker that waits for jobs goes on', async (t) => {
  const server = await redisFor(t);
  const queue = server.host(new Queue('mail', { connection: server.connect() }));
  const done = [];
  const worker = server.host(
    new Worker('mail', async (job) => void done.push(job.id), {
      connection: { path: server.socket, maxRetriesPerRequest: null },
      drainDelay: 60,
    }),
  );
  await worker.waitUntilReady();
  const blocked = async () => (await list(server.client)).find((it) => it.flags.includes('b'));
  const { id } = await until(blocked, 'the worker waits');
  await idle(server, id, 2);
  await moonshiftDone(script, server.url, { engine, idle: '1s' });
  assert.ok((await idsOf(server.client)).includes(id));
  await queue.add('job', {}, { jobId: 'a' });
  await until(() => done.includes('a'), 'the job is done');
});

test('idle must be said, and the server engine is refused', async (t) => {
  const server = await redisFor(t);
  assert.equal((await moonshift(script, server.url, { engine })).code, 2);
  assert.notEqual((await moonshift(script, server.url, { engine: 'server', idle: '1s' })).code, 0);
});
