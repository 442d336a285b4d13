// Traffic at full speed on one queue of Bull or Bee-Queue: producers here, workers in processes of their own,
// which are killed now and then. Every run of a job is counted in the hash `ran`, so that a lost job or one
// that ran too often shows.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../support.mjs';

export const liveSeconds = Number(process.env.MOONSHIFT_LIVE_SECONDS ?? 10);
const concurrency = 8;
const most_waiting = 3000;
const least = { plain: 1, urgent: 1, late: 1, fail: 2, hang: 2 };

export class Traffic {
  /** `add(list of data)` adds jobs and returns their ids; `depth()` is how many wait. */
  constructor(server, program, { add, depth }) {
    Object.assign(this, { server, program, add, depth, kinds: new Map(), workers: [], kills: 0, going: true });
    server.host(this);
    for (let i = 0; i < 2; i++) this.startWorker();
    this.producer = this.produce();
  }

  startWorker() {
    const child = spawn(process.execPath, [this.program, this.server.socket, String(concurrency)], {
      stdio: ['ignore', 'ignore', process.env.DEBUG_LIVE ? 'inherit' : 'ignore'],
    });
    this.workers.push({ child, exited: once(child, 'exit') });
  }

  /** One worker dies with whatever it runs, one job that never ends among it; another takes its place. */
  async killWorker() {
    this.note(await this.add([{ kind: 'hang' }]), ['hang']);
    await pause(100);
    await this.replaceWorker();
  }

  async replaceWorker() {
    const { child, exited } = this.workers.shift();
    child.kill('SIGKILL');
    await exited;
    this.kills++;
    this.startWorker();
  }

  note(ids, kinds) {
    ids.forEach((id, i) => this.kinds.set(id, kinds[i]));
  }

  async produce() {
    const mixture = ['plain', 'plain', 'plain', 'urgent', 'late', 'fail', 'plain', 'plain'];
    while (this.going) {
      if ((await this.depth()) > most_waiting) {
        await pause(5);
        continue;
      }
      const kinds = Array.from({ length: 40 }, (_, i) => mixture[i % mixture.length]);
      this.note(await this.add(kinds.map((kind) => ({ kind }))), kinds);
    }
  }

  async stopProducing() {
    this.going = false;
    await this.producer;
  }

  async close() {
    await this.stopProducing().catch(() => {});
    for (const { child, exited } of this.workers) {
      child.kill('SIGKILL');
      await exited;
    }
  }

  /** Runs `turn(i)` again and again for as long as the test shall last; kills a worker every third time. */
  async during(turn) {
    const end = performance.now() + liveSeconds * 1000;
    for (let i = 0; performance.now() < end; i++) {
      if (i % 3 === 1) await this.killWorker();
      await turn(i);
    }
    await this.stopProducing();
    for (const _ of [...this.workers]) await this.replaceWorker(); // whoever runs a job that never ends
  }

  /** How often each job ran. */
  runs() {
    return this.server.client.hgetall('ran');
  }

  /** Every job ran; those that fail or hang at first, twice; and others again only if a worker was killed with them. */
  async check() {
    const runs = await this.runs();
    let again = 0;
    for (const [id, kind] of this.kinds) {
      const count = Number(runs[id] ?? 0);
      assert.ok(count >= least[kind], `${kind} job ${id} ran ${count} times`);
      again += count - least[kind];
    }
    assert.ok(again <= this.kills * concurrency, `${again} runs too many after ${this.kills} kills`);
    return { jobs: this.kinds.size, again, kills: this.kills };
  }

  /** Until every job has run as often as it should. */
  allHaveRun(tend) {
    return until(
      async () => {
        await tend();
        const runs = await this.runs();
        return [...this.kinds].every(([id, kind]) => Number(runs[id] ?? 0) >= least[kind]);
      },
      'every job has run',
      60,
    );
  }
}

/** What a job does: `count` is which run of it this is. */
export async function behave(kind, count) {
  if (kind === 'fail' && count === 1) throw new Error('fails once');
  if (kind === 'hang' && count === 1) await new Promise(() => {});
}
