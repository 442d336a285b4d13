// A worker process for live.test.mjs: node live_worker.mjs SOCKET CONCURRENCY
import Bull from 'bull';
import Redis from 'ioredis';
import { behave } from './traffic.mjs';

const [path, concurrency] = process.argv.slice(2);
const client = new Redis({ path });
const settings = { lockDuration: 3000, stalledInterval: 3_600_000, maxStalledCount: 1000, drainDelay: 1 };
const queue = new Bull('live', { redis: { path }, settings });
queue.on('error', () => {});
queue.process('*', Number(concurrency), async (job) =>
  behave(job.data.kind, await client.hincrby('ran', job.id, 1)),
);
