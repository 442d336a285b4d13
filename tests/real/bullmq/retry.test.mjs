// bullmq/retry-failed beside the library's own retry of one job.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { day, hour, second } from '../history.mjs';
import { moonshift } from '../support.mjs';
import {
  clock,
  differ,
  engines,
  eventsOf,
  failOnce,
  forEachMajor,
  inOrder,
  isStream,
  killAndCheck,
  lastEvent,
  made,
  minute,
  moonshiftDone,
  now,
  oddIds,
  open,
  ranExactly,
  redisFor,
  snapshot,
  until,
  workerOn,
} from './moves.mjs';

const retry = (server, options) =>
  moonshiftDone('bullmq/retry-failed', server.url, { now, ...options });

/** Some 170 failed jobs of all kinds, and others in every state, in the queue `mail`. */
async function fillMail(server, library, major) {
  const mail = open(server, library, 'mail');
  const chosen = { 'timeout*': [], since: [] };
  const since = now - 2 * day;
  const fail = async (at, message) => {
    const { id } = await failOnce(mail, at, message);
    if (message.startsWith('timeout')) chosen['timeout*'].push(id);
    if (at >= since) chosen.since.push(id);
  };
  for (let i = 0; i < 140; i++) {
    const at = now - 4 * day + i * 35 * minute;
    const options = { attempts: 1 + (i % 2) };
    if (i % 3 === 0) options.priority = 1 + (i % 4);
    else if (i % 5 === 0 && major > 3) options.lifo = true; // in 3 it upsets the order of priorities
    await mail.add(at - minute, { i }, options);
    const message = i % 4 ? `timeout after ${i} ms` : 'card [declined]';
    if (options.attempts === 2) await failOnce(mail, at - 30 * second, 'first attempt');
    await fail(at, message);
  }
  for (const [i, jobId] of oddIds(major).entries()) {
    await mail.add(since - hour, {}, { jobId });
    await fail(since + i * second, 'odd');
  }
  await addFlows(server, library, major, mail, fail, since);
  await addOthers(mail);
  return { since, chosen };
}

async function addFlows(server, library, major, mail, fail, since) {
  const child = (options) => ({ name: 'child', queueName: 'mail', opts: options });
  const options = [{}, { failParentOnFailure: true }];
  if (major >= 4) options.push({ removeDependencyOnFailure: true });
  if (major >= 5) options.push({ ignoreDependencyOnFailure: true }, { continueParentOnFailure: true });
  for (const [i, option] of options.entries()) {
    await mail.addFlow(since - day + i * minute, {
      name: 'parent',
      queueName: 'parents',
      children: [child(option), child({ delay: 100 * day })],
    });
    await fail(since - day + i * minute, 'child');
  }
}

/** Jobs in every other state. */
async function addOthers(mail) {
  for (let i = 0; i < 12; i++) {
    await mail.add(now - hour, { i });
    await mail.complete(now - hour + minute);
  }
  for (let i = 0; i < 4; i++) await mail.add(now - hour, {}, { lifo: true });
  for (let i = 0; i < 4; i++) await mail.take(now - hour);
  for (let i = 0; i < 8; i++) await mail.add(now - hour, {}, { priority: 1 + (i % 4) });
  for (let i = 0; i < 8; i++) await mail.add(now - hour, {});
  for (let i = 0; i < 8; i++) await mail.add(now - hour, {}, { delay: 3 * day });
}

/** In BullMQ 3 the list itself is in the order of priorities. */
async function prioritiesOf(client, ids) {
  const all = await Promise.all(ids.map((id) => client.hget(`bull:mail:${id}`, 'priority')));
  return all.filter((it) => it !== '0');
}

/** What the library does itself: one by one, and then to the place that the priority demands. */
async function retryByLibrary(server, library) {
  const { queue } = open(server, library, 'mail');
  const ids = await server.client.zrange('bull:mail:failed', 0, -1);
  for (const id of ids) {
    const job = await queue.getJob(id);
    await job.retry('failed');
    const prioritized = await server.client.zscore('bull:mail:prioritized', id);
    if (job.opts.priority && prioritized === null) {
      await job.changePriority({ priority: job.opts.priority });
    }
  }
  return ids;
}

