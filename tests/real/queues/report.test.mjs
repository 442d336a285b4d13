// queues/report: what it says of each queue, compared with what the queue's own library says; and what is no queue.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { openBee, startWorker } from '../bee/world.mjs';
import { openBull } from '../bull/world.mjs';
import { allLibraries, clock, day, hour, majorOf, minute } from '../history.mjs';
import { byteForByte, differences, launchMoonshift, redisFor, snapshot, until } from '../support.mjs';

const rdb = new URL('../fixture.rdb', import.meta.url).pathname;
const { queues: inFixture } = JSON.parse(readFileSync(new URL('../fixture.json', import.meta.url)));

/** The findings: what -> {level, value, hint, data}. */
async function look(server, params = {}) {
  const given = Object.entries(params).flatMap(([name, value]) => ['--param', `${name}=${value}`]);
  const { code, stdout, stderr } = await launchMoonshift('run', 'queues/report', '--url', server.url, ...given, '--json').done;
  const report = JSON.parse(stdout || '{}');
  assert.equal(code, 0, `${stdout} ${stderr}`);
  assert.equal(new Set(report.findings.map(({ what }) => what)).size, report.findings.length, 'each once');
  return new Map(report.findings.map(({ what, ...finding }) => [what, finding]));
}

const noQueues = async (server) => assert.deepEqual([...(await look(server)).keys()], ['queues']);

const nonZero = (counts) => Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** getJobCounts() of BullMQ and Bull in the words of the report. */
function counted({ wait = 0, waiting = wait, paused = 0, prioritized = 0, ...counts }) {
  return nonZero({
    waiting: waiting + paused + prioritized,
    active: counts.active,
    delayed: counts.delayed,
    'waiting for children': counts['waiting-children'] ?? 0,
    completed: counts.completed,
    failed: counts.failed,
  });
}

function jobsOf({ data }) {
  const { overdue, ...jobs } = data.jobs;
  return nonZero(jobs);
}

describe('queues/report: BullMQ', () => {
  test('the counts of queues with jobs in every state', async (t) => {
    const server = await redisFor(t, { rdb });
    const before = await snapshot(server.client);
    const found = await look(server);
    assert.deepEqual(differences(before, await snapshot(server.client), byteForByte), [], 'it only reads');
    assert.equal(found.size, inFixture.length);
    for (const { prefix, name, counts } of inFixture) {
      const one = found.get(`bullmq ${prefix}:${name}`);
      assert.deepEqual(jobsOf(one), counted(counts));
      assert.equal(one.data.workers, 0);
      assert.equal(one.level, 'warning');
    }
    const few = await look(server, { queues: 'bull:*-*', warn: 10 });
    assert.deepEqual([...few.values()].map(({ limit }) => limit).sort(), ['10 waiting jobs', 'a worker', 'a worker']);
  });

  for (const [library, { Queue, Worker }] of Object.entries(allLibraries)) {
    const major = majorOf(allLibraries[library]);
    const prefix = 'a:{b:w:c}';
    const name = major < 5 ? 'mail:out' : 'mail out';
    const what = `bullmq ${prefix}:${name}`;

    test(`${library}: workers, jobs of all kinds, a pause`, async (t) => {
      const server = await redisFor(t);
      const connection = server.connect();
      const queue = server.host(new Queue(name, { connection, prefix }));
      const other = server.host(new Queue('idle', { connection, prefix }));
      await other.waitUntilReady();
      const release = Promise.withResolvers();
      const run = () => release.promise;
      const open = (own = {}) => server.host(new Worker(name, run, { connection, prefix, ...own }));
      const workers = [open(), open(), open({ name: 'night:w:2' })];
      await Promise.all(workers.map((worker) => worker.waitUntilReady()));
      const elsewhere = server.connect();
      await elsewhere.select(3);
      await elsewhere.client('SETNAME', `${prefix}:${Buffer.from(name).toString('base64')}`);

      // Nothing waits: what BullMQ 3 and 4 put into `wait` to wake a worker is no job.
      await queue.add('late', {}, { delay: hour });
      const idle = await until(async () => {
        const one = (await look(server)).get(what);
        return one.data.workers === 3 && one;
      }, 'three workers');
      assert.deepEqual(jobsOf(idle), { delayed: 1 });
      assert.equal(idle.level, 'ok');

      await queue.addBulk(Array.from({ length: 9 }, (_, i) => ({ name: 'job', data: {}, opts: { priority: (i % 3) * 2 } })));
      await until(async () => (await queue.getJobCounts()).active === 3, 'three jobs run');
      const busy = (await look(server)).get(what);
      assert.deepEqual(jobsOf(busy), counted(await queue.getJobCounts()));
      assert.equal(busy.data.jobs.waiting, 6);
      assert.equal(busy.level, 'ok');

      await queue.pause();
      await queue.add('more', {});
      const paused = (await look(server)).get(what);
      assert.ok(paused.data.paused);
      assert.deepEqual(jobsOf(paused), counted(await queue.getJobCounts()));
      assert.equal(paused.data.jobs.waiting, 7);
      release.resolve();
      await Promise.all(workers.map((worker) => worker.close()));
      const left = (await look(server)).get(what);
      assert.equal(left.data.workers, 0);
      assert.equal(left.level, 'ok');
      assert.equal(left.data.per_minute, (await queue.getJobCounts()).completed);
      await queue.resume();
      assert.equal((await look(server, { warn: 2 })).get(what).level, 'warning');
    });

    test(`${library}: how long the next job has waited`, async (t) => {
      const server = await redisFor(t);
      const connection = server.connect();
      const queue = server.host(new Queue(name, { connection, prefix }));
      const worker = server.host(new Worker(name, null, { connection, prefix, autorun: false }));
      await queue.waitUntilReady();
      const start = Date.now();
      const waits = async (expected) => {
        const { oldest_ms: age } = (await look(server)).get(what).data;
        const lag = age - (expected + Date.now() - start);
        assert.ok(lag > -2000 && lag < 2000, `${age} instead of ${expected}`);
      };
      t.after(() => clock.release());
      clock.set(start - day);
      await queue.add('job', {}, { delay: day - hour });
      await queue.add('other', {}, { delay: 2 * day });
      clock.set(start - 30 * minute);
      const retried = await queue.add('job', {}, { attempts: 2, lifo: true });
      await worker.getNextJob('token', { block: false });
      await queue.add('last', {});
      clock.release();
      const { data } = (await look(server)).get(what);
      assert.equal(data.jobs.active, 1);
      // In its order: of the two, the delayed one was due an hour ago, and came behind.
      const next = (await queue.getJobCounts()).active === 1 && (await queue.getActive())[0];
      await waits(next.id === retried.id ? hour : 30 * minute);
    });
  }
});

