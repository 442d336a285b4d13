// runbook/*: what a runbook's lines meant to say or do, compared with what BullMQ says itself.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Queue, Worker } from 'bullmq';
import { Queue as Queue5 } from 'bullmq5';
import { survivesKill } from '../crash.mjs';
import { clock, day, minute } from '../history.mjs';
import { byteForByte, differences, launchMoonshift, moonshiftDone, redisFor, snapshot, until } from '../support.mjs';

const engines = ['local', 'server'];
const rdb = new URL('../fixture.rdb', import.meta.url).pathname;
const { now } = JSON.parse(readFileSync(new URL('../fixture.json', import.meta.url)));

/** The findings of one check: what -> {level, value}. */
async function look(script, server, params = {}) {
  const given = Object.entries(params).flatMap(([name, value]) => ['--param', `${name}=${value}`]);
  const { stdout, stderr } = await launchMoonshift('run', script, '--url', server.url, ...given, '--json').done;
  const report = JSON.parse(stdout || '{}');
  assert.ok(report.findings?.length, `${script}: ${stdout} ${stderr}`);
  return new Map(report.findings.map(({ what, level, value }) => [what, { level, value }]));
}

const bases = ['bull:publishing', 'bull:notifications', 'bull:search-indexing', 'bull:image-resizing', 'bull:mail-digest'];

function queuesOf(server) {
  const connection = server.connect();
  return bases.map((base) => server.host(new Queue(base.slice(5), { connection, skipMetasUpdate: true })));
}

describe('runbook/remove-completed and trim-completed', () => {
  for (const engine of engines) {
    test(`${engine}: remove-completed leaves what bullmq/clean leaves`, async (t) => {
      const [ours, clean] = [await redisFor(t, { rdb }), await redisFor(t, { rdb })];
      const params = { engine, now };
      const { outcomes } = await moonshiftDone('runbook/remove-completed', ours.url, params);
      assert.ok(outcomes.removed > 500);
      await moonshiftDone('bullmq/clean', clean.url, params);
      assert.deepEqual(differences(await snapshot(ours.client), await snapshot(clean.client)), []);
    });

    test(`${engine}: trim-completed keeps the newest 100 of each queue, whole, and all other jobs`, async (t) => {
      const server = await redisFor(t, { rdb });
      const queues = queuesOf(server);
      const before = await Promise.all(
        queues.map(async (queue) => ({ counts: await queue.getJobCounts(), newest: await queue.getCompleted(0, 99) })),
      );
      await moonshiftDone('runbook/trim-completed', server.url, { engine });
      for (const [i, queue] of queues.entries()) {
        const { counts, newest } = before[i];
        const completed = Math.min(100, counts.completed);
        assert.deepEqual(await queue.getJobCounts(), { ...counts, completed });
        const left = await queue.getCompleted();
        assert.deepEqual(
          left.map(({ id, returnvalue }) => [id, returnvalue]),
          newest.map(({ id, returnvalue }) => [id, returnvalue]),
        );
      }
    });
  }

  test('a trim that is killed anywhere and run again leaves what a whole one leaves', async (t) => {
    await survivesKill(t, 'runbook/trim-completed', { rdb, cuts: 3, engine: 'local', now });
  });
});

describe('runbook/clear-rate-limits', () => {
  for (const engine of engines) {
    test(`${engine}: leaked strings only, unless all are meant`, async (t) => {
      const server = await redisFor(t);
      await server.client.set('rl:leaked', '-1');
      await server.client.set('rl:live', '4', 'EX', 100);
      await server.client.hset('rl:hash', 'f', '1');
      await server.client.set('xrl:1', '1');
      const before = await snapshot(server.client);
      await moonshiftDone('runbook/clear-rate-limits', server.url, { engine });
      assert.deepEqual(differences(before, await snapshot(server.client), byteForByte), ['rl:leaked']);
      await moonshiftDone('runbook/clear-rate-limits', server.url, { engine, only: 'all' });
      assert.deepEqual(differences(before, await snapshot(server.client), byteForByte), ['rl:leaked', 'rl:live']);
    });
  }
});

