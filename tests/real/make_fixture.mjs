// Makes fixture.rdb and fixture.json: the Redis of a news site at 02:30 on a Sunday in November,
// as BullMQ 6 and 5, rate-limiter-flexible and rate-limit-redis left it.
//
//   node_modules/node-linux-*/bin/node make_fixture.mjs
//
// The libraries write everything. Their clock is moved, so that jobs are as old as they look. What
// has to survive until the fixture is loaded, maybe years from now, has twenty years to live.

import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { RedisStore } from 'rate-limit-redis';
import {
  clock,
  day,
  failure,
  hour,
  libraries,
  minute,
  QueueHistory,
  randomness,
  second,
} from './history.mjs';
import { RedisServer, until } from './support.mjs';

const now = Date.parse('2026-11-01T02:30:00Z');
const olderThan = 7 * day;
const cutoff = now - olderThan;
const twentyYears = 20 * 365 * day;
const random = randomness(20261101);

// Few events are kept and jobs stay locked, so that the file is small and the active jobs alive.
const queueOptions = { streams: { events: { maxLen: 50 } } };
const workerOptions = { lockDuration: twentyYears, metrics: { maxDataPoints: 60 } };

const desks = ['politics', 'culture', 'science', 'sport', 'local', 'weather'];
const slugs = ['tram-line-9', 'harvest-report', 'council-vote', 'night-frost', 'river-bridge'];
const article = () => `${random.pick(desks)}/${random.pick(slugs)}-${random.between(1000, 9999)}`;

/** What the queues are for: how their jobs look, how they end, what goes wrong. */
const plans = [
  {
    name: 'publishing',
    library: 'bullmq6',
    completed: 560,
    failed: 50,
    waiting: 14,
    job: () => ['publish', { article: article(), edition: random.pick(['web', 'app', 'print']) }],
    value: () => ({ url: `/news/${random.between(10000, 99999)}`, ms: random.between(20, 900) }),
    error: () =>
      failure('connect ETIMEDOUT 10.4.0.17:443', [
        'TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)',
        'async Cdn.purge (/app/dist/cdn.js:57:21)',
      ]),
  },
  {
    name: 'notifications',
    library: 'bullmq6',
    completed: 450,
    failed: 40,
    waiting: 25,
    job: () => ['push', { user: random.between(1, 90000), topic: random.pick(desks) }],
    value: () => ({ sent: random.between(0, 3) }),
    error: () => failure('Unregistered device token', ['Apns.send (/app/dist/apns.js:102:11)']),
  },
  {
    name: 'search-indexing',
    library: 'bullmq6',
    completed: 280,
    failed: 18,
    waiting: 8,
    job: () => ['index', { article: article(), version: random.between(1, 12) }],
    value: () => ({ indexed: true }),
    error: () =>
      failure('429 es_rejected_execution_exception', [
        'Transport.request (/app/node_modules/@elastic/transport/lib/Transport.js:544:17)',
        'async index (/app/dist/search.js:31:5)',
      ]),
  },
  {
    name: 'image-resizing',
    library: 'bullmq5',
    completed: 260,
    failed: 20,
    waiting: 6,
    job: () => ['resize', { image: `${article()}.jpg`, widths: [320, 960, 1600] }],
    value: () => ({ bytes: random.between(9000, 400000) }),
    error: () =>
      failure('Input buffer contains unsupported image format', [
        'Sharp.toBuffer (/app/node_modules/sharp/lib/output.js:163:17)',
      ]),
  },
  {
    name: 'mail-digest',
    library: 'bullmq5',
    completed: 170,
    failed: 10,
    waiting: 3,
    job: () => ['digest', { list: random.pick(desks), issue: random.between(100, 999) }],
    value: () => ({ recipients: random.between(40, 9000) }),
    error: () =>
      failure('450 4.2.1 mailbox busy', ['SMTPConnection._onData (/app/dist/smtp.js:9:3)']),
  },
  {
    name: 'webhooks',
    prefix: '{app}',
    library: 'bullmq6',
    completed: 180,
    failed: 14,
    waiting: 5,
    job: () => ['deliver', { hook: random.between(1, 60), event: 'article.published' }],
    value: () => ({ status: 204 }),
    error: () => failure('HTTP 503 from subscriber', ['deliver (/app/dist/webhooks.js:44:13)']),
  },
];

