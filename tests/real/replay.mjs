// Records what a client library does to a Redis, and replays it side by side: its scripts by the
// server's EVAL in one database and by `moonshift eval` in another. Every reply, and after every
// script the whole dataset, has to be the same. Bytes are kept as latin1 text.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { RedisServer } from './support.mjs';

const bytes = (text) => Buffer.from(text, 'latin1');
const sha1 = (text) => createHash('sha1').update(bytes(text)).digest('hex');

/** The reply that starts at `at` and where it ends, or nothing if it has not all arrived. */
function parse(buffer, at) {
  const end = buffer.indexOf('\r\n', at);
  if (end < 0) return undefined;
  const line = buffer.latin1Slice(at + 1, end);
  const next = end + 2;
  switch (buffer.latin1Slice(at, at + 1)) {
    case '+':
      return [{ s: line }, next];
    case '-':
      return [{ e: line }, next];
    case ':':
      return [Number(line), next];
    case '$': {
      const length = Number(line);
      if (length < 0) return [null, next];
      if (buffer.length < next + length + 2) return undefined;
      return [buffer.latin1Slice(next, next + length), next + length + 2];
    }
    case '*':
      return parseArray(buffer, next, Number(line));
    default:
      throw new Error(`this is no RESP2: ${line}`);
  }
}

function parseArray(buffer, at, length) {
  if (length < 0) return [null, at];
  const items = [];
  for (let i = 0; i < length; i++) {
    const parsed = parse(buffer, at);
    if (!parsed) return undefined;
    items.push(parsed[0]);
    at = parsed[1];
  }
  return [items, at];
}

/**
 * RESP2 on a Unix socket. ioredis does not tell a status from a string; here an integer is a
 * number, a bulk string a string, a status `{s}`, an error `{e}`, nil `null`, an array an array.
 */
export class Wire {
  constructor(path) {
    this.waiting = [];
    this.rest = Buffer.alloc(0);
    this.socket = connect(path);
    this.socket.on('data', (data) => this.receive(data));
    this.socket.on('error', (error) => this.fail(error));
    this.socket.on('close', () => this.fail(new Error('Redis has closed the connection')));
  }

  /** Replies come in order, so calls may be sent without waiting for those before them. */
  send(...argv) {
    const parts = argv.map(String).map((text) => `$${text.length}\r\n${text}\r\n`);
    this.socket.write(`*${parts.length}\r\n${parts.join('')}`, 'latin1');
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  receive(data) {
    this.rest = Buffer.concat([this.rest, data]);
    let at = 0;
    for (let parsed; (parsed = parse(this.rest, at)); at = parsed[1]) {
      if (this.waiting.length && parsed[0]?.[0] !== 'pmessage') {
        this.waiting.shift().resolve(parsed[0]);
      } else {
        this.onPush?.(parsed[0]);
      }
    }
    this.rest = this.rest.subarray(at);
  }

  fail(error) {
    this.waiting.splice(0).forEach(({ reject }) => reject(error));
  }

  close() {
    this.socket.destroy();
  }
}

const escapes = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };
const unescape = (text) =>
  text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex, letter) =>
    hex ? String.fromCharCode(parseInt(hex, 16)) : (escapes[letter] ?? letter),
  );

/** A line of MONITOR as a command; nothing for a command that a script called. */
function parseMonitored({ s: line }) {
  const [, source, rest] = line.match(/^[\d.]+ \[\d+ (.*?)\] (.*)$/);
  if (source === 'lua') return undefined;
  return [...rest.matchAll(/"((?:[^"\\]+|\\.)*)"/g)].map(([, text]) => unescape(text));
}

// What only concerns a connection, and the brackets of a transaction, leave nothing to replay.
const ofConnections = new Set(
  ['AUTH', 'CLIENT', 'COMMAND', 'DISCARD', 'ECHO', 'EXEC', 'HELLO', 'INFO', 'MULTI', 'PING'].concat(
    ['PSUBSCRIBE', 'QUIT', 'SCRIPT', 'SELECT', 'SUBSCRIBE', 'UNSUBSCRIBE', 'UNWATCH', 'WATCH'],
  ),
);

