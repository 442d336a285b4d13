// Every Lua script of BullMQ 6 and 5 in moonshift's local engine: the same replies and the same
// dataset as by EVAL, call by call, while the real libraries put their queues through everything.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { clock, day, failure, hour, libraries, minute, QueueHistory, second } from './history.mjs';
import { compareScripts } from './replay.mjs';
import { until } from './support.mjs';
import { now, olderThan, World } from './world.mjs';

const require = createRequire(import.meta.url);
const packages = { bullmq6: 'bullmq', bullmq5: 'bullmq5' };

/** The package's own texts of its scripts: name -> text. */
function scriptsOf(version) {
  const path = `node_modules/${packages[version]}/dist/cjs/scripts/index.js`;
  const all = Object.values(require(new URL(path, import.meta.url).pathname));
  return new Map(all.map(({ name, content }) => [name, content]));
}

// The scripts that answer with PTTL of the rate limiter, and those that ask for TIME.
const life = ['remaining life in ms'];
const rules = {
  getRateLimitTtl: life,
  moveJobFromActiveToWait: life,
  moveToActive: life,
  moveToDelayed: life,
  moveToFinished: life,
};
const relayRules = { replies: ['clock of the server'], dataset: ['clock of the server'] };

const token = 'history';
const refused = (promise) => assert.rejects(promise);

/** Fails the next job once: it is retried if it has attempts left. */
async function failOnce(queue, at, error = failure('boom'), fetchNext = false) {
  const job = await queue.take(at);
  await job.moveToFailed(error, token, fetchNext);
  return job;
}

async function addOfAllKinds(open) {
  const history = open('adding');
  const add = (...args) => history.add(now, ...args);
  await add({ plain: true });
  await add({ last: 'in, first out' }, { lifo: true });
  await add({ later: true }, { delay: hour });
  for (const priority of [5, 1, 2 ** 21 - 1, 5]) await add({ priority }, { priority });
  await add({ both: true }, { priority: 3, delay: minute });
  for (const jobId of ['own-id', 'own-id', 'a:b:c']) await add({ jobId }, { jobId });
  await add('x'.repeat(70_000), { attempts: 3, backoff: { type: 'exponential', delay: second } });
  await add([1, 1.5, -0.1, 1e21, 12345678901234567890, null, {}, []], { keepLogs: 2 });
  await add({ '\0ü🚀"\\/': '\r\n' }, { jobId: 'ключ-\0-🚀', removeOnComplete: { age: 60 } });
  await add({}, { telemetry: { metadata: 'trace', omitContext: true }, timestamp: now - day });
  clock.set(now);
  await history.queue.addBulk([
    { name: 'bulk', data: 1 },
    { name: 'bulk', data: 2, opts: { delay: minute } },
    { name: 'bulk', data: 3, opts: { priority: 9, jobId: 'in-bulk' } },
    { name: 'bulk', data: 4, opts: { jobId: 'own-id' } },
  ]);
  await history.queue.pause();
  await add({ while: 'paused' });
  await add({ while: 'paused' }, { priority: 2 });
  await history.queue.resume();
}

async function deduplicate(open) {
  const history = open('once');
  const add = (at, deduplication, options) =>
    history.add(now + at, { at }, { deduplication, ...options });
  for (const at of [0, 1]) await add(at, { id: 'simple' });
  for (const at of [2, 3]) await add(at, { id: 'throttle', ttl: hour });
  for (const at of [4, 5]) {
    await add(at, { id: 'debounce', ttl: hour, extend: true, replace: true }, { delay: hour });
  }
  for (const at of [6, 7]) await add(at, { id: 'replace', replace: true }, { delay: minute });
  for (const at of [8, 9]) await add(at, { id: 'priority' }, { priority: 4 });
  const job = await history.take(now + minute);
  await add(minute, { id: 'simple', keepLastIfActive: true });
  await add(minute + 1, { id: 'simple', keepLastIfActive: true }, { priority: 7, attempts: 3 });
  await job.moveToCompleted({ done: true }, token, false);
  await history.complete(now + hour);
  const last = await add(2 * hour, { id: 'gone' });
  assert.equal(await history.queue.getDeduplicationJobId('gone'), last.id);
  assert.ok(await last.removeDeduplicationKey());
  assert.ok(!(await last.removeDeduplicationKey()));
  await add(2 * hour, { id: 'gone' });
  await history.queue.removeDeduplicationKey('throttle');
  await add(2 * hour, { id: 'throttle', ttl: hour });
}