const openHistory =
  (connection) =>
  ({ library, name, prefix }) =>
    new QueueHistory(libraries[library], connection, name, {
      prefix,
      queue: queueOptions,
      worker: workerOptions,
    });

/** Ages from minutes to sixty days; two of three are older than the limit. */
function someAge() {
  const bands = [
    [5 * minute, day],
    [day, 7 * day],
    [7 * day, 60 * day],
  ];
  const draw = random.next();
  return random.between(...bands[draw < 0.12 ? 0 : draw < 0.34 ? 1 : 2]);
}

/** Ends of jobs in the order of time, among them one at the limit and one just beyond it. */
function endings({ completed, failed }) {
  const edge = [cutoff, cutoff - 1].map((at) => ({ at, ends: 'complete' }));
  const ordinary = Array.from({ length: completed + failed - edge.length }, (_, i) => ({
    at: now - someAge(),
    ends: i < failed ? 'fail' : 'complete',
  }));
  return [...edge, ...ordinary].sort((a, b) => a.at - b.at);
}

async function reportSteps(job) {
  await job.log(`worker-${random.between(1, 4)} took ${job.name} ${job.id}`);
  await job.log('done, see the audit log');
  await job.updateProgress(random.between(60, 100));
}

/** What has ended: the bulk of the dataset. */
async function runThroughPast(history, plan) {
  for (const { at, ends } of endings(plan)) {
    const [name, data] = plan.job();
    const options = ends === 'fail' && random.next() < 0.3 ? { attempts: 3 } : {};
    const took = random.between(20, 4000);
    await history.add(at - took - random.between(1, 30 * second), data, options, name);
    const during = random.next() < 0.1 ? reportSteps : undefined;
    const outcome = { took, during, value: plan.value(), error: plan.error() };
    await history[ends](at, outcome);
  }
}

/** What is under way at `now`: active, waiting, prioritized and delayed jobs. */
async function fillPresent(history, plan) {
  const add = (options, age) => {
    const [name, data] = plan.job();
    return history.add(now - age, data, options, name);
  };
  for (let i = 0; i < 3; i++) {
    await add({}, 2 * minute - i);
    await history.take(now - minute + i * second);
  }
  for (let i = 0; i < plan.waiting; i++) await add({}, 50 * second - i * second);
  for (const priority of [1, 5, 10]) await add({ priority }, 20 * second);
  for (const delay of [minute, hour, 2 * day]) await add({ delay }, 10 * second);
}

const child = (name, queueName, opts = {}) => ({
  name,
  queueName,
  data: { article: article() },
  opts: { jobId: random.uuid(), ...opts },
});
const parent = (name, children) => ({
  name,
  data: { article: article() },
  opts: { jobId: random.uuid() },
  children,
});

/** Flows that ended well, within one queue and across two. Old and recent. */
async function addFinishedFlows(publishing, indexing) {
  for (const age of [40 * day, 12 * day, 3 * day]) {
    const at = now - age;
    await publishing.addFlow(
      at,
      parent('release', [child('render', publishing.name), child('index', indexing.name)]),
    );
    await publishing.complete(at + minute, { value: { pages: 3 }, during: reportSteps });
    await indexing.complete(at + 2 * minute, { value: { indexed: true } });
    await publishing.complete(at + 3 * minute, { value: { released: true } });
  }
}

/** Parents that wait for ever, because a child without a failure option failed long ago. */
async function addStuckFlows(publishing, indexing) {
  for (const age of [30 * day, 20 * day, 9 * day]) {
    const at = now - age;
    await publishing.addFlow(
      at,
      parent('release', [child('render', publishing.name), child('index', indexing.name)]),
    );
    await publishing.fail(at + minute, { error: failure('template not found: longread') });
    await indexing.complete(at + 2 * minute, { value: { indexed: true } });
  }
  const at = now - 15 * day;
  await publishing.addFlow(at, parent('release', [child('index', indexing.name)]));
  await indexing.fail(at + minute, { error: failure('mapping conflict on field "byline"') });
}