// The forms that do not wait. The recorded call got its answer at once, or else nothing.
const patient = {
  BLMOVE: (argv) => ['LMOVE', ...argv.slice(1, -1)],
  BLPOP: ([, key]) => ['LPOP', key],
  BRPOP: ([, key]) => ['RPOP', key],
  BRPOPLPUSH: (argv) => ['RPOPLPUSH', ...argv.slice(1, -1)],
  BZPOPMIN: ([, key]) => ['ZPOPMIN', key],
  XREAD: (argv) => ['XREAD', ...argv.slice(argv.findIndex((it) => /^streams$/i.test(it)))],
};

/** Turns recorded commands into steps: `{argv}`, or `{text, keys, args}` for a script. */
export function stepsOf(commands) {
  const texts = new Map();
  const steps = [];
  const script = (text, count, rest) =>
    steps.push({ text, keys: rest.slice(0, count), args: rest.slice(count) });
  for (const argv of commands) {
    const name = argv[0].toUpperCase();
    if (name === 'EVAL') {
      texts.set(sha1(argv[1]), argv[1]);
      script(argv[1], Number(argv[2]), argv.slice(3));
    } else if (name === 'EVALSHA') {
      // An unknown one got NOSCRIPT, and the library calls it again by EVAL.
      const text = texts.get(argv[1].toLowerCase());
      if (text !== undefined) script(text, Number(argv[2]), argv.slice(3));
    } else if (name === 'SCRIPT' && /^load$/i.test(argv[1])) {
      texts.set(sha1(argv[2]), argv[2]);
    } else if (!ofConnections.has(name)) {
      steps.push({ argv: patient[name]?.(argv) ?? argv });
    }
  }
  return steps;
}

/** A server on which libraries are recorded, one `work` after another. */
export class Recorder {
  static async start() {
    const recorder = new Recorder();
    recorder.server = await RedisServer.start();
    return recorder;
  }

  /** The steps that `work` takes on an empty server without any script in its cache. */
  async record(work) {
    await this.server.client.flushall();
    await this.server.client.script('FLUSH');
    const commands = [];
    const end = randomUUID();
    const monitor = new Wire(this.server.socket);
    const seen = new Promise((resolve) => {
      monitor.onPush = (line) => {
        const argv = parseMonitored(line);
        if (argv?.[1] === end) resolve();
        else if (argv) commands.push(argv);
      };
    });
    await monitor.send('MONITOR');
    try {
      await work(this.server);
    } finally {
      await this.server.dismiss();
      await this.server.client.echo(end);
      await seen;
      monitor.close();
    }
    return stepsOf(commands);
  }

  stop() {
    return this.server.stop();
  }
}

/** `moonshift eval --batch` as a child: one question, one answer. */
export class EvalBatch {
  constructor(url, engine = 'local') {
    const binary = process.env.MOONSHIFT;
    assert.ok(binary, 'MOONSHIFT must hold the path of the binary');
    this.engine = engine;
    this.child = spawn(binary, ['eval', '--batch', '--url', url], { timeout: 300_000 });
    this.exited = once(this.child, 'close');
    let stderr = '';
    this.child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    this.child.stdin.on('error', () => {});
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.ended = this.exited.then(([code, signal]) => {
      throw new Error(`moonshift eval has ended: ${code ?? signal}\n${stderr}`);
    });
    this.ended.catch(() => {});
  }

  async ask({ text, keys, args }) {
    const request = { script: toJson(text), keys: keys.map(toJson), args: args.map(toJson) };
    this.child.stdin.write(`${JSON.stringify({ ...request, engine: this.engine })}\n`);
    const { done, value: line } = await this.answers.next();
    if (done) return this.ended;
    const { ok, reply, error } = JSON.parse(line);
    return ok ? fromJson(reply) : { e: Buffer.from(error).toString('latin1') };
  }

