// A small world of BullMQ queues with jobs in every state, and with a list of what a clean of the
// jobs older than a week shall do to the finished ones.

import assert from 'node:assert/strict';
import { clock, day, hour, majorOf, minute, QueueHistory, second } from './history.mjs';

export const now = Date.parse('2026-11-01T02:30:00Z');
export const olderThan = 7 * day;
const subkeys = [':logs', ':dependencies', ':processed', ':failed', ':unsuccessful'];

/** Queues with jobs in every state, and a list of what shall become of the finished ones. */
export class World {
  constructor(library, connection) {
    const open = (name) =>
      new QueueHistory(library, connection, name, {
        worker: { metrics: { maxDataPoints: 20 } },
      });
    this.major = majorOf(library);
    this.publishing = open('publishing');
    this.indexing = open('search-indexing');
    this.fates = [];
  }

  /** `fate` is `goes`, `stays`, `at the limit`, or `kept` for a parent's sake. */
  expect(fate, state, { base }, { id }) {
    this.fates.push({ fate, state, base, id, key: base + id });
  }

  chosen(state, ...fates) {
    return this.fates.filter((job) => job.state === state && fates.includes(job.fate));
  }

  async fill() {
    for (const queue of [this.publishing, this.indexing]) {
      await this.addEnded(queue);
      await this.addUnderWay(queue);
    }
    if (this.major >= 5) await this.addDeduplicated();
    await this.addFinishedFlows();
    await this.addStuckFlows();
    await this.addForgivingFlows();
    await this.addAbandoningFlows();
    for (const queue of [this.publishing, this.indexing]) await this.addDelayed(queue);
    clock.release();
  }

  async addEnded(queue) {
    const ages = [
      ['goes', 60 * day],
      ['goes', 8 * day],
      ['goes', olderThan + 1],
      ['at the limit', olderThan],
      ['stays', olderThan - 1],
      ['stays', 3 * day],
      ['stays', minute],
    ];
    const during = async (job) => {
      await job.log('first line');
      await job.log('second line');
      await job.updateProgress({ percent: 40 });
    };
    for (const [i, [fate, age]] of ages.entries()) {
      for (const [verb, state] of [
        ['complete', 'completed'],
        ['fail', 'failed'],
      ]) {
        // Taken before the limit in any case: the end counts, not the start.
        await queue.add(now - age - hour, { i }, { attempts: 2 });
        const job = await queue[verb](now - age, {
          took: 5 * second,
          during,
          value: 'x'.repeat(70),
        });
        this.expect(fate, state, queue, job);
      }
    }
  }

  async addUnderWay(queue) {
    const long = 90 * day;
    await queue.add(now - long, { will: 'be active' });
    await queue.take(now - long + minute);
    await queue.add(now - long, { will: 'wait' });
    await queue.add(now - long, { will: 'wait first' }, { priority: 3 });
  }

  async addDelayed(queue) {
    await queue.add(now - 90 * day, { will: 'be late' }, { delay: 10 * day });
    await queue.add(now, { will: 'be on time' }, { delay: 10 * day });
    clock.set(now - day);
    const schedule = { pattern: '0 2 * * *', tz: 'UTC' };
    if (this.major >= 5) await queue.queue.upsertJobScheduler('nightly', schedule);
    else await queue.queue.add('nightly', {}, { repeat: schedule });
  }

  async addDeduplicated() {
    const queue = this.publishing;
    const add = (at, id, options) =>
      queue.add(at, {}, { deduplication: { id, ...options }, lifo: true });
    const run = async (fate, at) => this.expect(fate, 'completed', queue, await queue.complete(at));
    // de: outlives its job by a ttl and still names it.
    await add(now - 9 * day, 'own', { ttl: 1000 * day });
    await run('goes', now - 9 * day);
    await add(now - 2 * day, 'recent', { ttl: 1000 * day });
    await run('stays', now - 2 * day);
    // de: names a newer job that is still waiting.
    await add(now - 8 * day, 'taken over');
    await run('goes', now - 8 * day);
    await add(now - 7 * day, 'taken over');
    // A job kept back behind the active one: dn:.
    await add(now - 6 * day, 'queued', { keepLastIfActive: true });
    await queue.take(now - 6 * day);
    await add(now - 6 * day, 'queued', { keepLastIfActive: true });
  }