/** Flows whose children may fail: the parent goes on without them, or fails with them. */
async function addTolerantFlows(publishing, indexing) {
  for (const age of [25 * day, 2 * day]) {
    const at = now - age;
    await publishing.addFlow(
      at,
      parent('release', [child('index', indexing.name, { ignoreDependencyOnFailure: true })]),
    );
    await indexing.fail(at + minute, { error: failure('index is read-only') });
    await publishing.complete(at + 2 * minute, { value: { released: true } });

    await publishing.addFlow(
      at + hour,
      parent('release', [child('index', indexing.name, { failParentOnFailure: true })]),
    );
    await indexing.fail(at + hour + minute, { error: failure('index is read-only') });
    await publishing.failDeferred(at + hour + 2 * minute);
  }
}

/** Dedup keys: gone with their job, outliving it by a ttl, or taken over by a newer job. */
async function addDeduplicated(history) {
  const add = (at, id, options) =>
    history.add(at, { id }, { deduplication: { id, ...options } }, 'refresh');
  for (let i = 0; i < 12; i++) {
    const at = now - (i < 8 ? 20 * day : 2 * day) + i * minute;
    await add(at, `front-page-${i}`, { ttl: twentyYears });
    await history.complete(at + 2 * second);
  }
  for (const id of ['sitemap', 'rss']) {
    await add(now - 11 * day, id);
    await history.complete(now - 11 * day + second);
  }
  await add(now - 4 * minute, 'ticker', { keepLastIfActive: true });
  await history.take(now - 4 * minute);
  await add(now - 3 * minute, 'ticker', { keepLastIfActive: true });
  for (const id of ['sitemap', 'rss']) await add(now - 3 * minute, id);
}

/** A schedule whose last fortnight has run, and whose next run is waiting in `delayed`. */
async function addSchedule(history) {
  const first = now - 14 * day - hour;
  clock.set(first);
  await history.queue.upsertJobScheduler(
    'nightly-sitemap',
    { pattern: '0 2 * * *', tz: 'UTC' },
    { name: 'sitemap', data: { full: true } },
  );
  for (let run = 0; run < 15; run++) {
    await history.complete(now - (14 - run) * day - 29 * minute, { value: { urls: 41000 + run } });
  }
}

/** Callbacks of many counters at once, a few hundred at a time. */
async function each(list, action) {
  for (let i = 0; i < list.length; i += 250) await Promise.all(list.slice(i, i + 250).map(action));
}

const unique = (count, make) => {
  const all = new Set();
  while (all.size < count) all.add(make());
  return [...all];
};
const ipv4 = () => `203.0.${random.between(0, 255)}.${random.between(1, 254)}`;
const ipv6 = () => `2001:db8:${random.between(0, 65535).toString(16)}::${random.between(1, 999)}`;
const address = () => (random.next() < 0.2 ? ipv6() : ipv4());

/** rate-limiter-flexible rounds a window below a second to none at all: such counters stay. */
async function addFlexibleLimits(storeClient, { live, leaked }) {
  const limiter = (duration, keyPrefix) =>
    new RateLimiterRedis({ storeClient, points: 100, duration, keyPrefix });
  const [login, search] = [limiter(twentyYears / second), limiter(0.5)];
  const clients = unique(live + leaked, address);
  await each(clients.slice(0, live), (who) => login.consume(`login:${who}`, random.between(1, 9)));
  await each(clients.slice(live), (who) => search.consume(`search:${who}`));
  // Without a TTL on purpose, and under a name that no purge of counters should match.
  await each(['10.0.0.1', '10.0.0.2'], (who) => limiter(60, 'allowlist').set(who, -1000, 0));
}

/** rate-limit-redis leaks when a response ends after its window: the DECR makes a new key. */
async function addExpressLimits(client, { live, leaked }) {
  const store = async (windowMs) => {
    const made = new RedisStore({ sendCommand: (...command) => client.call(...command) });
    await made.init({ windowMs });
    return made;
  };
  const [long, short] = [await store(twentyYears), await store(1)];
  const clients = unique(live + leaked, address);
  await each(clients.slice(0, live), (who) => long.increment(who));
  await each(clients.slice(live), async (who) => {
    await short.increment(who);
    await until(async () => !(await client.exists(`rl:${who}`)), 'the window is over');
    await short.decrement(who);
  });
}