  async close() {
    this.child.stdin.end();
    await this.exited;
  }
}

// Text goes as text where it can, anything else as base64.
function toJson(latin1) {
  const text = bytes(latin1).toString();
  const same = bytes(latin1).equals(Buffer.from(text)) && !text.startsWith('b64:');
  return same ? text : `b64:${bytes(latin1).toString('base64')}`;
}

function fromJson(reply) {
  if (Array.isArray(reply)) return reply.map(fromJson);
  if (reply === null || typeof reply === 'number') return reply;
  const [[kind, text]] = Object.entries(reply);
  if (kind === 'b') return Buffer.from(text, 'base64').toString('latin1');
  return { [kind]: Buffer.from(text).toString('latin1') };
}

const pairs = (flat) => flat.flatMap((item, i) => (i % 2 ? [] : [[item, flat[i + 1]]]));
const byText = (list) => list.sort((a, b) => (String(a) < String(b) ? -1 : 1));

// An id that XADD made of the clock differs between any two runs; one that a script chose stays.
const minute = 60_000;
const withoutClock = ([id, fields]) =>
  Math.abs(parseInt(id) - Date.now()) < 10 * minute ? ['*', fields] : [id, fields];

const contents = {
  string: [(key) => ['GET', key], (value) => value],
  list: [(key) => ['LRANGE', key, 0, -1], (items) => items],
  set: [(key) => ['SMEMBERS', key], byText],
  hash: [(key) => ['HGETALL', key], (flat) => byText(pairs(flat))],
  zset: [(key) => ['ZRANGE', key, 0, -1, 'WITHSCORES'], (flat) => byText(pairs(flat))],
  stream: [(key) => ['XRANGE', key, '-', '+'], (entries) => entries.map(withoutClock)],
};

/** Every key of the database that `wire` has selected: name -> {type, life, contents}. */
async function datasetOf(wire) {
  const names = new Set();
  let cursor = '0';
  do {
    const [next, page] = await wire.send('SCAN', cursor, 'COUNT', 10_000);
    page.forEach((name) => names.add(name));
    cursor = next;
  } while (cursor !== '0');
  const photograph = async (name) => {
    const [{ s: type }, life] = await Promise.all([
      wire.send('TYPE', name),
      wire.send('PTTL', name),
    ]);
    const [command, canonical] = contents[type];
    return { type, life, contents: canonical(await wire.send(...command(name))) };
  };
  const all = [...names].sort();
  const values = await Promise.all(all.map(photograph));
  return new Map(all.map((name, i) => [name, values[i]]));
}

