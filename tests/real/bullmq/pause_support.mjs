// What the tests of pause, resume and orphans share: the four majors, and a worker that can be killed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as bullmq6 from 'bullmq';
import * as bullmq3 from 'bullmq3';
import * as bullmq4 from 'bullmq4';
import * as bullmq5 from 'bullmq5';

export const majors = { bullmq6, bullmq5, bullmq4, bullmq3 };
export const engines = ['local', 'server'];

/** A queue of one major with its keys, closed with the server. */
export function queueOn(server, library, name, { prefix = 'bull', ...options } = {}) {
  const connection = server.connect();
  const queue = server.host(new library.Queue(name, { connection, prefix, ...options }));
  return Object.assign(queue, { base: `${prefix}:${name}:` });
}

/** A worker that notes what it ran, closed with the server. */
export function workerOn(server, library, name, { prefix = 'bull', run, ...options } = {}) {
  const ran = [];
  const process = async (job) => {
    await run?.(job);
    ran.push(job.id);
  };
  const worker = new library.Worker(name, process, {
    connection: server.connect(),
    prefix,
    drainDelay: 1,
    lockRenewTime: 500, // timers that outlive the worker
    runRetryDelay: 100,
    ...options,
  });
  worker.on('error', () => {});
  return Object.assign(server.host(worker), { ran });
}

/** A worker in a process of its own, which notes the ids of what it ran in the list `ran`. */
export function workerProcess(server, major, name) {
  const file = new URL('pause_worker.mjs', import.meta.url).pathname;
  const argv = [file, major.replace(/6$/, ''), server.socket, name];
  const child = spawn(process.execPath, argv, { stdio: 'ignore' });
  server.host({ close: () => child.kill('SIGKILL') });
  return { child, kill: () => (child.kill('SIGKILL'), once(child, 'exit')) };
}

export const eventsOf = async (server, base) =>
  (await server.client.xrange(`${base}events`, '-', '+')).map(([, fields]) => fields[1]);

/** Everything but the event streams, whose ids are made by the clock. */
export const withoutEvents = (all) =>
  new Map([...all].filter(([name]) => !name.endsWith(':events')));