/** What the application itself keeps in the same Redis. */
async function addApplicationKeys(client) {
  for (let i = 0; i < 150; i++) {
    const session = JSON.stringify({ user: random.between(1, 90000), roles: ['reader'] });
    await client.set(`session:${random.uuid()}`, session, 'PX', twentyYears);
  }
  for (const desk of desks) {
    await client.hset('cache:front-page', desk, `<section>${article()}</section>`);
    await client.sadd('desks', desk);
    await client.zadd('trending', random.between(1, 500), desk);
    await client.xadd('audit', `${now}-*`, 'desk', desk, 'by', 'editor');
  }
  await client.set('release', '2026.44.1');
}

/** Failed jobs beyond the limit that a waiting parent still counts on: they have to stay. */
async function countKept(client, base) {
  let kept = 0;
  for (const id of await client.zrangebyscore(`${base}failed`, '-inf', `(${cutoff}`)) {
    const parentKey = await client.hget(base + id, 'parentKey');
    if (parentKey) kept += await client.sismember(`${parentKey}:dependencies`, base + id);
  }
  return kept;
}

async function queueFacts(client, history, plan) {
  const beyond = (state) => client.zcount(`${history.base}${state}`, '-inf', `(${cutoff}`);
  const kept = await countKept(client, history.base);
  return {
    prefix: history.prefix,
    name: history.name,
    library: plan.library,
    counts: await history.queue.getJobCounts(),
    eligible: { completed: await beyond('completed'), failed: (await beyond('failed')) - kept },
    kept: { failed: kept },
  };
}

async function limitFacts(client, pattern) {
  const names = await client.keys(pattern);
  const ttls = await Promise.all(names.map((name) => client.pttl(name)));
  const leaked = ttls.filter((ttl) => ttl === -1).length;
  return { pattern, leaked, live: ttls.length - leaked };
}

async function collectFacts(client, histories) {
  const facts = { now, now_iso: new Date(now).toISOString(), older_than_ms: olderThan, queues: [] };
  for (const [i, history] of histories.entries()) {
    facts.queues.push(await queueFacts(client, history, plans[i]));
  }
  facts.rate_limits = [await limitFacts(client, 'rlflx:*'), await limitFacts(client, 'rl:*')];
  facts.keys = await client.dbsize();
  return facts;
}

async function fill(client) {
  const histories = plans.map(openHistory(client));
  const [publishing, , indexing] = histories;
  for (const [i, history] of histories.entries()) await runThroughPast(history, plans[i]);
  await addFinishedFlows(publishing, indexing);
  await addStuckFlows(publishing, indexing);
  await addTolerantFlows(publishing, indexing);
  for (const history of [histories[1], histories[4]]) await addDeduplicated(history);
  for (const history of [histories[2], histories[3]]) await addSchedule(history);
  for (const [i, history] of histories.entries()) await fillPresent(history, plans[i]);
  clock.release();
  await addFlexibleLimits(client, { live: 700, leaked: 1000 });
  await addExpressLimits(client, { live: 500, leaked: 1200 });
  await addApplicationKeys(client);
  return histories;
}

function printSummary({ queues, rate_limits, keys }) {
  console.table(
    queues.map(({ prefix, name, library, counts, eligible, kept }) => ({
      queue: `${prefix}:${name}`,
      library,
      ...counts,
      'old completed': eligible.completed,
      'old failed': eligible.failed,
      'of those kept': kept.failed,
    })),
  );
  console.table(rate_limits);
  console.log(`${keys} keys`);
}

const server = await RedisServer.start();
try {
  const histories = await fill(server.client);
  const facts = await collectFacts(server.client, histories);
  await copyFile(await server.save(), join(import.meta.dirname, 'fixture.rdb'));
  await writeFile(join(import.meta.dirname, 'fixture.json'), `${JSON.stringify(facts, null, 2)}\n`);
  printSummary(facts);
  for (const history of histories) await history.close();
} finally {
  await server.stop();
}
