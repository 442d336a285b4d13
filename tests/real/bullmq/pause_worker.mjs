// A worker in a process of its own: PACKAGE SOCKET QUEUE. Jobs that may be tried again fail at first.

import Redis from 'ioredis';

const [major, path, name] = process.argv.slice(2);
const { Worker } = await import(major);
const connection = new Redis({ path, maxRetriesPerRequest: null });
const notes = new Redis({ path });

async function run(job) {
  if (job.opts.attempts > 1 && job.attemptsMade === 0) throw new Error('not at first');
  await notes.rpush('ran', job.id);
}

const worker = new Worker(name, run, {
  connection,
  concurrency: 20,
  lockDuration: 500,
  stalledInterval: 250,
  maxStalledCount: 1000,
  drainDelay: 1,
});
worker.on('error', () => {});