async function work(open) {
  const history = open('working', { worker: { metrics: { maxDataPoints: 5 } } });
  const { worker, queue } = history;
  for (let i = 0; i < 14; i++) {
    await history.add(now, { i }, { attempts: i % 3, priority: i % 4, keepLogs: 2 });
  }
  const first = await history.take(now);
  const second = await history.take(now);
  for (const line of ['one', 'two', 'three']) await first.log(line);
  await first.updateProgress(40);
  await first.updateProgress({ percent: 40.5, of: ['a', null] });
  await queue.updateJobProgress(second.id, 'nearly');
  await first.updateData({ changed: 'ü', n: 0.1 });
  await queue.addJobLog(second.id, 'by the queue');
  await first.clearLogs(1);
  await first.extendLock(token, 2 * minute);
  await refused(refusedLock(first));
  const tokens = [token, 'stranger', token];
  await worker.extendJobLocks([first.id, second.id, 'nobody'], tokens, minute);
  const next = await first.moveToCompleted({ value: [1, { a: 'b' }] }, token, true);
  assert.ok(next[0]);
  await refused(second.moveToCompleted('not mine', 'stranger', false));
  await second.moveToWait(token);
  await refused(second.moveToWait(token));
  const late = await history.take(now + second_);
  await late.moveToDelayed(now + hour, token);
  await refused(late.moveToDelayed(now + hour, token));

  for (let i = 0; i < 3; i++) await history.complete(now + i * minute, { took: i * 10 });
  await failOnce(history, now + 3 * minute);
  await failOnce(history, now + 5 * minute, failure('and the next'), true);
  await failOnce(history, now + 9 * minute, new history.library.UnrecoverableError('for good'));
  await history.add(
    now,
    {},
    { attempts: 3, backoff: { type: 'fixed', delay: minute }, lifo: true },
  );
  await failOnce(history, now + 10 * minute);
  await failOnce(history, now + 11 * minute, failure('again'), true);

  for (const keep of [true, 1, { age: 60, count: 2 }, { age: 30 }]) {
    const options = { removeOnComplete: keep, removeOnFail: keep, lifo: true };
    for (let i = 0; i < 2; i++) {
      await history.add(now + hour, { keep }, options);
      await history.complete(now + hour + i * minute);
      await history.add(now + hour, { keep }, options);
      await history.fail(now + hour + i * minute);
    }
  }
  for (const state of ['completed', 'failed']) {
    await queue.getMetrics(state);
    await queue.getMetrics(state, 1, 2);
  }
  const [done] = await queue.getCompleted();
  const [failed] = await queue.getFailed();
  await refused(done.retry('failed'));
  await done.retry('completed', { resetAttemptsMade: true });
  await failed.retry('failed', { resetAttemptsStarted: true });
  for (const call of [
    (job) => job.updateData({}),
    (job) => job.updateProgress(1),
    (job) => job.log('x'),
    (job) => job.promote(),
    (job) => job.changeDelay(1),
    (job) => job.changePriority({ priority: 1 }),
    (job) => job.moveToCompleted(1, token),
  ]) {
    await refused(call(new history.library.Job(queue, 'ghost', {}, {}, 'ghost')));
  }
}

const second_ = second;
/** A lock that is somebody else's is not extended: the script answers 0. */
async function refusedLock(job) {
  assert.notEqual(await job.extendLock('stranger', minute), 1);
  throw new Error('not extended');
}

