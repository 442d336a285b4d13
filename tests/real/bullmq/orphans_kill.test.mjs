// bullmq/orphans, cut off anywhere and run again.

import { after, before, describe, test } from 'node:test';
import { survivesKill } from '../crash.mjs';
import { RedisServer } from '../support.mjs';

// As BullMQ stores them; see orphans.test.mjs for what the library itself made.
const fill = `
  local base = 'bull:mail:'
  redis.call('HSET', base .. 'meta', 'version', 'bullmq:5.81.5', 'opts.maxLenEvents', '10000')
  local function job(id, ...)
    redis.call('HSET', base .. id, 'name', 'n', 'data', '{}', 'opts', '{}', 'timestamp', '1', ...)
    redis.call('RPUSH', base .. id .. ':logs', 'line')
  end
  for n = 1, 420 do
    job('lost' .. n, 'deid', 'x' .. n)
    redis.call('SET', base .. 'de:x' .. n, 'lost' .. n)
    job('waits' .. n)
    redis.call('LPUSH', base .. 'wait', 'waits' .. n, 'hollow' .. n)
    job('done' .. n, 'finishedOn', '1')
    redis.call('ZADD', base .. 'completed', n, 'done' .. n, n, 'nothing' .. n)
    redis.call('RPUSH', base .. 'nothing' .. n .. ':logs', 'line')
    redis.call('SET', base .. 'de:y' .. n, 'nothing' .. n)
  end`;

describe('cut off and run again', () => {
  let origin, rdb;
  before(async () => {
    origin = await RedisServer.start();
    await origin.client.eval(fill, 0);
    rdb = await origin.save();
  });
  after(() => origin.stop());

  test('bullmq/orphans ends as if nothing had happened', (t) =>
    survivesKill(t, 'bullmq/orphans', { rdb, engine: 'server', grace: '0s', repair: true }));
});
