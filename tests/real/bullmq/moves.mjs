// What the tests of requeue-stalled, retry-failed and promote-overdue share: a mixture of jobs made by the
// library at moments of our choosing, and comparisons of what is left.

import assert from 'node:assert/strict';
import { allLibraries, clock, failure, majorOf, minute, QueueHistory } from '../history.mjs';
import {
  differences,
  launchMoonshift,
  moonshiftDone,
  Proxy,
  redisFor,
  RedisServer,
  runArguments,
  snapshot,
  until,
} from '../support.mjs';

export const engines = ['local', 'server'];
export const now = Date.parse('2026-11-01T02:30:00Z');

/** Runs `body(version, library, major)` for all majors. */
export function forEachMajor(body) {
  for (const [version, library] of Object.entries(allLibraries)) {
    body(version, library, majorOf(library));
  }
}

/** A dataset made by `fill(server)`: an RDB file for servers to start from. */
export async function made(fill) {
  const server = await RedisServer.start();
  const facts = await fill(server);
  clock.release();
  return { server, facts, rdb: await server.save() };
}

export const open = (server, library, name, options) =>
  server.host(new QueueHistory(library, server.client, name, options));

/** Fails the next job at `at`, once; it may come back for another attempt. */
export async function failOnce(history, at, message) {
  const job = await history.take(at - 1000);
  clock.set(at);
  await job.moveToFailed(failure(message), 'history', false);
  return job;
}

export const takeAll = async (history, at, count) => {
  const jobs = [];
  for (let i = 0; i < count; i++) jobs.push(await history.take(at));
  return jobs;
};

/** Ids as this major takes them: some look like other keys. */
export const oddIds = (major) =>
  major >= 5
    ? ['a:b:c', 'repeat:x:1', 'ключ', '*', 'nul\0inside', '{tag}']
    : ['a:b', 'wait:logs', '999:lock', '0x', 'ключ', '*', 'nul\0inside', '{tag}', 'de:x'];

const pairs = (flat) => flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]]]));

/** The events after `from`, without their ids: "waiting 17 failed". */
export async function eventsOf(client, base, from = '-') {
  const entries = await client.xrange(`${base}events`, from, '+');
  return entries
    .map(([, flat]) => Object.fromEntries(pairs(flat)))
    .map(({ event, jobId, prev }) => [event, jobId, prev].join(' '));
}

export const lastEvent = async (client, base) => {
  const [last] = await client.xrevrange(`${base}events`, '+', '-', 'COUNT', 1);
  return last ? `(${last[0]}` : '-';
};

/** Streams have ids by the clock. */
export const isStream = (key) => key.endsWith(':events');

export const differ = (a, b, ignore = isStream) => differences(a, b).filter((key) => !ignore(key));

/** Every id that waits, in the order in which workers take them. */
export async function inOrder(client, base) {
  const waiting = [];
  for (const list of ['wait', 'paused']) {
    waiting.push(...(await client.lrange(base + list, 0, -1)).reverse());
  }
  waiting.push(...(await client.zrange(`${base}prioritized`, 0, -1)));
  return waiting.filter((id) => !id.startsWith('0:'));
}

/** A worker that notes what it ran; it looks for work by itself only once a minute. */
export function workerOn(server, library, name, { run = () => {}, ...options } = {}) {
  const ran = [];
  const process = async (job) => {
    await run(job);
    ran.push(job.id);
  };
  const worker = new library.Worker(name, process, {
    connection: server.connect(),
    drainDelay: 60,
    runRetryDelay: 10, // after it was closed, too
    ...options,
  });
  worker.on('error', () => {});
  return Object.assign(server.host(worker), { ran });
}

/** A worker that ran exactly these, each of them once. */
export async function ranExactly(worker, ids) {
  await until(() => worker.ran.length >= ids.length, `${ids.length} jobs have run`);
  assert.deepEqual([...worker.ran].sort(), [...ids].sort());
}

/** Kills runs of `script` under way and runs it again; then `check(server)` has to be content. */
export async function killAndCheck(t, script, { rdb, cuts = 3, ...params }, check) {
  const calm = await redisFor(t, { rdb });
  const observed = await Proxy.start(calm);
  await moonshiftDone(script, observed.url, params);
  await check(calm);
  for (let i = 1; i <= cuts; i++) {
    const server = await redisFor(t, { rdb });
    const limit = Math.floor((observed.sent * i) / (cuts + 2));
    let run;
    const proxy = await Proxy.start(server, { limit, reached: () => run.child.kill('SIGKILL') });
    run = launchMoonshift(...runArguments(script, proxy.url, params));
    assert.equal((await run.done).signal, 'SIGKILL', `${limit} of ${observed.sent} bytes`);
    await proxy.close();
    await moonshiftDone(script, server.url, params);
    await check(server);
    await server.stop();
  }
}

export { clock, failure, majorOf, minute, moonshiftDone, redisFor, snapshot, until };