const nearby = 5000;
const isText = (value) => typeof value === 'string';
const parsed = (text) => {
  try {
    return /^[[{]/.test(text) ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
};
const close = (a, b, limit) =>
  Number.isInteger(a) && Number.isInteger(b) && Math.min(a, b) > limit && Math.abs(a - b) <= limit;

const timeOfDay = /(?<!\d)\d{10}(?:\d{3}(?:\d{3})?)?(?!\d)(?:\.\d+|-\d+)?/g;
const inMs = (text) => parseFloat(text) / 10 ** (/^\d+/.exec(text)[0].length - 13);

/**
 * The legitimate differences, by name: whether two values that are not equal are as good as equal.
 */
export const rules = {
  /** JSON that a script encoded anew: fields come in the order of pairs(), and nothing else moves. */
  'order of JSON fields': (a, b) =>
    isText(a) &&
    isText(b) &&
    parsed(a) !== undefined &&
    isDeepStrictEqual(parsed(a), parsed(b)) &&
    isDeepStrictEqual([...a].sort(), [...b].sort()),

  /** A page of SCAN: both engines see the same members, in the order of a hash table. */
  'order of SCAN': (a, b) =>
    [a, b].every((list) => Array.isArray(list) && list.every(isText)) &&
    isDeepStrictEqual([...a].sort(), [...b].sort()),

  /** Times in s, ms or us, or ids of streams, that the server's clock has a part in. */
  'clock of the server'(a, b) {
    if (typeof a !== typeof b || !(isText(a) || typeof a === 'number')) return false;
    const [one, other] = [`${a}`, `${b}`];
    if (one.replace(timeOfDay, '@') !== other.replace(timeOfDay, '@')) return false;
    const [these, those] = [one, other].map((text) => text.match(timeOfDay) ?? []);
    return these.every((it, i) => Math.abs(inMs(it) - inMs(those[i])) <= nearby);
  },

  /** What PTTL says of a key that was given its life a moment earlier or later. */
  'remaining life in ms': (a, b) => close(a, b, nearby),

  /** The same of TTL. */
  'remaining life in s': (a, b) => close(a, b, nearby / 1000),

  /** Bull's score of a limited job: when the limiter's PTTL is over in ms, above 12 bits of id. */
  'end of life in ms, above 12 bits': (a, b) =>
    /^\d{16}$/.test(a) && a % 4096 === b % 4096 && Math.abs(a - b) / 4096 <= nearby,
};

/** Compares values under rules, and keeps count of the values that needed one. */
class Judge {
  constructor() {
    this.forgiven = new Map(Object.keys(rules).map((name) => [name, new Set()]));
  }

  toString() {
    const needed = [...this.forgiven].filter(([, values]) => values.size);
    if (!needed.length) return 'without any rule';
    return `under rules: ${needed.map(([name, { size }]) => `${name} (${size} values)`).join(', ')}`;
  }

  same(a, b, allowed) {
    if (isDeepStrictEqual(a, b)) return true;
    const lists = Array.isArray(a) && Array.isArray(b) && a.length === b.length;
    if (lists && a.every((item, i) => this.same(item, b[i], allowed))) return true;
    const rule = allowed.find((name) => rules[name](a, b));
    this.forgiven.get(rule)?.add(`${a} ${b}`);
    return rule !== undefined;
  }

  /** Both live for ever, or both for about as long. */
  sameLife(a, b) {
    return a === b || (a >= 0 && b >= 0 && Math.abs(a - b) <= nearby);
  }

  sameKey(a, b, allowed) {
    if (a?.type !== b?.type || !this.sameLife(a.life, b.life)) return false;
    return this.same(a.contents, b.contents, allowed);
  }
}

const shown = (value) => {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 2000 ? `${text.slice(0, 2000)}... (${text.length} characters)` : text;
};

const sides = { eval: 'by EVAL', moonshift: 'by moonshift' };
const difference = (what, expected, actual) =>
  `${what}\n  ${sides.eval}: ${shown(expected)}\n  ${sides.moonshift}: ${shown(actual)}`;

/**
 * Two databases of one server, so that both have the same hash seed: the order of a set's members
 * is then the same. EVAL runs in database 0, moonshift in database 1.
 */
export class Replayer {
  /** `open` makes the side that is tested, of a URL: something with `ask` and `close`. */
  static async start(open = (url) => new EvalBatch(url)) {
    const replayer = new Replayer();
    const server = await RedisServer.start();
    const [oracle, other] = [new Wire(server.socket), new Wire(server.socket)];
    await other.send('SELECT', 1);
    const [ear, heard] = [new Wire(server.socket), []];
    ear.onPush = ([, , channel, message]) => heard.push(`${channel} ${message}`);
    await ear.send('PSUBSCRIBE', '*');
    const subject = open(`${server.url}?db=1`);
    const judge = new Judge();
    return Object.assign(replayer, { server, oracle, other, ear, heard, subject, judge });
  }

  /**
   * Replays `steps` and throws at the first difference. `name` tells what a script is called;
   * `rules` names the rules that hold for a script's replies, and those for the dataset.
   */
  async replay(steps, { name = sha1, rules = {} } = {}) {
    await this.oracle.send('FLUSHALL');
    const tally = new Tally();
    const forDataset = ['order of JSON fields', ...(rules.dataset ?? [])];
    for (const [i, step] of steps.entries()) {
      if (step.argv) {
        await Promise.all([this.oracle, this.other].map((wire) => wire.send(...step.argv)));
        continue;
      }
      const called = name(step.text);
      const what = () =>
        `${called} (step ${i + 1} of ${steps.length}, KEYS ${shown(step.keys)}, ARGV ${shown(step.args)})`;
      await this.compareReplies(step, what, rules[called] ?? rules.replies ?? []);
      await this.compareDatasets(what, forDataset);
      await this.compareMessages(what, forDataset);
      tally.add(called);
    }
    await this.compareDatasets(() => `the ${steps.length} steps`, forDataset);
    return tally;
  }

  async compareReplies({ text, keys, args }, what, allowed) {
    const [expected, actual] = await Promise.all([
      this.oracle.send('EVAL', text, keys.length, ...keys, ...args),
      this.subject.ask({ text, keys, args }),
    ]);
    const same = this.judge.same(expected, actual, ['order of JSON fields', ...allowed]);
    assert.ok(same, difference(`${what()} replies`, expected, actual));
  }

  async compareDatasets(what, allowed) {
    const [expected, actual] = await Promise.all([this.oracle, this.other].map(datasetOf));
    for (const name of new Set([...expected.keys(), ...actual.keys()])) {
      const [one, other] = [expected.get(name), actual.get(name)];
      const same = this.judge.sameKey(one, other, allowed);
      assert.ok(same, difference(`${what()} leaves ${shown(name)}`, one, other));
    }
  }

  /** Databases share their channels: what was published has to have been published twice. */
  async compareMessages(what, allowed) {
    await this.ear.send('PING');
    const all = this.heard.splice(0).sort();
    while (all.length) {
      const [one, other] = all.splice(0, 2);
      const same = other !== undefined && this.judge.same(one, other, allowed);
      assert.ok(same, `${what()} publishes on one side only: ${shown(one)}`);
    }
  }

  /** How many scripts the server has run: those of its own side, if moonshift runs the others. */
  async scriptsRun() {
    const stats = await this.oracle.send('INFO', 'commandstats');
    const calls = [...stats.matchAll(/^cmdstat_(?:eval|fcall)\w*:calls=(\d+)/gm)];
    return calls.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  async stop() {
    await this.subject.close();
    for (const wire of [this.oracle, this.other, this.ear]) wire.close();
    await this.server.stop();
  }
}

/** How often each script was compared. */
export class Tally {
  constructor() {
    this.calls = new Map();
  }

  add(name, count = 1) {
    this.calls.set(name, (this.calls.get(name) ?? 0) + count);
  }

  addAll(other) {
    other.calls.forEach((count, name) => this.add(name, count));
  }

  get total() {
    return [...this.calls.values()].reduce((sum, count) => sum + count, 0);
  }

  toString() {
    return `compared ${this.total} calls of ${this.calls.size} scripts`;
  }
}

/**
 * Tests that record each of `scenarios` (title, work, options) and replay it. `scripts` are those
 * that the library brings, name -> text: all of them have to be called.
 */
export function compareScripts(title, { scripts, scenarios, rules }) {
  describe(title, () => {
    const compared = new Tally();
    let recorder, replayer;

    before(async () => {
      recorder = await Recorder.start();
      replayer = await Replayer.start();
    });
    after(async () => {
      await replayer?.stop();
      await recorder?.stop();
    });

    const names = new Map([...scripts].map(([name, text]) => [text, name]));
    const name = (text) => names.get(text) ?? assert.fail(`not one of the library's: ${text}`);
    for (const [what, work, options] of scenarios) {
      test(what, async () => {
        const steps = await recorder.record(work);
        compared.addAll(await replayer.replay(steps, { name, rules, ...options }));
      });
    }

    test('every script of the library was compared', async (t) => {
      t.diagnostic(`${title}: ${compared}, ${replayer.judge}`);
      assert.deepEqual([...compared.calls.keys()].sort(), [...scripts.keys()].sort());
      assert.equal(await replayer.scriptsRun(), compared.total, 'moonshift ran them itself');
    });
  });
}
