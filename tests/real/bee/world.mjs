// Bee-Queue 2 as the tests drive it: jobs are added by the library, and run by its own workers, whose handler
// does what each job's data say. Only the clock that it reads is moved.

import BeeQueue from 'bee-queue';
import { clock } from '../history.mjs';
import { redisFor, RedisServer, snapshot, until } from '../support.mjs';

export const now = Date.parse('2026-11-01T02:30:00Z');

/** A queue that lives as long as the server. */
export function openBee(server, name, options) {
  const settings = {
    redis: { path: server.socket },
    isWorker: false,
    getEvents: false,
    storeJobs: false,
    ...options,
  };
  const queue = new BeeQueue(name, settings);
  queue.on('error', () => {});
  server.host({ close: () => queue.close(50).catch(() => {}) });
  return queue;
}

/** Does `work` with the clock at `at`, and puts it back in any case. */
export async function withClock(at, work) {
  clock.set(at);
  try {
    return await work();
  } finally {
    clock.release();
  }
}

/** A worker that notes what it runs. Jobs with data.fail end with that error. */
export function startWorker(server, name, { ran = [], concurrency = 4, ...options } = {}) {
  const queue = openBee(server, name, { isWorker: true, ...options });
  queue.process(concurrency, async (job) => {
    ran.push(job.id);
    if (job.data.fail) throw new Error(job.data.fail);
    return 'done';
  });
  return { queue, ran };
}

/** Adds jobs `[{ at, id, data, retries, delayUntil }]`, each at its time. */
export async function add(queue, jobs) {
  for (const { at, id, data = {}, retries, delayUntil } of jobs) {
    await withClock(at, async () => {
      const job = queue.createJob(data);
      if (id !== undefined) job.setId(id);
      if (retries) job.retries(retries);
      if (delayUntil) job.delayUntil(delayUntil);
      await job.save();
    });
  }
}

/** A worker of the library runs all that waits; what is active is that of dead workers. */
export async function runAll(server, name, options) {
  const base = `${options?.prefix ?? 'bq'}:${name}:`;
  const dead = await server.client.llen(`${base}active`);
  const worker = startWorker(server, name, options);
  await until(async () => {
    const health = await worker.queue.checkHealth();
    return health.waiting === 0 && health.active === dead;
  }, `${name} is empty`);
  await worker.queue.close(50).catch(() => {});
  return worker.ran;
}

/** A server that is filled by `fill` and saved; copies of it are made from the file. */
export class Origin {
  static async make(fill) {
    const origin = new Origin();
    origin.server = await RedisServer.start();
    try {
      await fill(origin.server);
    } catch (error) {
      await origin.stop();
      throw error;
    }
    await origin.server.dismiss();
    const blocks = await origin.server.client.keys('*:stallBlock');
    if (blocks.length) await origin.server.client.del(blocks);
    origin.full = await snapshot(origin.server.client);
    origin.rdb = await origin.server.save();
    return origin;
  }

  copy(t) {
    return redisFor(t, { rdb: this.rdb });
  }

  stop() {
    return this.server.stop();
  }
}