async function flow(open) {
  const [parents, children] = [open('parents'), open('children')];
  const child = (opts = {}, rest = {}) => ({ name: 'c', queueName: 'children', opts, ...rest });
  const add = (name, ...nodes) =>
    parents.addFlow(now, { name, data: { name }, opts: { jobId: name }, children: nodes });

  await add('simple', child(), child({ delay: hour }), child({ priority: 2 }));
  await children.complete(now, { value: { answer: 42 } });
  const simple = await parents.queue.getJob('simple');
  await simple.getDependencies();
  await simple.getDependenciesCount();
  await simple.getDependenciesCount({ processed: true, unprocessed: true });
  await parents.queue.getDependencies('simple', 'processed', 0, 10);
  await parents.queue.getDependencies('simple', 'pending', 0, 1);
  await parents.flows.getFlow({ queueName: 'parents', id: 'simple' });
  await children.complete(now);
  await simple.removeUnprocessedChildren();

  for (const option of [
    'failParentOnFailure',
    'ignoreDependencyOnFailure',
    'removeDependencyOnFailure',
    'continueParentOnFailure',
    'none',
  ]) {
    await add(option, child({ [option]: true, lifo: true }), child({ delay: hour }));
    await children.fail(now + minute, { error: failure(option) });
  }
  for (let i = 0; i < 3; i++) await parents.failDeferred(now + minute);
  const ignored = await parents.queue.getJob('ignoreDependencyOnFailure');
  await ignored.getIgnoredChildrenFailures();
  await ignored.getChildrenValues();

  const deep = child({ failParentOnFailure: true }, { children: [child({ lifo: true })] });
  await add('deep', deep, child({}, { queueName: 'parents', children: [child({ delay: day })] }));
  await children.fail(now + hour);

  // A job that becomes a parent while it runs, and waits for its children then.
  await parents.add(now, {}, { jobId: 'dynamic', lifo: true });
  const dynamic = await parents.take(now);
  const parent = { id: 'dynamic', queue: dynamic.queueQualifiedName };
  assert.equal(await dynamic.moveToWaitingChildren(token), false);
  for (const id of ['d1', 'd2', 'd3']) {
    await children.add(
      now,
      { id },
      { jobId: id, parent, lifo: true, delay: id === 'd3' ? hour : 0 },
    );
  }
  await children.add(now, {}, { jobId: 'd2', parent });
  assert.equal(await dynamic.moveToWaitingChildren(token), true);
  await refused(dynamic.moveToWaitingChildren(token));
  await children.complete(now);
  await (await children.queue.getJob('d3')).removeChildDependency();
  await children.complete(now);
  await refused(children.add(now, {}, { parent: { id: 'nobody', queue: 'bull:parents' } }));
  clock.set(now);
  const bulk = (jobId) => ({
    name: 'b',
    queueName: 'parents',
    opts: { jobId },
    children: [child()],
  });
  await parents.flows.addBulk(['b1', 'b2', 'b3'].map(bulk));
  await parents.queue.remove('b1');
  await parents.queue.remove('b2', { removeChildren: false });
  await (await parents.queue.getJob('deep')).remove();
  assert.equal(await parents.queue.remove('nobody'), 1);
  for (const { queue } of [parents, children]) await queue.getJobs();
}