forEachMajor((version, library, major) => {
  describe(`${version}: bullmq/retry-failed`, () => {
    let mail;
    before(async () => (mail = await made((server) => fillMail(server, library, major))));
    after(() => mail.server.stop());
    const copy = (t) => redisFor(t, { rdb: mail.rdb });

    for (const engine of engines) {
      test(`${engine}: as the library retries one after the other, priorities kept`, async (t) => {
        const [ours, theirs] = [await copy(t), await copy(t)];
        const from = await lastEvent(ours.client, 'bull:mail:');
        const ids = await retryByLibrary(theirs, library);
        assert.ok(ids.length > 140);
        const { outcomes } = await retry(ours, { engine, queues: 'mail' });
        assert.deepEqual(outcomes, { retried: ids.length });

        const order = await Promise.all([ours, theirs].map((it) => inOrder(it.client, 'bull:mail:')));
        // The local engine moves several at once: neighbours in the list may change places.
        const local = engine === 'local';
        assert.deepEqual(...(local ? order.map((ids) => ids.toSorted()) : order));
        if (major === 3) {
          const priorities = order.map((ids) => prioritiesOf(ours.client, ids));
          assert.deepEqual(...(await Promise.all(priorities)));
        }
        // The library draws a number twice to retry a job and to give it its priority again.
        const numbers = (key) => major < 6 && /:(pc|prioritized)$/.test(key);
        const ignore = (key) => isStream(key) || numbers(key) || (local && key.endsWith(':wait'));
        assert.deepEqual(
          differ(await snapshot(theirs.client), await snapshot(ours.client), ignore),
          [],
        );
        const events = (await eventsOf(ours.client, 'bull:mail:', from)).sort();
        assert.deepEqual(events, ids.map((id) => `waiting ${id} failed`).sort());
      });

      test(`${engine}: by error and by time`, async (t) => {
        const server = await copy(t);
        const { since, chosen } = mail.facts;
        const failed = new Set(await server.client.zrange('bull:mail:failed', 0, -1));
        const left = async () => new Set(await server.client.zrange('bull:mail:failed', 0, -1));
        for (const [options, ids] of [
          [{ error: 'no such error' }, []],
          [{ error: 'timeout*', since: new Date(since).toISOString() },
            chosen['timeout*'].filter((id) => chosen.since.includes(id))],
          [{ error: 'timeout*' }, chosen['timeout*']],
          [{ since: '2d' }, chosen.since],
        ]) {
          await retry(server, { engine, queues: 'mail', ...options });
          ids.forEach((id) => failed.delete(id));
          assert.deepEqual(await left(), failed, JSON.stringify(options));
        }
      });

      test(`${engine}: a worker runs each of them once, an idle one at once`, async (t) => {
        const server = await copy(t);
        const client = server.client;
        const ids = await client.zrange('bull:mail:failed', 0, -1);
        await client.del('bull:mail:delayed', 'bull:mail:active', 'bull:mail:repeat');
        const worker = workerOn(server, library, 'mail', { concurrency: 5 });
        await ranExactly(worker, await inOrder(client, 'bull:mail:'));
        worker.ran.length = 0;
        await retry(server, { engine, queues: 'mail' });
        await ranExactly(worker, ids);
        await until(async () => (await client.llen('bull:mail:active')) === 0, 'all have ended');
        assert.equal(await client.zcard('bull:mail:failed'), 0);
        assert.equal(await client.llen('bull:mail:wait'), 0);
      });

      test(`${engine}: into a paused queue, run when it is resumed`, async (t) => {
        const server = await copy(t);
        const { queue } = open(server, library, 'mail');
        await queue.pause();
        await server.client.del('bull:mail:delayed'); // long overdue
        const ids = await server.client.zrange('bull:mail:failed', 0, -1);
        await retry(server, { engine, queues: 'mail' });
        const all = await inOrder(server.client, 'bull:mail:');
        assert.equal(await server.client.exists('bull:mail:marker'), 0);
        assert.equal(await server.client.llen('bull:mail:paused') > 0, major < 6);
        const worker = workerOn(server, library, 'mail', { concurrency: 5, drainDelay: 1 });
        await queue.resume();
        await ranExactly(worker, all);
        for (const id of ids) assert.ok(all.includes(id), id);
      });

      test(`${engine}: a lifo job is the next one out, another one the last`, async (t) => {
        const server = await redisFor(t);
        const history = open(server, library, 'ends');
        for (const [jobId, lifo] of [
          ['x', true],
          ['y', false],
        ]) {
          await history.add(now - hour, {}, { jobId, lifo });
          await history.fail(now - minute);
        }
        await history.add(now - hour, {}, { jobId: 'z' });
        clock.release();
        await retry(server, { engine });
        assert.deepEqual(await inOrder(server.client, 'bull:ends:'), ['x', 'z', 'y']);
      });

      test(`${engine}: attempts are used up or given again`, async (t) => {
        for (const reset_attempts of [false, true]) {
          const server = await redisFor(t);
          const history = open(server, library, 'tries');
          await history.add(now - hour, {}, { attempts: 3 });
          const { id } = await history.fail(now - minute);
          clock.release();
          await retry(server, { engine, reset_attempts });
          let runs = 0;
          const run = () => {
            runs++;
            throw new Error('again');
          };
          workerOn(server, library, 'tries', { run });
          await until(async () => await server.client.zscore('bull:tries:failed', id), 'it has failed');
          assert.equal(runs, reset_attempts ? 3 : 1);
          await server.stop();
        }
      });

      test(`${engine}: a flow goes on once its child was retried`, async (t) => {
        const server = await redisFor(t);
        const history = open(server, library, 'flow');
        await history.addFlow(now - hour, {
          name: 'parent',
          children: [{ name: 'child', queueName: 'flow', opts: {} }],
        });
        await history.fail(now - minute);
        clock.release();
        await retry(server, { engine });
        const worker = workerOn(server, library, 'flow');
        await until(() => worker.ran.length === 2, 'child and parent have run');
        const counts = () => history.queue.getJobCounts('completed', 'waiting-children', 'failed');
        await until(async () => (await counts()).completed === 2, 'both are completed');
      });

      test(`${engine}: other prefixes and queues stay as they are`, async (t) => {
        const server = await redisFor(t);
        const names = major >= 5 ? ['q', 'q*', '[q]'] : ['q', 'q*', 'q:failed', 'q:wait'];
        const prefixes = ['bull', '{app:bull}', 'b*ll', 'tenant:eu'];
        for (const prefix of prefixes) {
          for (const name of names) {
            const history = open(server, library, name, { prefix });
            await history.add(now - hour, {});
            await history.fail(now - minute);
          }
        }
        clock.release();
        const waiting = async () => {
          const found = [];
          for (const prefix of prefixes) {
            for (const name of names) {
              if (await server.client.llen(`${prefix}:${name}:wait`)) found.push(`${prefix}:${name}`);
            }
          }
          return found;
        };
        await retry(server, { engine, prefix: 'b*ll' });
        assert.deepEqual(await waiting(), names.map((name) => `b*ll:${name}`));
        await retry(server, { engine, prefix: '{app:bull}', queues: 'q\\*' });
        assert.deepEqual((await waiting())[0], '{app:bull}:q*');
        assert.equal((await waiting()).length, names.length + 1);
      });
    }

    test('a job of an unknown version is reported and left alone', async (t) => {
      for (const foreign of ['bullmq:7.0.0', 'py:2.19.0', 'bullmq-pro:7.1.0']) {
        const server = await copy(t);
        await server.client.hset('bull:mail:meta', 'version', foreign);
        const was = await snapshot(server.client);
        const { outcomes, reasons } = await retry(server, { queues: 'mail', error: 'odd' });
        assert.deepEqual(outcomes, { kept: oddIds(major).length });
        assert.match(JSON.stringify(reasons), new RegExp(foreign));
        assert.deepEqual(differ(was, await snapshot(server.client)), []);
        await server.stop();
      }
    });

    test('without a version, jobs still find their way', async (t) => {
      const server = await copy(t);
      await server.client.hdel('bull:mail:meta', 'version');
      const ids = await server.client.zrange('bull:mail:failed', 0, -1);
      await retry(server, { queues: 'mail' });
      const order = await inOrder(server.client, 'bull:mail:');
      for (const id of ids) assert.equal(order.filter((it) => it === id).length, 1, id);
    });

    test('a dry run changes nothing', async (t) => {
      const server = await copy(t);
      const was = await snapshot(server.client);
      const { launchMoonshift, runArguments } = await import('../support.mjs');
      const args = runArguments('bullmq/retry-failed', server.url, { engine: 'local', now });
      const { code } = await launchMoonshift(...args, '--dry-run').done;
      assert.equal(code, 0);
      assert.deepEqual(differ(was, await snapshot(server.client)), []);
    });

    describe('many jobs', () => {
      let many;
      before(async () => {
        many = await made(async (server) => {
          const history = open(server, library, 'many');
          clock.set(now - day);
          const jobs = Array.from({ length: 2000 }, (_, i) => ({
            name: 'job',
            data: { i },
            opts: i % 400 === 0 ? { priority: 1 + (i % 3) } : {},
          }));
          await history.queue.addBulk(jobs);
          for (let i = 0; i < jobs.length; i++) await failOnce(history, now - hour + i, 'boom');
        });
      });
      after(() => many.server.stop());

      for (const engine of engines) {
        test(`${engine}: what fails again is left for the next run, though the worker's clock is slow`, async (t) => {
          const server = await redisFor(t, many);
          t.after(() => clock.release());
          clock.set(now - minute);
          const run = () => Promise.reject(new Error('boom'));
          const worker = workerOn(server, library, 'many', { concurrency: 20, run });
          await worker.waitUntilReady();
          const { outcomes } = await retry(server, { engine });
          assert.deepEqual(outcomes, { retried: 2000 });
        });

        test(`${engine}: kill -9`, async (t) => {
          const { rdb } = many;
          // Numbers of priorities may be drawn and not used, neighbours in the list may change places.
          const ignore = (key) => isStream(key) || /:(wait|prioritized|pc)$/.test(key);
          const options = { rdb, engine, now, cuts: 2 };
          if (major === 6) await survivesKill(t, 'bullmq/retry-failed', { ...options, ignore });
          await killAndCheck(t, 'bullmq/retry-failed', options, async ({ client }) => {
            const order = await inOrder(client, 'bull:many:');
            assert.equal(order.length, 2000);
            assert.equal(new Set(order).size, 2000);
            assert.equal(await client.exists('bull:many:failed'), 0);
            for (const id of order) assert.equal(await client.hexists(`bull:many:${id}`, 'finishedOn'), 0);
          });
        });
      }
    });
  });
});