describe('queues/report: Bull', () => {
  test('workers, a pause, a queue of which only the counter is left', async (t) => {
    const server = await redisFor(t);
    const queue = openBull(server, 'mail:out', { prefix: '{x}' });
    const what = 'bull {x}:mail:out';
    const release = Promise.withResolvers();
    queue.process(2, () => release.promise);
    await queue.isReady();
    await queue.add({}, { removeOnComplete: true });
    for (let i = 0; i < 5; i++) await queue.add({ i }, { removeOnComplete: true, priority: i % 2 ? 3 : undefined });
    await queue.add({}, { delay: hour });
    await until(async () => (await queue.getJobCounts()).active === 2, 'two jobs run');
    const busy = (await look(server)).get(what);
    assert.deepEqual(jobsOf(busy), counted(await queue.getJobCounts()));
    assert.equal(busy.data.workers, (await queue.getWorkers()).length);
    assert.equal(busy.data.jobs.waiting, 4);
    await queue.pause();
    const paused = (await look(server)).get(what);
    assert.ok(paused.data.paused);
    assert.deepEqual(jobsOf(paused), counted(await queue.getJobCounts()));
    await queue.resume();
    release.resolve();
    await queue.getDelayed().then((jobs) => Promise.all(jobs.map((job) => job.remove())));
    await until(async () => Object.values(await queue.getJobCounts()).every((count) => count === 0), 'all has ended');
    const idle = (await look(server)).get(what);
    assert.deepEqual([idle.data.jobs.waiting, idle.data.workers, idle.data.paused, idle.level], [0, 1, false, 'ok']);
  });
});

