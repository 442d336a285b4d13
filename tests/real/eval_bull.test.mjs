// Every Lua script of Bull 4 and of Bee-Queue 2 in moonshift's local engine, compared with EVAL.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import BeeQueue from 'bee-queue';
import Bull from 'bull';
import { clock, day, failure, hour, minute } from './history.mjs';
import { compareScripts } from './replay.mjs';
import { until } from './support.mjs';

const require = createRequire(import.meta.url);
const refused = (promise) => assert.rejects(promise);
const now = Date.parse('2026-11-01T02:30:00Z');

/** A queue of Bull that is driven by hand: nothing of its own timers runs. */
function openBull(server, name, options) {
  const redis = { path: server.socket, maxRetriesPerRequest: null };
  return server.host(new Bull(name, { redis, ...options }));
}

/** The clock that Bull reads stands still, and is put back in any case. */
const atNow = (work) => async (server) => {
  clock.set(now);
  try {
    await work(server);
  } finally {
    clock.release();
  }
};

async function complete(queue, value) {
  const job = await queue.getNextJob();
  await job.moveToCompleted(value, false, true);
  return job;
}

async function fail(queue, message = 'boom') {
  const job = await queue.getNextJob();
  await job.moveToFailed(failure(message));
  return job;
}

async function addToBull(server) {
  const queue = openBull(server, 'adding');
  await queue.add({ plain: 'ü\0🚀' });
  await queue.add('named', { n: 0.1 }, { lifo: true, attempts: 3, timestamp: now - day });
  for (const priority of [5, 1, 9, 5]) await queue.add({ priority }, { priority });
  for (const delay of [hour, minute]) await queue.add({ delay }, { delay });
  for (const jobId of ['own', 'own', 'a:b:c']) await queue.add({ jobId }, { jobId });
  for (const ttl of [hour, undefined]) {
    for (let i = 0; i < 2; i++) await queue.add({ i }, { debounce: { id: `once ${ttl}`, ttl } });
  }
  await queue.addBulk([{ data: 1 }, { name: 'two', data: 2, opts: { priority: 3, delay: 5 } }]);
  await queue.pause();
  await queue.add({ while: 'paused' });
  await queue.add({ while: 'paused' }, { priority: 2, lifo: true });
  await queue.resume();
  await queue.getCountsPerPriority([0, 1, 5, 7]);
}

async function workForBull(server) {
  const queue = openBull(server, 'working', { metrics: { maxDataPoints: 5 } });
  for (let i = 0; i < 8; i++) await queue.add({ i }, { attempts: 1 + (i % 3), priority: i % 2 });
  const job = await queue.getNextJob();
  await job.progress(40);
  await job.progress({ percent: 40.5, of: [] });
  await job.update({ changed: true });
  for (const line of ['one', 'two']) await job.log(line);
  await job.extendLock(hour);
  await job.takeLock();
  for (const state of ['isActive', 'isWaiting', 'isPaused', 'getState']) await job[state]();
  const next = await job.moveToCompleted({ value: [1, { a: 'b' }] });
  const second = await queue.nextJobFromJobData(...next);
  await refused(job.moveToCompleted('twice'));
  assert.equal((await job.finished()).value[0], 1);
  await second.releaseLock();
  await refused(second.releaseLock());
  await refused(second.moveToCompleted('without a lock'));
  await second.moveToCompleted('all the same', true, true);
  const third = await queue.getNextJob();
  await third.moveToDelayed(now + hour);
  for (let i = 1; i <= 4; i++) {
    clock.set(now + i * minute);
    await fail(queue);
  }
  await queue.add({}, { attempts: 2, backoff: { type: 'fixed', delay: minute }, lifo: true });
  await fail(queue, 'delayed');
  await queue.updateDelayTimer();
  clock.set(now + hour);
  await queue.updateDelayTimer();
  for (const keep of [true, 1, { age: 60, count: 2 }]) {
    const options = { removeOnComplete: keep, removeOnFail: keep, lifo: true };
    for (let i = 0; i < 2; i++) {
      await queue.add({ keep }, options);
      await complete(queue, i);
      await queue.add({ keep }, options);
      await fail(queue);
    }
  }
  await queue.getMetrics('completed');
}

async function tendBull(server) {
  const queue = openBull(server, 'upkeep');
  const add = async (count, options) => {
    for (let i = 0; i < count; i++) await queue.add({ i }, options);
  };
  await add(8);
  for (let i = 0; i < 3; i++) await fail(queue);
  for (let i = 0; i < 3; i++) await complete(queue);
  const [failed] = await queue.getFailed();
  const [completed] = await queue.getCompleted();
  await failed.retry();
  await refused(completed.retry());
  await queue.retryJobs({ count: 1 });
  await add(3, { delay: hour });
  const [late] = await queue.getDelayed();
  await late.promote();
  await refused(late.promote());
  await late.remove();
  await late.remove();
  await fail(queue);
  const active = await queue.getNextJob();
  await refused(active.update.call({ id: 'ghost', queue }, {}));
  await active.releaseLock();
  await add(2, { priority: 3 });
  clock.set(now + 10 * day);
  for (const state of ['completed', 'failed', 'delayed', 'wait', 'paused', 'active']) {
    await queue.clean(day, state, 1);
    await queue.clean(day, state);
  }
  await add(2, { repeat: { cron: '0 2 * * *', tz: 'UTC' } });
  await add(1, { repeat: { every: hour, limit: 3 }, jobId: 'own' });
  await queue.removeRepeatable({ every: hour, limit: 3, jobId: 'own' });
  for (const { key } of await queue.getRepeatableJobs()) await queue.removeRepeatableByKey(key);
  await add(3);
  await queue.getNextJob();
  await refused(queue.obliterate());
  await queue.obliterate({ force: true, count: 2 });
}