async function look(open) {
  const history = open('looking');
  const { queue } = history;
  const jobs = [];
  for (let i = 0; i < 12; i++) {
    const options = { delay: i % 4 === 3 ? hour + i : 0, priority: i % 3 };
    jobs.push(await history.add(now + i, { i }, { ...options, attempts: 1 }));
  }
  await history.complete(now, { value: 'ü\0' });
  await history.fail(now);
  await history.take(now);
  for (const asc of [true, false]) {
    for (const range of [
      [0, -1],
      [0, 2],
      [1, -1],
      [-3, -1],
      [5, 1],
    ]) {
      await queue.getJobs(undefined, ...range, asc);
      await queue.getRanges(['waiting', 'active', 'delayed', 'completed'], ...range, asc);
    }
  }
  await queue.getJobs(['waiting', 'wait', 'repeat', 'paused']);
  // Not a number: the script fails, and the text of its error is compared like any reply.
  await refused(queue.getJobs(['waiting'], true));
  await history.recorded.client.lpush(`${history.base}wait`, 'without-a-hash');
  await queue.getJobs(['waiting'], 0, 3, true);
  await queue.getJobCounts();
  await queue.getJobCounts('waiting', 'delayed', 'paused');
  await queue.getDelayedCount(...(history.library === libraries.bullmq6 ? [now + hour + 8] : []));
  await queue.getCountsPerPriority([0, 1, 2, 7]);
  for (const job of [...jobs, { id: 'nobody' }]) await queue.getJobState(job.id);
  for (const job of jobs.slice(0, 4)) {
    await inside(queue).isFinished(job.id);
    await inside(queue).isFinished(job.id, true);
    await job.isWaiting();
    await job.isActive();
    await job.isDelayed();
  }
  assert.equal(await queue.isMaxed(), false);
  await queue.setGlobalConcurrency(1);
  assert.equal(await queue.isMaxed(), true);
  assert.equal(await history.worker.getNextJob(token, { block: false }), undefined);
  await queue.exportPrometheusMetrics();
}

/** Where a version keeps the methods that call scripts. */
const inside = (queue) => queue.backend ?? queue.scripts;

/** Before Redis 6.0.6 there was no LPOS, so BullMQ searches lists by other scripts. */
async function meetAnOldServer(open) {
  const history = open('old');
  const connection = history.queue.backend?.connection ?? history.queue.connection;
  const jobs = [];
  for (const delay of [0, 0, hour]) jobs.push(await history.add(now, {}, { delay }));
  await history.take(now);
  Object.defineProperty(connection, 'redisVersion', { get: () => '6.0.0' });
  for (const job of jobs) {
    await job.getState();
    await job.isWaiting();
    await job.isActive();
  }
}

async function keepUp(open) {
  const history = open('upkeep');
  const { queue } = history;
  const add = async (count, options) => {
    for (let i = 0; i < count; i++) await history.add(now + i, { i }, options);
  };
  await add(6);
  await add(4, { priority: 5 });
  await add(5, { delay: hour });
  await queue.pause();
  await queue.pause();
  await queue.resume();
  const [one, two, three] = await queue.getWaiting();
  await one.changePriority({ priority: 3 });
  await two.changePriority({ priority: 5, lifo: true });
  await three.changePriority({ lifo: true });
  await one.changePriority({ priority: 0 });
  const [late, later] = await queue.getDelayed();
  clock.set(now + minute);
  await late.changeDelay(2 * hour);
  await late.changePriority({ priority: 7 });
  await late.promote();
  await refused(late.promote());
  await later.promote();
  for (let i = 0; i < 3; i++) await history.fail(now + hour);
  for (let i = 0; i < 3; i++) await history.complete(now + hour);
  clock.set(now + hour + minute);
  await queue.retryJobs({ count: 2 });
  await queue.retryJobs({ state: 'completed', timestamp: now + 2 * hour });
  await queue.promoteJobs({ count: 1 });
  await history.fail(now + 3 * hour);
  await history.complete(now + 3 * hour);
  await add(3, { delay: day });
  clock.set(now + 10 * day);
  for (const state of ['completed', 'failed', 'delayed', 'wait', 'prioritized', 'active']) {
    await queue.clean(day, 1, state);
    await queue.clean(day, 0, state);
  }
  await add(2);
  await history.take(now);
  await history.recorded.client.hset(`${history.base}orphan`, { name: 'lost', data: '{}' });
  await history.recorded.client.rpush(`${history.base}orphan:logs`, 'a line');
  assert.equal(await queue.removeOrphanedJobs(), 1);
  await add(2, { delay: hour });
  await add(2, { priority: 1 });
  await queue.drain();
  await queue.drain(true);
  await queue.trimEvents(3);
  await add(3);
  await refused(queue.obliterate());
  await queue.obliterate({ force: true, count: 2 });
  await queue.resume();
}