  /** A parent here and a child in each queue; `lifo` lets them run before the waiting jobs. */
  addFlow(at, ...children) {
    const opts = { lifo: true };
    return this.publishing.addFlow(at, {
      name: 'parent',
      opts,
      children: children.map(([queue, options]) => ({
        name: 'child',
        queueName: queue.name,
        opts: { ...opts, ...options },
      })),
    });
  }

  async addFinishedFlows() {
    const { publishing, indexing } = this;
    for (const [fate, age] of [
      ['goes', 20 * day],
      ['stays', 2 * day],
    ]) {
      await this.addFlow(now - age, [publishing], [indexing]);
      for (const queue of [publishing, indexing, publishing]) {
        const job = await queue.complete(now - age, { during: (it) => it.log('part of a flow') });
        this.expect(fate, 'completed', queue, job);
      }
    }
    // An old child whose parent still waits for another one.
    await this.addFlow(now - 20 * day, [indexing, { delay: 100 * day }], [publishing]);
    this.expect('goes', 'completed', publishing, await publishing.complete(now - 20 * day));
  }

  /** Failed children that their waiting parents still count on: in the same queue and across. */
  async addStuckFlows() {
    for (const queue of [this.publishing, this.indexing]) {
      await this.addFlow(now - 20 * day, [queue]);
      this.expect('kept', 'failed', queue, await queue.fail(now - 20 * day));
    }
  }

  async addForgivingFlows() {
    const { publishing, indexing } = this;
    const options = ['removeDependencyOnFailure', 'ignoreDependencyOnFailure'];
    for (const option of options.slice(0, this.major - 3)) {
      await this.addFlow(now - 15 * day, [indexing, { [option]: true }]);
      this.expect('goes', 'failed', indexing, await indexing.fail(now - 15 * day));
      this.expect('goes', 'completed', publishing, await publishing.complete(now - 15 * day));
    }
    if (this.major < 5) return;
    // The parent has not run yet; its own keys still tell of the child.
    await this.addFlow(
      now - 15 * day,
      [indexing, { ignoreDependencyOnFailure: true }],
      [publishing, { delay: 100 * day }],
    );
    this.expect('goes', 'failed', indexing, await indexing.fail(now - 15 * day));
  }

  async addAbandoningFlows() {
    const { publishing, indexing } = this;
    for (const [fate, age] of [
      ['goes', 15 * day],
      ['stays', day],
    ]) {
      const { job } = await this.addFlow(now - age, [indexing, { failParentOnFailure: true }]);
      this.expect(fate, 'failed', indexing, await indexing.fail(now - age));
      await publishing.failDeferred(now - age);
      this.expect(fate, 'failed', publishing, job);
    }
    // A parent that has failed waits for nobody, though a failed child is still in :dependencies.
    const { job } = await this.addFlow(
      now - 12 * day,
      [publishing],
      [indexing, { failParentOnFailure: true }],
    );
    this.expect('goes', 'failed', publishing, await publishing.fail(now - 12 * day));
    this.expect('goes', 'failed', indexing, await indexing.fail(now - 12 * day));
    await publishing.failDeferred(now - 12 * day + minute);
    this.expect('goes', 'failed', publishing, job);
  }

  async close() {
    await this.publishing.close();
    await this.indexing.close();
  }
}

export const keysOf = ({ key }) => [key, ...subkeys.map((suffix) => key + suffix)];

/** What is left of a snapshot when nothing but these jobs goes. */
export function withoutJobs(before, jobs) {
  const left = new Map(before);
  const gone = new Map();
  for (const job of jobs) {
    keysOf(job).forEach((key) => left.delete(key));
    const index = job.base + job.state;
    gone.set(index, [...(gone.get(index) ?? []), job.id]);
  }
  for (const [name, { contents }] of before) {
    const owner = name.match(/^(.*:)de:/)?.[1];
    if (owner && jobs.some(({ base, id }) => base === owner && contents === id)) left.delete(name);
  }
  for (const [index, ids] of gone) {
    const was = before.get(index);
    const contents = was.contents.filter((pair) => !ids.includes(pair.split('\0')[0]));
    assert.equal(contents.length, was.contents.length - ids.length, `${index} held all of them`);
    left.set(index, { ...was, contents });
    if (contents.length === 0) left.delete(index);
  }
  return left;
}