describe('the checks on queues say what BullMQ says', () => {
  test('list-queues', async (t) => {
    const server = await redisFor(t, { rdb });
    assert.deepEqual([...(await look('runbook/list-queues', server)).keys()].sort(), [...bases].sort());
    assert.deepEqual([...(await look('runbook/list-queues', server, { prefix: '{app}' })).keys()], ['{app}:webhooks']);
    assert.deepEqual([...(await look('runbook/list-queues', server, { prefix: 'none' })).keys()], ['queues']);
  });

  test('queue-depths: waiting, paused and prioritized jobs together', async (t) => {
    const server = await redisFor(t);
    const connection = server.connect();
    const [six, five] = [Queue, Queue5].map((Library, i) =>
      server.host(new Library(`q${i}`, { connection, prefix: 'a:{b}' })),
    );
    for (const queue of [six, five]) {
      for (let i = 0; i < 7; i++) await queue.add('job', {}, { priority: i % 2 });
      await queue.pause();
      await queue.add('job', {});
    }
    let depths = await look('runbook/queue-depths', server, { prefix: 'a:{b}' });
    for (const name of ['a:{b}:q0', 'a:{b}:q1']) {
      assert.match(depths.get(name).value, /^8 waiting, the next one for \d+ s$/);
      assert.equal(depths.get(name).level, 'ok');
    }
    depths = await look('runbook/queue-depths', server, { prefix: 'a:{b}', warn: 7, queues: 'q1' });
    assert.deepEqual([...depths].map(([what, { level }]) => [what, level]), [['a:{b}:q1', 'warning']]);
  });

  test('active-jobs, stalled-jobs and overdue-jobs', async (t) => {
    const server = await redisFor(t);
    const connection = server.connect();
    const queue = server.host(new Queue('mail', { connection }));
    const worker = server.host(new Worker('mail', null, { connection, autorun: false }));
    for (const id of ['a', 'b', 'x:y:z']) await queue.add('job', {}, { jobId: id });
    t.after(() => clock.release());
    clock.set(Date.now() - 5 * minute);
    for (let i = 0; i < 4; i++) await queue.add('late', {}, { delay: i < 3 ? minute : day });
    for (let i = 0; i < 3; i++) await worker.getNextJob('token', { block: false });
    clock.release();

    let stalled = await look('runbook/stalled-jobs', server);
    assert.deepEqual(stalled.get('bull:mail'), { level: 'ok', value: 'no stalled jobs' });
    const active = await look('runbook/active-jobs', server);
    assert.match(active.get('bull:mail').value, /^3 active, the oldest for 5 min$/);
    const overdue = await look('runbook/overdue-jobs', server);
    assert.equal(overdue.get('bull:mail').level, 'warning');
    assert.match(overdue.get('bull:mail').value, /^3 of 4 delayed, the first by 4 min$/);
    assert.equal((await look('runbook/overdue-jobs', server, { overdue_by: '10m' })).get('bull:mail').level, 'ok');

    await server.client.del('bull:mail:a:lock', 'bull:mail:x:y:z:lock');
    stalled = await look('runbook/stalled-jobs', server);
    assert.equal(stalled.get('bull:mail').level, 'warning');
    assert.match(stalled.get('bull:mail').value, /^2 stalled: (a, x:y:z|x:y:z, a)$/);
  });
});

describe('the checks on the server', () => {
  test('memory-by-pattern sums what MEMORY USAGE says of each key', async (t) => {
    const server = await redisFor(t);
    for (let i = 0; i < 300; i++) {
      await server.client.set(`bull:mail:${i}`, 'x'.repeat(i));
      await server.client.set(`rl:${i}`, 'x');
    }
    await server.client.set('no colon', 'x'.repeat(5000));
    let sum = 0;
    for (let i = 0; i < 300; i++) sum += await server.client.memory('USAGE', `bull:mail:${i}`);
    const found = await look('runbook/memory-by-pattern', server);
    assert.equal(found.get('bull:mail:*').value, `${(sum / 1024).toFixed(1)} KB in 300 keys`);
    assert.match(found.get('rl:*').value, /in 300 keys$/);
    assert.match(found.get('(no colon)').value, /in 1 keys$/);
    const part = await look('runbook/memory-by-pattern', server, { pattern: 'bull:*', depth: 1, top: 1 });
    assert.deepEqual([...part.keys()], ['keys looked at', 'bull:*']);
  });

  test('big-keys ranks by memory and warns', async (t) => {
    const server = await redisFor(t);
    for (let i = 0; i < 500; i++) await server.client.set(`small:${i}`, 'x');
    await server.client.set('big:one\nline', 'x'.repeat(200_000));
    for (let i = 0; i < 3; i++) await server.client.rpush('big:list', 'x'.repeat(100_000));
    const found = await look('runbook/big-keys', server, { top: 2, warn: '250kb' });
    const [[, all], [first, list], [, text]] = [...found];
    assert.equal(all.value, '502');
    assert.equal(first, 'big:list');
    assert.equal(list.level, 'warning');
    assert.match(list.value, /list of 3 elements$/);
    assert.equal(text.level, 'ok');
    assert.match(text.value, /string of 200000 bytes$/);
  });

  test('maxclients and idle-clients tell who is connected', async (t) => {
    const server = await redisFor(t);
    const names = ['web', 'web', 'web', 'cron'];
    const guests = names.map(() => server.connect());
    for (const [i, guest] of guests.entries()) await guest.client('SETNAME', names[i]);
    const found = await look('runbook/maxclients', server, { warn: 0.0001 });
    const share = [...found].find(([what]) => what.startsWith('connected clients of '));
    assert.equal(share[1].level, 'warning');
    const web = [...found].find(([what]) => what.startsWith('web from '));
    assert.equal(web[1].value, '3 connections');
    await until(async () => /name=cron .*idle=[2-9]/.test(await server.client.client('LIST')), 'cron is idle');
    const idle = await look('runbook/idle-clients', server, { idle: '1s', warn: 3 });
    const { level, value } = idle.get('idle connections');
    assert.equal(level, 'warning');
    assert.match(value, /^[45], and 0 for a reason$/); // on a slow machine the test's own is idle, too
  });

  test('persistence and ops-per-second', async (t) => {
    const server = await redisFor(t);
    await server.client.set('a', '1');
    let found = await look('runbook/persistence', server);
    assert.equal(found.get('dataset').value, 'loaded');
    assert.match(found.get('last snapshot').value, /1 changes since/);
    await server.client.config('SET', 'appendonly', 'yes');
    await until(async () => /aof_rewrite_in_progress:0/.test(await server.client.info('persistence')), 'the AOF is on');
    found = await look('runbook/persistence', server);
    assert.match(found.get('append-only file').value, /B/);
    found = await look('runbook/ops-per-second', server, { least: 1_000_000_000 });
    assert.equal(found.get('operations a second').level, 'warning');
    assert.ok([...found.keys()].some((what) => what.startsWith('time in ')));
  });
});
