// What the tests with real client libraries stand on: private Redis servers, snapshots of a
// dataset, and moonshift as a child process. Everything lives in temporary directories.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Redis from 'ioredis';

/** Asks again until `condition` holds, and returns what it said. */
export async function until(condition, what, seconds = 20) {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await pause(5);
  }
}

const servers = new Set();
process.on('exit', () => servers.forEach((server) => server.abandon()));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// Hashes stay listpacks: reading a hash table moves its buckets about, and with them its DUMP.
const configuration = {
  port: 0,
  save: '',
  'hash-max-listpack-entries': 1_000_000,
  'hash-max-listpack-value': 1_000_000,
};

/** A redis-server of our own, on a Unix socket in a directory of its own. */
export class RedisServer {
  static async start({ rdb, appendonly = false } = {}) {
    const server = new RedisServer();
    server.directory = await mkdtemp(join(tmpdir(), 'moonshift-real-'));
    server.socket = join(server.directory, 'redis.sock');
    server.url = `unix://${server.socket}`;
    server.appendonly = appendonly;
    server.clients = [];
    server.guests = [];
    servers.add(server);
    if (rdb) await copyFile(rdb, join(server.directory, 'dump.rdb'));
    await server.launch();
    return server;
  }

  async launch() {
    const options = { ...configuration, unixsocket: this.socket, dir: this.directory };
    if (this.appendonly) Object.assign(options, { appendonly: 'yes', appendfsync: 'always' });
    const argv = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.process = spawn(process.env.REDIS_SERVER ?? 'redis-server', argv, { stdio: 'ignore' });
    this.exited = once(this.process, 'exit');
    this.client = this.connect();
    const failed = this.exited.then(() => Promise.reject(new Error('redis-server has ended')));
    await Promise.race([this.client.ping(), failed]);
    failed.catch(() => {});
  }