async function stall(open) {
  const history = open('stalling', { worker: { maxStalledCount: 1 } });
  const { client } = history.recorded;
  for (let i = 0; i < 4; i++) {
    await history.add(now, { i }, { attempts: 3, priority: i % 2, removeOnFail: i === 3 });
  }
  await history.addFlow(now, {
    name: 'p',
    children: [
      { name: 'c', queueName: 'stalling', opts: { failParentOnFailure: true, lifo: true } },
    ],
  });
  for (let round = 0; round < 3; round++) {
    const taken = [];
    for (let job; (job = await history.worker.getNextJob(token, { block: false }));)
      taken.push(job);
    await history.worker.moveStalledJobsToWait();
    for (const { id } of taken.slice(1)) await client.del(`${history.base}${id}:lock`);
    for (let check = 0; check < 2; check++) {
      await client.del(`${history.base}stalled-check`);
      await history.worker.moveStalledJobsToWait();
    }
  }
}

async function schedule(open) {
  const history = open('schedules');
  const { queue } = history;
  clock.set(now);
  const upsert = (id, repeat, template) => queue.upsertJobScheduler(id, repeat, template);
  await upsert(
    'every',
    { every: hour },
    { name: 'tick', data: { n: 1.25 }, opts: { priority: 2 } },
  );
  await upsert('every', { every: 2 * hour, limit: 3 }, { data: { n: 2 }, opts: { attempts: 4 } });
  await upsert('cron', { pattern: '0 2 * * *', tz: 'Europe/Berlin', endDate: now + 400 * day });
  await upsert('cron', { pattern: '30 3 * * 1', tz: 'UTC' }, { name: 'other', data: ['ü'] });
  await upsert('start', { every: hour, startDate: now + day });
  await upsert('offset', { every: day, offset: 5 * minute });
  await upsert('ключ', { pattern: '*/5 * * * *' }, { opts: { removeOnComplete: true } });
  await queue.getJobScheduler('every');
  await queue.getJobScheduler('nobody');
  await queue.getJobSchedulers();
  for (let i = 1; i <= 4; i++) {
    clock.set(now + i * day);
    const job = await history.worker.getNextJob(token, { block: false });
    await job?.moveToCompleted(i, token, false);
  }
  const [delayed] = await queue.getDelayed();
  await refused(delayed.remove());
  await queue.drain(true);
  await queue.clean(0, 0, 'delayed');
  for (const id of ['every', 'cron', 'nobody']) await queue.removeJobScheduler(id);
}

/** BullMQ 5's older kind of repeated jobs. */
async function repeat(open) {
  const history = open('repeating');
  const { queue } = history;
  const add = (name, repeat, options) => {
    clock.set(now);
    return queue.add(name, { name }, { repeat, ...options });
  };
  await add('cron', { pattern: '0 2 * * *', tz: 'UTC' }, { jobId: 'own' });
  await add('cron', { pattern: '0 2 * * *', tz: 'UTC' }, { jobId: 'own' });
  await add('every', { every: hour, limit: 5 });
  await add('key', { every: minute, key: 'own-key', endDate: now + day }, { priority: 1 });
  await add('key', { every: 2 * minute, key: 'own-key' });
  await add('legacy', { every: minute, key: 'five:parts:as:once:upon' });
  for (let i = 1; i <= 3; i++) {
    clock.set(now + i * hour);
    const job = await history.worker.getNextJob(token, { block: false });
    await job?.moveToCompleted(i, token, false);
  }
  await queue.removeRepeatable('every', { every: hour, limit: 5 });
  await queue.removeRepeatable('nobody', { every: hour });
  for (const { key } of await queue.getRepeatableJobs()) await queue.removeRepeatableByKey(key);
}

