// A worker process that a test kills: node live_worker.mjs SOCKET VERSION QUEUE. It notes how often each job
// was started, failed on purpose and done, and which locks it lost.

import Redis from 'ioredis';

const [socket, version, name] = process.argv.slice(2);
const connect = () => new Redis({ path: socket, maxRetriesPerRequest: null });
const notes = connect();
const note = (what, id) => notes.hincrby(`notes:${name}:${what}`, id, 1);

const run = async ({ id, data }) => {
  await note('started', id);
  if (data.slow) await new Promise((done) => setTimeout(done, data.slow));
  const failures = Number(await notes.hget(`notes:${name}:failed`, id));
  if (failures < data.failures) {
    await note('failed', id);
    throw new Error('on purpose');
  }
  await note('done', id);
};

const { Worker } = await import(version.replace('6', '')); // the newest has no number in package.json
const worker = new Worker(name, run, {
  connection: connect(),
  concurrency: 8,
  lockDuration: 1500,
  lockRenewTime: 300,
  stalledInterval: 1000,
  maxStalledCount: 1000,
  drainDelay: 1,
});
// On a busy machine this process may sleep too long, and then it loses its locks.
worker.on('error', ({ message }) => /\block\b/.test(message) && note('lost', message));
