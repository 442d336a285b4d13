// A worker process for live.test.mjs: node live_worker.mjs SOCKET CONCURRENCY
import BeeQueue from 'bee-queue';
import Redis from 'ioredis';
import { behave } from '../bull/traffic.mjs';

const [path, concurrency] = process.argv.slice(2);
const client = new Redis({ path });
const queue = new BeeQueue('live', { redis: { path }, activateDelayedJobs: true, stallInterval: 2000 });
queue.on('error', () => {});
queue.process(Number(concurrency), async (job) =>
  behave(job.data.kind, await client.hincrby('ran', job.id, 1)),
);