async function limit(open) {
  const limiter = { max: 2, duration: 10 * minute };
  const history = open('limited', { worker: { limiter } });
  const { queue, worker } = history;
  for (let i = 0; i < 8; i++) await history.add(now, { i }, { priority: i % 2, attempts: 2 });
  await queue.getRateLimitTtl(2);
  const first = await history.take(now);
  await history.take(now);
  assert.equal(await worker.getNextJob(token, { block: false }), undefined);
  assert.ok((await queue.getRateLimitTtl(2)) > 0);
  await queue.getRateLimitTtl();
  await first.moveToCompleted(1, token, true);
  await queue.removeRateLimitKey();
  const other = open('limited', { worker: { limiter } });
  const third = await other.take(now);
  await worker.rateLimit(5 * minute);
  assert.ok((await third.moveToWait(token)) > 0);
  await queue.removeRateLimitKey();
  await failOnce(other, now, failure('limited'), true);
  const global = open('global');
  await global.queue.setGlobalRateLimit(1, 10 * minute);
  for (let i = 0; i < 3; i++) await global.add(now, { i });
  await global.complete(now);
  await global.queue.getRateLimitTtl();
  assert.equal(await global.worker.getNextJob(token, { block: false }), undefined);
}

/** Scripts that the package brings and none of its own code calls. */
async function callDirectly(open, version) {
  const history = open('direct');
  await history.add(now, {});
  const { id } = await history.take(now);
  const key = history.base + id;
  const call = (name, ...args) =>
    history.recorded.client.eval(scriptsOf(version).get(name), ...args);
  assert.equal(await call('releaseLock', 1, `${key}:lock`, 'stranger', minute), 0);
  assert.equal(await call('releaseLock', 1, `${key}:lock`, token, minute), 1);
  const stack = JSON.stringify([failure('boom').stack]);
  assert.equal(await call('saveStacktrace', 1, key, stack, 'boom'), 0);
  assert.equal(await call('saveStacktrace', 1, `${history.base}nobody`, stack, 'boom'), -1);
}

/** Workers as they run in production, with real time and everything at once. */
async function live(open) {
  const history = open('live');
  const { library, recorded } = history;
  let failures = 0;
  const process = async (job) => {
    await job.updateProgress(50);
    await job.log('working');
    if (job.data.i % 3 === 0 && job.attemptsMade === 0) throw new Error(`boom ${++failures}`);
    return { i: job.data.i };
  };
  const connection = recorded.connect();
  const worker = recorded.host(new library.Worker('live', process, { connection, concurrency: 3 }));
  const options = (i) => ({ attempts: 2, priority: i % 2, delay: i % 5 === 0 ? 20 : 0 });
  const adding = Array.from({ length: 20 }, (_, i) => history.queue.add('live', { i }, options(i)));
  await Promise.all(adding);
  await until(async () => (await history.queue.getCompletedCount()) === 20, 'all jobs have run');
  await worker.close();
}

async function fillAndClean(open, version, server) {
  const world = server.host(new World(libraries[version], server.connect()));
  await world.fill();
  for (const { queue } of [world.publishing, world.indexing]) {
    clock.set(now);
    for (const state of ['completed', 'failed']) await queue.clean(olderThan, 0, state);
    await queue.obliterate({ force: true });
  }
}

