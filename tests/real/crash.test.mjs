// A clean that is cut off anywhere and run again ends as if nothing had happened. The data are the
// fixture's: some thirteen hundred old jobs in six queues of both BullMQ majors.

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import facts from './fixture.json' with { type: 'json' };
import { randomness } from './history.mjs';
import {
  differences,
  launchMoonshift,
  moonshiftDone,
  Proxy,
  redisFor,
  RedisServer,
  runArguments,
  snapshot,
  until,
} from './support.mjs';

const rdb = new URL('fixture.rdb', import.meta.url).pathname;
const states = ['completed', 'failed'];
const options = (engine, state) => ({ engine, state, older_than: '7d', now: facts.now });

const clean = (url, engine, state) => moonshiftDone('bullmq/clean', url, options(engine, state));
const launchClean = (url, engine, state) =>
  launchMoonshift(...runArguments('bullmq/clean', url, options(engine, state)));

async function cleanAll(server, engine) {
  for (const state of states) await clean(server.url, engine, state);
  return snapshot(server.client);
}

/** Starts from the fixture, which has no append-only file, and switches that on. */
async function appendOnlyServer(t) {
  const server = await redisFor(t, { rdb });
  await server.client.config('SET', 'appendonly', 'yes');
  await until(async () => {
    const info = await server.client.info('persistence');
    return /aof_rewrite_in_progress:0/.test(info) && /aof_last_rewrite_time_sec:\d/.test(info);
  }, 'the append-only file is complete');
  server.appendonly = true;
  return server;
}

for (const engine of ['local', 'server']) {
  describe(`${engine}: bullmq/clean, cut off and run again`, () => {
    const random = randomness(engine.length);
    const uninterrupted = { bytes: {} };

    before(async () => {
      const server = await RedisServer.start({ rdb });
      try {
        await measure(server);
      } finally {
        await server.stop();
      }
    });

    async function measure(server) {
      const started = performance.now();
      for (const state of states) {
        const proxy = await Proxy.start(server);
        await clean(proxy.url, engine, state);
        uninterrupted.bytes[state] = proxy.sent;
        await proxy.close();
      }
      uninterrupted.ms = (performance.now() - started) / states.length;
      uninterrupted.end = await snapshot(server.client);
    }

    const assertSameEnd = async (server) =>
      assert.deepEqual(differences(uninterrupted.end, await cleanAll(server, engine)), []);
    /**
     * Points of a run from its first command on, in bytes. How many bytes a run takes varies with the
     * batches that its engine chooses, so its last part is left out: every cut must meet a run under way.
     */
    const cuts = (state, count) => {
      const bytes = uninterrupted.bytes[state] / 2;
      return Array.from({ length: count }, (_, i) =>
        random.between(
          Math.floor((bytes * i) / count) + 1,
          Math.floor((bytes * (i + 1)) / count) - 1,
        ),
      );
    };

    test('kill -9 of moonshift after so many bytes', async (t) => {
      for (const state of states) {
        for (const limit of cuts(state, state === 'completed' ? 10 : 4)) {
          const server = await redisFor(t, { rdb });
          let run;
          const proxy = await Proxy.start(server, {
            limit,
            reached: () => run.child.kill('SIGKILL'),
          });
          run = launchClean(proxy.url, engine, state);
          assert.equal((await run.done).signal, 'SIGKILL', `${state}, ${limit} bytes`);
          await proxy.close();
          await assertSameEnd(server);
          await server.stop();
        }
      }
    });

    test('kill -9 of moonshift after so many milliseconds', async (t) => {
      for (let i = 0; i < 8; i++) {
        const server = await redisFor(t, { rdb });
        const run = launchClean(server.url, engine, 'completed');
        await pause(random.next() * uninterrupted.ms);
        run.child.kill('SIGKILL');
        await run.done;
        await assertSameEnd(server);
        await server.stop();
      }
    });

    test('the link is lost', async (t) => {
      for (const limit of cuts('completed', 3)) {
        const server = await redisFor(t, { rdb });
        const proxy = await Proxy.start(server, {
          limit,
          reached: () => proxy.sockets.forEach((it) => it.destroy()),
        });
        const { code } = await launchClean(proxy.url, engine, 'completed').done;
        assert.notEqual(code, 0);
        await assertSameEnd(server);
        await server.stop();
      }
    });

    test('kill -9 of redis-server', async (t) => {
      for (const limit of cuts('completed', 5)) {
        const server = await appendOnlyServer(t);
        const proxy = await Proxy.start(server, {
          limit,
          reached: () => server.process.kill('SIGKILL'),
        });
        const { code } = await launchClean(proxy.url, engine, 'completed').done;
        assert.notEqual(code, 0);
        await proxy.close();
        await server.kill();
        await server.launch();
        await assertSameEnd(server);
        await server.stop();
      }
    });
  });
}
