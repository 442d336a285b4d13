// History: BullMQ queues whose jobs were added, run and finished at moments of our choosing.
// The libraries do all the writing; only the clock that they read is moved.

import * as bullmq6 from 'bullmq';
import * as bullmq3 from 'bullmq3';
import * as bullmq4 from 'bullmq4';
import * as bullmq5 from 'bullmq5';

export const libraries = { bullmq6, bullmq5 };

/** Those, and the last of the majors before them. */
export const allLibraries = { ...libraries, bullmq4, bullmq3 };

/** 3 to 6, of one of these. */
export const majorOf = (library) =>
  Number(Object.keys(allLibraries).find((name) => allLibraries[name] === library).at(-1));

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

const RealDate = globalThis.Date;

/** What the libraries take for the time. Stands still at `ms` until it is set again. */
export const clock = {
  ms: undefined,
  set(ms) {
    clock.ms = ms;
    globalThis.Date = ClockDate;
  },
  release() {
    globalThis.Date = RealDate;
  },
};

class ClockDate extends RealDate {
  constructor(...args) {
    super(...(args.length ? args : [clock.ms]));
  }
  static now() {
    return clock.ms;
  }
}

/** mulberry32: the same seed gives the same history. */
export function randomness(seed) {
  const next = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const between = (low, high) => low + Math.floor(next() * (high - low + 1));
  return {
    next,
    between,
    pick: (list) => list[between(0, list.length - 1)],
    uuid: () =>
      'xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, () => between(0, 15).toString(16)),
  };
}

/** An error as a worker in a container reports it: no path of this machine is stored. */
export function failure(message, stack = ['Worker.process (/app/dist/worker.js:88:13)']) {
  const error = new Error(message);
  error.stack = [`Error: ${message}`, ...stack.map((frame) => `    at ${frame}`)].join('\n');
  return error;
}

const token = 'history';

/** One queue with a worker that is driven by hand: every method says when it happens. */
export class QueueHistory {
  constructor(library, connection, name, { prefix = 'bull', queue = {}, worker = {} } = {}) {
    const common = { connection, prefix };
    this.library = library;
    this.name = name;
    this.prefix = prefix;
    this.base = `${prefix}:${name}:`;
    this.queue = new library.Queue(name, { ...common, ...queue });
    this.worker = new library.Worker(name, null, { ...common, autorun: false, ...worker });
    this.flows = new library.FlowProducer(common);
  }

  add(at, data, options = {}, name = 'job') {
    clock.set(at);
    return this.queue.add(name, data, options);
  }

  addFlow(at, flow) {
    clock.set(at);
    return this.flows.add({ queueName: this.name, ...flow });
  }

  /** The job that a worker would get now. It stays active until it is completed or failed. */
  async take(at) {
    clock.set(at);
    const job = await this.worker.getNextJob(token, { block: false });
    if (!job) throw new Error(`${this.base} has no job to take`);
    return job;
  }

  /** The next job runs for `took` ms, does `during`, and completes at `at`. */
  async complete(at, { value = null, took = 0, during } = {}) {
    const job = await this.take(at - took);
    await during?.(job);
    clock.set(at);
    await job.moveToCompleted(value, token, false);
    return job;
  }

  /** Fails the next job, and its retries, until no attempt is left. */
  async fail(at, { error = failure('boom'), took = 0, during } = {}) {
    for (;;) {
      const job = await this.take(at - took);
      await during?.(job);
      clock.set(at);
      await job.moveToFailed(error, token, false);
      if (job.attemptsMade >= (job.opts.attempts ?? 1)) return job;
    }
  }

  /** The next job is a parent whose child failed under failParentOnFailure: it fails unrun. */
  async failDeferred(at) {
    if (majorOf(this.library) < 5) return; // the child's end was the parent's, too
    const job = await this.take(at).catch(() => undefined);
    if (job?.deferredFailure) {
      const { message, stack } = failure(job.deferredFailure);
      const error = new this.library.UnrecoverableError(message);
      await job.moveToFailed(Object.assign(error, { stack }), token, false);
    } else {
      // BullMQ 5.81 has failed the parent itself, and gone on to the next job.
      await job?.moveToWait(token);
    }
  }

  async close() {
    await this.worker.close(true);
    // BullMQ 3 would close the connection that was lent to it.
    if (majorOf(this.library) > 3) await this.flows.close();
    await this.queue.close();
  }
}