  /** A connection that is closed with the server. Retries until the server is ready. */
  connect() {
    const client = new Redis({
      path: this.socket,
      maxRetriesPerRequest: null,
      retryStrategy: () => 5,
    });
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  /** Has something closed before the server is stopped. Returns it. */
  host(guest) {
    this.guests.push(guest);
    return guest;
  }

  /** Writes the dataset to disk, for other servers to start from. */
  async save() {
    await this.client.save();
    return join(this.directory, 'dump.rdb');
  }

  async kill(signal = 'SIGKILL') {
    this.clients.splice(0).forEach((client) => client.disconnect());
    this.process.kill(signal);
    await this.exited;
  }

  async dismiss() {
    for (const guest of this.guests.splice(0).reverse()) await guest.close(true);
  }

  async stop() {
    await this.dismiss();
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
    servers.delete(this);
  }

  /** The same without asking anybody, for a process that ends early. */
  abandon() {
    this.process?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A server that lives as long as the test `t`. */
export async function redisFor(t, options) {
  const server = await RedisServer.start(options);
  t.after(() => server.stop());
  return server;
}

const sorted = (list) => [...list].sort();
const pairs = (flat) => flat.flatMap((item, i) => (i % 2 ? [] : [`${item}\0${flat[i + 1]}`]));

// Contents as text that does not depend on the encoding or on a server's hash seed.
const contents = {
  string: (client, key) => client.getBuffer(key).then(latin1),
  list: (client, key) => client.lrangeBuffer(key, 0, -1).then((all) => all.map(latin1)),
  set: (client, key) => client.smembersBuffer(key).then((all) => sorted(all.map(latin1))),
  hash: (client, key) =>
    client.callBuffer('HGETALL', key).then((all) => sorted(pairs(all.map(latin1)))),
  zset: (client, key) =>
    client.zrangeBuffer(key, 0, -1, 'WITHSCORES').then((all) => pairs(all.map(latin1))),
  stream: (client, key) =>
    client.callBuffer('XRANGE', key, '-', '+').then((all) => JSON.stringify(all)),
};

// Keys and values are binary: latin1 maps each byte to one character and back.
const latin1 = (buffer) => buffer.toString('latin1');
const bytes = (text) => Buffer.from(text, 'latin1');

async function photograph(client, name) {
  const key = bytes(name);
  const [type, expires, dump] = await Promise.all([
    client.type(key),
    client.call('PEXPIRETIME', key),
    client.dumpBuffer(key),
  ]);
  return { type, expires, dump: latin1(dump), contents: await contents[type](client, key) };
}

/** Every key of the dataset: name -> {type, expires, dump, contents}. */
export async function snapshot(client) {
  const names = new Set();
  let cursor = '0';
  do {
    const [next, page] = await client.scanBuffer(cursor, 'COUNT', 1000);
    page.forEach((key) => names.add(latin1(key)));
    cursor = next.toString();
  } while (cursor !== '0');
  const all = sorted(names);
  const values = await Promise.all(all.map((name) => photograph(client, name)));
  return new Map(all.map((name, i) => [name, values[i]]));
}

/** The keys that are only in one of the snapshots, or differ in any of `aspects`. */
export function differences(a, b, aspects = ['type', 'expires', 'contents']) {
  const differs = (name) => {
    const [one, other] = [a.get(name), b.get(name)];
    return !one || !other || aspects.some((it) => `${one[it]}` !== `${other[it]}`);
  };
  return sorted(new Set([...a.keys(), ...b.keys()])).filter(differs);
}

/** DUMP and expiry of a key that nobody has touched. */
export const byteForByte = ['dump', 'expires'];

/** Starts moonshift with these arguments; `child` is for those who want to kill it. */
export function launchMoonshift(...args) {
  const binary = process.env.MOONSHIFT;
  assert.ok(binary, 'MOONSHIFT must hold the path of the binary');
  const child = spawn(binary, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => (output[name] += text));
  }
  const done = once(child, 'close').then(([code, signal]) => ({ code, signal, ...output }));
  return { child, done };
}

/** `moonshift run` of one script to its end. Parameters may be lists; `now` is in ms. */
export async function moonshift(script, url, { engine = 'local', now, ...params } = {}) {
  const { code, stdout, stderr } = await launchMoonshift(
    ...runArguments(script, url, { engine, now, ...params }),
  ).done;
  const report = JSON.parse(stdout || '{}');
  return { code, report, stderr };
}

export function runArguments(script, url, { engine, now, ...params }) {
  const flags = Object.entries(params).flatMap(([name, values]) =>
    [values].flat().flatMap((value) => ['--param', `${name}=${value}`]),
  );
  if (now !== undefined) flags.push('--now', String(now));
  return ['run', script, '--url', url, '--engine', engine, ...flags, '--json'];
}

/** Runs a script and demands that it is done and verified. Returns the report. */
export async function moonshiftDone(script, url, options) {
  const { code, report, stderr } = await moonshift(script, url, options);
  assert.equal(
    code,
    0,
    `${script} ended with ${code}:\n${JSON.stringify(report, null, 1)}\n${stderr}`,
  );
  assert.equal(report.failed, 0);
  return report;
}

/**
 * A slow road to a server: forwards what clients send in pieces, and calls `reached` once `limit`
 * bytes have gone through, after which nothing does, in either direction.
 */
export class Proxy {
  static async start(server, { limit = Infinity, piece = 4096, reached = () => {} } = {}) {
    const proxy = new Proxy();
    Object.assign(proxy, { limit, piece, reached, sent: 0, sockets: new Set() });
    proxy.path = `${server.socket}.proxy`;
    proxy.url = `unix://${proxy.path}`;
    proxy.listener = createServer((from) => proxy.join(from, connect(server.socket)));
    proxy.listener.listen(proxy.path);
    await once(proxy.listener, 'listening');
    return server.host(proxy);
  }

  join(from, to) {
    for (const socket of [from, to]) {
      this.sockets.add(socket);
      socket.on('error', () => {}).on('close', () => [from, to].forEach((it) => it.destroy()));
    }
    from.on('data', (data) => this.forward(from, to, data));
    to.on('data', (data) => this.cut || from.write(data));
  }

  async forward(from, to, data) {
    from.pause();
    for (let at = 0; at < data.length && !this.cut; at += this.piece) {
      const room = this.limit - this.sent;
      const part = data.subarray(at, at + Math.min(this.piece, room));
      this.sent += part.length;
      await new Promise((written) => to.write(part, written));
      if (part.length === room) this.stop();
    }
    from.resume();
  }

  stop() {
    this.cut = true;
    this.reached();
  }

  async close() {
    this.sockets.forEach((socket) => socket.destroy());
    await new Promise((closed) => this.listener.close(closed));
  }
}
