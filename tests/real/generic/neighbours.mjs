// Queues of real libraries, for tasks that must leave them alone whatever the pattern is.

import { execFileSync } from 'node:child_process';
import BeeQueue from 'bee-queue';
import Bull from 'bull';
import { Queue } from 'bullmq';
import { Queue as Queue5 } from 'bullmq5';

const rq = `
import sys, redis, rq
connection = redis.Redis(unix_socket_path=sys.argv[1])
queue = rq.Queue("mail", connection=connection)
for i in range(3): queue.enqueue("os.getpid", i)
`;

const celery = `
import os, sys, celery
app = celery.Celery(broker="redis+socket://" + sys.argv[1], backend="redis+socket://" + sys.argv[1])
for i in range(3): app.send_task("mail", args=[i])
for i in range(3): app.send_task("mail", args=[i], queue="other", priority=6)
app = celery.Celery(broker="redis+socket://" + sys.argv[1])
app.conf.broker_transport_options = {"global_keyprefix": "shop:"}
for i in range(2): app.send_task("mail", args=[i])
with app.connection() as connection:
    connection.SimpleQueue("celery").get()
    os._exit(0) # without an acknowledgement: the message stays in shop:unacked
`;

const sidekiq = `
require "sidekiq"
Sidekiq.configure_client { |config| config.redis = { path: ARGV[0] } }
3.times { |i| Sidekiq::Client.push("class" => "Mail", "args" => [i]) }
3.times { |i| Sidekiq::Client.push("class" => "Mail", "args" => [i], "at" => Time.now.to_f + 1000) }
`;

function run(interpreter, flag, text, socket) {
  try {
    execFileSync(interpreter, [flag, text, socket], { stdio: 'pipe', timeout: 60_000 });
    return true;
  } catch (error) {
    if (/No module|cannot load such file/.test(`${error.stderr}`)) return false;
    throw error;
  }
}

/** Jobs in queues of every library that is installed; nobody works on them. Returns the libraries' names. */
export async function addQueues(server) {
  const connection = server.connect();
  for (const [Library, prefix] of [
    [Queue, 'bull'],
    [Queue, '{app:bull}'],
    [Queue5, 'five'],
  ]) {
    const queue = server.host(new Library('mail', { connection, prefix }));
    for (const [id, options] of [
      ['a', {}],
      ['b', { priority: 3 }],
      ['c', { delay: 1e7 }],
      ['x:y:z', {}],
    ]) {
      await queue.add('job', { id }, { ...options, jobId: id });
    }
  }
  const bull = server.host(new Bull('pictures', 'redis://', { redis: { path: server.socket } }));
  for (const id of ['a', 'b:c']) await bull.add({ id }, { jobId: id });
  const bee = new BeeQueue('films', { redis: { path: server.socket }, isWorker: false });
  for (let i = 0; i < 3; i++) await bee.createJob({ i }).save();
  await bee.close();
  const named = new BeeQueue('named', { redis: { path: server.socket }, isWorker: false });
  for (const id of ['a', 'b']) await named.createJob({}).setId(id).save();
  await named.close();
  const installed = {
    RQ: run('/usr/bin/python3', '-c', rq, server.socket),
    Celery: run('/usr/bin/python3', '-c', celery, server.socket),
    Sidekiq: run('/usr/bin/ruby', '-e', sidekiq, server.socket),
  };
  // As Laravel writes them, and as Celery does whose bindings are gone.
  for (const uuid of ['1', '2', '3']) {
    await server.client.rpush('queues:default', `{"uuid":"${uuid}","displayName":"Mail","job":"Call","data":{}}`);
  }
  await server.client.zadd('queues:default:reserved', 1, '{"uuid":"4","displayName":"Mail","job":"Call","data":{}}');
  // A process of Sidekiq 7 with a namespace, which runs a job.
  const identity = 'web.1:7:0123456789ab';
  await server.client.sadd('app:queues', 'default');
  await server.client.sadd('app:processes', identity);
  await server.client.hset(`app:${identity}`, 'info', '{}');
  await server.client.hset(`app:${identity}:work`, 't1', '{"queue":"default","payload":"{}"}');
  await server.client.rpush(`app:${identity}-signals`, 'TSTP');
  if (installed.Celery) await server.client.copy('celery', 'unbound');
  return ['BullMQ', 'Bull', 'Bee-Queue', ...Object.keys(installed).filter((name) => installed[name])];
}