async function stallBull(server) {
  const queue = openBull(server, 'stalling', { settings: { stalledInterval: hour } });
  for (let i = 0; i < 4; i++) await queue.add({ i }, { removeOnFail: i === 2 });
  const job = await queue.getNextJob();
  const others = [await queue.getNextJob(), await queue.getNextJob()];
  for (let round = 0; round < 5; round++) {
    await server.client.del('bull:stalling:stalled-check');
    await queue.moveUnlockedJobsToWait();
    await queue.moveUnlockedJobsToWait();
    for (const { id } of others) await server.client.del(`bull:stalling:${id}:lock`);
    if (round === 2) await queue.getNextJob();
  }
  await job.moveToCompleted('survived', false, true);
}

async function limitBull(server) {
  const group = { max: 1, duration: 10 * minute, groupKey: 'who' };
  for (const limiter of [
    { max: 2, duration: 10 * minute },
    group,
    { ...group, bounceBack: true },
  ]) {
    const queue = openBull(server, `limited ${Object.keys(limiter)}`, { limiter });
    for (let i = 0; i < 5; i++) await queue.add({ who: `w${i % 2}` }, { priority: i % 3 });
    for (let i = 0; i < 5; i++) await queue.moveToActive();
    await queue.updateDelayTimer();
    for (const job of await queue.getDelayed()) await job.remove();
  }
}

/** So few keys that SCAN returns them all at once: its cursors are not the same on any server. */
async function removeByPattern(server) {
  const queue = openBull(server, 'patterns');
  for (const jobId of ['keep', 'job-1', 'job-2']) await queue.add({}, { jobId });
  await queue.removeJobs('job-*');
  await queue.removeJobs('nothing');
}

// When a limited job may run is told by PTTL of the limiter, stored and published.
const limited = ['end of life in ms, above 12 bits', 'clock of the server'];
const bullScripts = Object.values(require('./node_modules/bull/lib/scripts/index.js'));

compareScripts('Bull 4 in the local engine', {
  scripts: new Map(bullScripts.map(({ name, content }) => [name, content])),
  scenarios: [
    ['jobs of all kinds are added', atNow(addToBull)],
    ['jobs are worked on', atNow(workForBull)],
    ['upkeep', atNow(tendBull)],
    ['stalled jobs', atNow(stallBull)],
    ['rate limits', atNow(limitBull), { rules: { replies: limited, dataset: limited } }],
    ['jobs are removed by a pattern', atNow(removeByPattern)],
  ],
  rules: { removeJobs: ['order of SCAN'] },
});

function openBee(server, name, options) {
  const queue = new BeeQueue(name, { redis: { path: server.socket }, ...options });
  return server.host(queue.on('error', () => {}));
}

async function workForBee(server) {
  const queue = openBee(server, 'live', { activateDelayedJobs: true, removeOnFailure: true });
  const done = new Set();
  const note = ({ id }) => done.add(id);
  queue.on('succeeded', note).on('failed', note);
  queue.process(3, async ({ data: { i } }) => {
    if (i % 5 === 4) throw new Error(`boom ${i}`);
    return { i, text: 'ü\0' };
  });
  const jobs = Array.from({ length: 10 }, (_, i) => queue.createJob({ i, deep: [{ a: null }] }));
  jobs[3].setId('own');
  for (const job of jobs.slice(0, 6)) await job.retries(1).save();
  await queue.saveAll(jobs.slice(6));
  await queue.createJob({ i: 10 }).setId('own').save();
  await queue
    .createJob({ i: 11 })
    .delayUntil(Date.now() + 50)
    .save();
  await until(() => done.size === 11, 'all jobs have run');
}

async function tendBee(server) {
  const options = { isWorker: false, stallInterval: hour, nearTermWindow: day };
  const queue = openBee(server, 'upkeep', { ...options, activateDelayedJobs: true });
  await queue.ready();
  const ids = [undefined, 'own', 'own', 'ü', undefined, 'nine'];
  for (const id of ids) await (id ? queue.createJob({ id }).setId(id) : queue.createJob(id)).save();
  for (const delay of [2 * hour, hour, day]) {
    await queue
      .createJob({ delay })
      .delayUntil(now + delay)
      .save();
  }
  await queue
    .createJob({})
    .setId('own')
    .delayUntil(now + minute)
    .save();
  for (const at of [now, now + minute, now + 3 * hour, now + 2 * day]) {
    clock.set(at);
    queue._activateDelayed();
    await queue.ready();
    await queue.checkHealth();
  }
  clock.release();
  for (let round = 0; round < 4; round++) {
    await server.client.del('bq:upkeep:stallBlock');
    await queue.checkStalledJobs();
    await queue.checkStalledJobs();
    for (let i = 0; i < 3 - round; i++) {
      await server.client.rpoplpush('bq:upkeep:waiting', 'bq:upkeep:active');
    }
  }
  for (const id of ['own', 'nine', 'nobody', '1']) await queue.removeJob(id);
}

const beeDirectory = new URL('node_modules/bee-queue/lib/lua/', import.meta.url);
const beeFiles = readdirSync(beeDirectory).filter((name) => name.endsWith('.lua'));

compareScripts('Bee-Queue 2 in the local engine', {
  scripts: new Map(
    beeFiles.map((name) => [name, readFileSync(new URL(name, beeDirectory), 'latin1')]),
  ),
  scenarios: [
    ['live workers', workForBee],
    ['upkeep', tendBee],
  ],
});
