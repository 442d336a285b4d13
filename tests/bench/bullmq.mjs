// BullMQ's side of the bench. `fill SOCKET COUNT` makes a queue with so many completed jobs, 8 to 38 days
// old: four by the library itself, the others as their copies. `clean SOCKET` is the library's own clean.

import { createRequire } from 'node:module';

const require = createRequire(new URL('../real/', import.meta.url)); // where the libraries are installed
const { Queue, Worker } = require('bullmq');
const Redis = require('ioredis');

const day = 86_400_000;
const connection = new Redis({ path: process.argv[3], maxRetriesPerRequest: null });
const queue = new Queue('mail', { connection });

const copyJobs = `
  local base, count, now, span = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
  for i = tonumber(ARGV[4]), math.min(count, ARGV[4] + 9999) do
    local from, job, finished = base .. (i % 4 + 1), base .. i, now - span * (0.2 + 0.8 * i / count)
    redis.call('COPY', from, job)
    redis.call('HSET', job, 'finishedOn', string.format('%.0f', finished))
    if i > 4 and i % 4 == 3 then redis.call('COPY', from .. ':logs', job .. ':logs') end
    redis.call('ZADD', base .. 'completed', string.format('%.0f', finished), i)
  end`;

async function fill(count) {
  const own = connection.duplicate();
  const worker = new Worker(
    'mail',
    async (job) => {
      if (job.data.n === 4) await job.log('accepted by the relay');
      return { accepted: true };
    },
    { connection: own },
  );
  const body = 'Dear customer, your order is on its way. '.repeat(6);
  const data = [1, 2, 3, 4].map((n) => ({ name: 'send', data: { n, to: `user${n}@mail.example`, body } }));
  await queue.addBulk(data);
  while ((await queue.getCompletedCount()) < 4) await new Promise((later) => setTimeout(later, 10));
  await worker.close();
  own.disconnect();
  await connection.del('bull:mail:stalled-check'); // it would end by itself in the middle of the clean
  for (let first = 1; first <= count; first += 10_000) {
    await connection.eval(copyJobs, 1, 'bull:mail:', count, Date.now(), 38 * day, first);
  }
}

if (process.argv[2] === 'fill') await fill(Number(process.argv[4]));
else await queue.clean(7 * day, 0, 'completed');
await queue.close();
connection.disconnect();
