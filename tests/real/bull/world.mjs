// Bull 4 as the tests drive it: queues without timers of their own, whose jobs are added, run and ended at
// moments of our choosing. The library does all the writing; only the clock that it reads is moved.

import assert from 'node:assert/strict';
import Bull from 'bull';
import { clock, day, failure, hour, minute } from '../history.mjs';
import { redisFor, RedisServer, snapshot, until } from '../support.mjs';

export const now = Date.parse('2026-11-01T02:30:00Z');
export const engines = ['local', 'server'];

/** A queue of Bull that lives as long as the server. */
export function openBull(server, name, options) {
  const redis = { path: server.socket, maxRetriesPerRequest: null };
  const queue = new Bull(name, { redis, ...options });
  queue.on('error', () => {});
  return server.host(queue);
}

/** Does `work` with the clock at `now` to begin with, and puts it back in any case. */
export async function withClock(work) {
  clock.set(now);
  try {
    return await work();
  } finally {
    clock.release();
  }
}

/** A queue that is driven by hand: every method says when it happens. */
export class Driver {
  constructor(server, name, options) {
    this.queue = openBull(server, name, options);
    this.base = `${options?.prefix ?? 'bull'}:${name}:`;
  }

  add(at, data, options) {
    clock.set(at);
    return this.queue.add(data, options);
  }

  /** The next job in turn; it stays active and locked. */
  async take(at) {
    clock.set(at);
    const job = await this.queue.getNextJob();
    assert.ok(job, `${this.base} has a job`);
    return job;
  }

  async complete(at, { during } = {}) {
    const job = await this.take(at - minute);
    await during?.(job);
    clock.set(at);
    await job.moveToCompleted({ value: 'x'.repeat(70) }, false, true);
    return job;
  }

  async fail(at, { during, message = 'boom' } = {}) {
    const job = await this.take(at - minute);
    await during?.(job);
    clock.set(at);
    await job.moveToFailed(failure(message));
    return job;
  }

  /** The next job's worker dies, and its lock runs out. */
  async abandon(at) {
    const job = await this.take(at);
    await job.releaseLock();
    return job;
  }
}

/** A server that is filled by `fill` and saved; copies of it are made from the file. */
export class Origin {
  static async make(fill) {
    const origin = new Origin();
    origin.server = await RedisServer.start();
    try {
      await withClock(() => fill(origin.server));
    } catch (error) {
      await origin.stop();
      throw error;
    }
    await origin.server.dismiss();
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

/** Jobs of every kind in two queues; the name of one begins with that of the other. */
export class World {
  static names = ['mail', 'mail:urgent'];

  constructor(server) {
    this.drivers = World.names.map((name) => new Driver(server, name, { metrics: { maxDataPoints: 9 } }));
    this.ended = []; // { base, id, state, at }
  }

  async fill() {
    for (const driver of this.drivers) {
      await this.addEnded(driver);
      await this.addAlike(driver);
      await this.addStalled(driver);
      await this.addWaiting(driver);
      await this.addDelayed(driver);
    }
  }

  end(driver, state, at, { id }) {
    this.ended.push({ base: driver.base, id, state, at, key: driver.base + id });
  }

  async addEnded(driver) {
    const during = async (job) => {
      await job.log('first line');
      await job.progress(40);
    };
    const ages = [60 * day, 8 * day, 7 * day + 1, 7 * day, 7 * day - 1, 3 * day, hour];
    for (let i = 0; i < 40; i++) ages.push((i % 20) * day + hour + i);
    const lifo = driver.base.endsWith(':urgent:');
    for (const [i, age] of ages.entries()) {
      const at = now - age;
      const priority = i % 3 ? undefined : 1 + (i % 5);
      await driver.add(at - hour, { i }, { priority });
      this.end(driver, 'completed', at, await driver.complete(at, { during: i % 2 ? during : undefined }));
      await driver.add(at - hour, { i }, { priority, lifo: lifo && i % 7 === 0, jobId: `own:${i}` });
      const message = i % 4 ? 'boom' : `timeout of ${i} ms`;
      this.end(driver, 'failed', at, await driver.fail(at, { during: i % 2 ? during : undefined, message }));
    }
    for (const ttl of [1000 * day, undefined]) {
      await driver.add(now - 9 * day, {}, { debounce: { id: `once ${ttl}`, ttl } });
      this.end(driver, 'completed', now - 9 * day, await driver.complete(now - 9 * day));
    }
  }

  /** In `mail`, this has the key of a job of `mail:urgent`. */
  async addAlike(driver) {
    await driver.add(now - hour, {}, { jobId: 'urgent:like' });
    this.end(driver, 'completed', now - minute, await driver.complete(now - minute));
  }

  /** Jobs of dead workers, one of them for the second time, and one that a worker holds. */
  async addStalled(driver) {
    for (let i = 0; i < 4; i++) {
      await driver.add(now - 2 * hour, { dead: i }, { priority: i === 3 ? 2 : undefined });
    }
    await driver.add(now - 2 * hour, { dead: 'often' }, { jobId: 'often' });
    await driver.add(now - 2 * hour, { dead: 'goes' }, { jobId: 'goes', removeOnFail: true });
    for (let i = 0; i < 6; i++) await driver.abandon(now - hour);
    await driver.queue.client.hset(`${driver.base}often`, 'stalledCounter', 1);
    await driver.queue.client.hset(`${driver.base}goes`, 'stalledCounter', 1);
    await driver.add(now - hour, { held: true }, { jobId: 'held' });
    const held = await driver.take(now - hour);
    await held.extendLock(1000 * day);
  }

  async addWaiting(driver) {
    for (let i = 0; i < 4; i++) await driver.add(now - hour, { i });
    for (const priority of [5, 1, 9, 5]) await driver.add(now - hour, { priority }, { priority });
  }

  async addDelayed(driver) {
    for (const priority of [undefined, 4, undefined, 1]) {
      await driver.add(now - 2 * day, { late: true }, { delay: day, priority });
    }
    await driver.add(now - minute, { due: 'now' }, { delay: minute, jobId: 'due now' });
    await driver.add(now, { due: 'tomorrow' }, { delay: day });
    clock.set(now - day);
    await driver.queue.add({ nightly: true }, { repeat: { cron: '0 2 * * *', tz: 'UTC' } });
    await driver.queue.add({ often: true }, { repeat: { every: hour } });
  }
}

/** The keys of a snapshot that are gone or changed when these jobs have been taken out of their indexes. */
export function withoutJobs(before, jobs) {
  const left = new Map(before);
  for (const { base, id, state } of jobs) {
    assert.ok(left.delete(base + id), `${base}${id} was there`);
    left.delete(`${base}${id}:logs`);
    const index = left.get(base + state);
    const contents = index.contents.filter((pair) => pair.split('\0')[0] !== id);
    assert.equal(contents.length, index.contents.length - 1);
    if (contents.length) left.set(base + state, { ...index, contents });
    else left.delete(base + state);
  }
  return left;
}

/** Starts a worker on `name`; the ids of the jobs that it ran, once it ran all of `ids`. */
export async function drain(server, name, { options, ids }) {
  const queue = openBull(server, name, options);
  const ran = [];
  queue.process('*', 4, async (job) => void ran.push(job.id)).catch(() => {});
  await until(() => ids.every((id) => ran.includes(id)), `all jobs of ${name} have run`);
  return ran;
}
