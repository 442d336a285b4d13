// Every Lua script of two libraries in other languages, as Debian packages them, in moonshift's
// local engine: Python's limits and Ruby's Sidekiq. Compared with EVAL.

import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { compareScripts } from './replay.mjs';

/** A program that uses a library on the Redis it is told, and else prints the library's scripts. */
function program(interpreter, file) {
  const path = new URL(file, import.meta.url).pathname;
  const printed = execFileSync(interpreter, [path], { timeout: 60_000 });
  const texts = Object.entries(JSON.parse(printed));
  return {
    scripts: new Map(texts.map(([name, text]) => [name, Buffer.from(text).toString('latin1')])),
    use: ({ socket }) => promisify(execFile)(interpreter, [path, socket], { timeout: 60_000 }),
  };
}

const limits = program('/usr/bin/python3', 'use_limits.py');
const sidekiq = program('/usr/bin/ruby', 'use_sidekiq.rb');
const clock = ['clock of the server', 'remaining life in ms', 'remaining life in s'];

compareScripts('limits for Python in the local engine', {
  scripts: limits.scripts,
  scenarios: [['all strategies and a reset', limits.use]],
  // gcra_consume asks for TIME, and keeps it and answers with what is left until then.
  rules: { replies: clock, dataset: ['clock of the server'] },
});

compareScripts('Sidekiq for Ruby in the local engine', {
  scripts: sidekiq.scripts,
  scenarios: [['jobs that are due are enqueued', sidekiq.use]],
});