/** BullMQ 6's messages between nodes. What the server's clock says is in most of its data. */
async function relay(open, version, server) {
  const { Relay } = libraries[version];
  const connect = (nodeId, options) =>
    server.host(new Relay({ connection: server.connect(), namespace: 'news', nodeId, ...options }));
  const one = connect('one', { name: 'first', leaseDuration: hour, inboxMaxLength: 5 });
  await one.waitUntilReady();
  const two = connect('two', { leaseDuration: hour });
  await two.waitUntilReady();
  const seen = [];
  const listen = (message) => seen.push(message.topic);
  const subscription = await one.subscribe('jobs.*.done', listen);
  for (const pattern of ['jobs.>', 'jobs.42.done', '*.42.>', '>'])
    await one.subscribe(pattern, listen);
  await two.subscribe('jobs.42.done', listen);
  await refused(one.subscribe('a..b', listen));
  await one.publish('jobs.42.done', { by: 'one' }, { retain: hour });
  await two.publish('jobs.42.failed', { by: 'two', text: 'ü' });
  await two.publish('alone');
  await refused(two.publish('not/a/topic', {}));
  await refused(two.publish('big', 'x'.repeat(600_000)));
  await until(() => seen.length >= 10, 'the messages have arrived');
  await two.subscribe('jobs.42.done', listen);
  await subscription.unsubscribe();
  await one.getCounts();
  await one.getNodes();
  await one.getSubscriptions();
  await one.getSubscriptions({ nodeId: 'two' }, 0, 0);
  await one.getSubscriptions({ pattern: 'jobs.42.done' });
  await one.getPatterns(0, 1);
  await one.getRetained();
  await one.getNamespaces();
  await one.backend.heartbeat('one', hour);
  await one.backend.heartbeat('nobody', hour);

  // A node that has died: its lease is over, its subscriptions are still there.
  const base = 'bull::relay:{news}';
  await one.backend.registerNode('dead', hour, { pid: 1 });
  for (let i = 0; i < 130; i++) await one.backend.subscribe('dead', `e${i % 7}`, `topic.${i}.*`);
  await server.client.zadd(`${base}:nodes`, 1, 'dead');
  await server.client.del(`${base}:{dead}:node`);
  await one.backend.sweep(100);
  await one.backend.sweep(100);

  // The inbox of a node that does not read. Ids of our own, which are the same in every replay.
  await one.backend.registerNode('slow', hour, {}, 4);
  await one.backend.subscribe('slow', 'e', 'slow.>');
  const inbox = `${base}:slow:inbox`;
  for (let i = 1; i <= 7; i++)
    await server.client.xadd(inbox, `${i}-1`, 'k', 'msg', 't', `slow.${i}`);
  const call = (name, ...args) =>
    server.client.eval(scriptsOf(version).get(name), 1, `${base}:nodes`, base, ...args);
  await call('relayReadInbox', 'slow', '0-0', 3);
  await call('relayReadInbox', 'slow', '9-9', 3);
  await call('relayReadInbox', 'nobody', '0-0', 3);
  await call('relayAckInbox', 'slow', '2-1');
  await one.backend.trimInbox('slow', '2-1', 3);
  await one.publish('slow.8', 1);
  await one.publish('slow.9', 2);
  await one.backend.trimInbox('slow', '9-9', 1);
  await one.backend.unregisterNode('slow');
  await one.deleteRetained('jobs.42.done');
  await one.deleteRetained('jobs.42.done');
  await two.close();
}

const scenarios = [
  ['a world of queues is filled, cleaned and obliterated', fillAndClean],
  ['jobs of all kinds are added', addOfAllKinds],
  ['jobs are deduplicated', deduplicate],
  ['jobs are worked on', work],
  ['flows', flow],
  ['getters', look],
  ['an old server', meetAnOldServer],
  ['upkeep', keepUp],
  ['stalled jobs', stall],
  ['job schedulers', schedule],
  ['repeated jobs', repeat, { only: 'bullmq5' }],
  ['rate limits', limit],
  ['scripts that no method calls', callDirectly],
  ['live workers', live],
  ['relay', relay, { only: 'bullmq6', rules: relayRules }],
];

for (const [version, library] of Object.entries(libraries)) {
  const run = (scenario) => async (server) => {
    const open = (queue, options) => {
      const history = new QueueHistory(library, server.connect(), queue, options);
      return server.host(Object.assign(history, { recorded: server }));
    };
    try {
      await scenario(open, version, server);
    } finally {
      clock.release();
    }
  };
  compareScripts(`${version} in the local engine`, {
    scripts: scriptsOf(version),
    scenarios: scenarios
      .filter(([, , { only = version } = {}]) => only === version)
      .map(([title, scenario, options]) => [title, run(scenario), options]),
    rules,
  });
}