describe('queues/report: Bee-Queue', () => {
  test('the counts', async (t) => {
    const server = await redisFor(t);
    const queue = openBee(server, 'films', { prefix: 'a:b' });
    for (let i = 0; i < 4; i++) await queue.createJob({ fail: i % 2 ? 'no' : undefined }).save();
    startWorker(server, 'films', { prefix: 'a:b' });
    await until(async () => (await queue.checkHealth()).failed === 2, 'two have failed');
    await until(async () => (await queue.checkHealth()).succeeded === 2, 'two have succeeded');
    await server.dismiss();
    const again = openBee(server, 'films', { prefix: 'a:b', activateDelayedJobs: false });
    await again.createJob({}).save();
    await again.createJob({}).delayUntil(Date.now() + hour).save();
    const health = await again.checkHealth();
    const one = (await look(server)).get('bee a:b:films');
    assert.deepEqual(
      one.data.jobs,
      { waiting: health.waiting, active: health.active, delayed: 1, overdue: 0, completed: 2, failed: 2 },
    );
    assert.ok(one.data.oldest_ms < minute);
  });
});

describe('queues/report: what is no queue, or is broken', () => {
  test('an empty server', async (t) => {
    await noQueues(await redisFor(t));
  });

  test("other programs' keys of such names, 10,000 of them, and those of other types", async (t) => {
    const server = await redisFor(t);
    const { client } = server;
    const many = client.pipeline();
    for (let i = 0; i < 10_000; i++) many.set(`user:${i}:id`, String(i));
    for (let i = 0; i < 10_000; i++) many.sadd('colours:queues', `name ${i}`);
    for (let i = 0; i < 1000; i++) many.hset(`page:${i}:meta`, 'version', '1.2', 'title', 'x');
    await many.exec();
    await client.set('x:id', 'abc');
    await client.sadd('x:failed', 'abc');
    await client.set('x:meta', 'text');
    await client.set('y:id', '7');
    await client.set('y:wait', 'text');
    await client.hset('y:jobs', 'a', 'b');
    await client.hset('z:meta', 'version', 'bull', 'opts.maxLenEvents', 'many');
    await client.sadd('foo:queues', 'a', 'b', 'c', 'foo:queue:a');
    await client.set('foo:queue:a', 'text');
    await client.rpush('foo:queue:b', 'text', '{"class":"Mail","args":[]}');
    await client.rpush('foo:queue:c', '{"jid":', '[]', '{"jid":7,"class":null}');
    await client.set('foo:processes', 'text');
    await client.set('paused', 'text');
    await client.set('rq:queues', 'text');
    await client.sadd('resque:queues', 'mail');
    await client.sadd('resque:workers', 'host:1:mail');
    await client.set('resque:stat:processed', '7');
    await client.rpush('resque:queue:mail', '{"class":"Mail","args":[]}');
    await client.sadd('_kombu.binding.odd', '', '\x06\x16\x06\x16', 'no separator');
    await client.set('_kombu.binding.text', 'text');
    await client.set('unacked', 'text');
    await noQueues(server);
  });

  test('a queue with a key of another type is a warning, the others are told', async (t) => {
    const server = await redisFor(t);
    const { client } = server;
    const connection = server.connect();
    for (const name of ['good', 'wrong', 'text']) {
      const queue = server.host(new allLibraries.bullmq6.Queue(name, { connection }));
      await queue.add('job', {});
    }
    await client.set('bull:wrong:completed', 'text');
    await client.rpush('bull:text:wait', '7');
    await client.set('bull:text:7', 'no hash');
    await client.sadd('rq:queues', 'rq:queue:mail', 'odd');
    await client.set('rq:queue:mail', 'text');
    await client.sadd('app:queues', 'mail', 'set');
    await client.zadd('app:dead', 1, 'x');
    await client.sadd('app:queue:set', 'x');
    await client.rpush('app:queue:mail', 'no JSON');
    await client.set('app:paused', 'text');
    await client.set('app:retry', 'text');
    await client.sadd('_kombu.binding.mail', 'mail\x06\x16\x06\x16mail', 'mail\x06\x16\x06\x16list');
    await client.set('mail', 'text');
    const found = await look(server);
    const broken = [...found].filter(([, { value }]) => value.includes('WRONGTYPE')).map(([what]) => what);
    assert.deepEqual(broken.sort(), ['bullmq bull:text', 'bullmq bull:wrong', 'celery mail', 'rq rq:queue:mail']);
    assert.ok(broken.every((what) => found.get(what).level === 'warning'));
    const rest = [...found].filter(([what]) => !broken.includes(what)).map(([what, { data }]) => [what, data.jobs.waiting]);
    assert.deepEqual(rest.sort(), [
      ['bullmq bull:good', 1], ['celery list', 0], ['sidekiq app:queue:mail', 1],
    ]);
  });
});
