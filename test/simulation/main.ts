// `npm run simulate -- [--seeds N] [--seed S] [--trace]`: the whole path, simulated, once for each seed; see
// docs/guarantees.md.
//
//   --seeds N       how many (500, or the one that --seed names)
//   --seed S        the first (1)
//   --trace         print what happens, step by step
//   --jobs N        processes beside each other (one for each processor)
//   --planted BUG   with a bug in the code under test (planted-bugs.ts), until the first violation
//
// Ends with what was injected and what became of the events; exit code 1 where a promise was broken, with the seed that
// shows it.

import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { plant } from './planted-bugs.ts';
import { type Packed, Tally, packed } from './tally.ts';

/** What one process is given at a time. */
const BATCH = 10;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    jobs: { type: 'string' },
    planted: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

const send = process.send?.bind(process);
if (send) {
  const { simulate } = await import('./simulation.ts');
  process.on('disconnect', () => process.exit());
  process.on('message', async ({ first, count }: Batch) => {
    for (let seed = first; seed < first + count; seed++) send(packed(await simulate(seed)));
    send(null);
  });
} else process.exitCode = await main();

interface Batch {
  readonly first: number;
  readonly count: number;
}

async function main(): Promise<number> {
  const first = Number(values.seed ?? 1);
  const count = Number(values.seeds ?? (values.seed === undefined ? 500 : 1));
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
    console.error('Cannot simulate: --seed and --seeds want whole numbers');
    return 2;
  }
  const startedMs = performance.now();
  const tally = new Tally();
  if (values.planted !== undefined || count === 1 || values.trace) await runHere(first, count, tally);
  else await runInProcesses(first, count, tally);
  tally.print();
  const seconds = (performance.now() - startedMs) / 1000;
  const hours = (tally.virtualMs / 3_600_000).toFixed(1);
  console.log(`\n${tally.seeds} seeds, ${hours} simulated hours, in ${seconds.toFixed(0)} s`);
  for (const { seed, violations } of tally.failed.slice(0, 20)) {
    console.log(`\nseed ${seed}: ${violations[0]}`);
    console.log(`  npm run simulate -- --seed ${seed} --trace`);
  }
  return tally.failed.length > 0 ? 1 : 0;
}

async function runHere(first: number, count: number, tally: Tally): Promise<void> {
  const unplanted = values.planted === undefined ? null : plant(values.planted);
  const { simulate } = await import('./simulation.ts');
  const missing = unplanted?.() ?? [];
  if (missing.length > 0) throw new Error(`Cannot plant "${values.planted}": ${missing.join()} is not loaded`);
  const print = values.trace ? (line: string): void => console.log(line) : null;
  for (let seed = first; seed < first + count; seed++) {
    tally.add(packed(await simulate(seed, print)));
    if (unplanted && tally.failed.length > 0) return;
  }
}

async function runInProcesses(first: number, count: number, tally: Tally): Promise<void> {
  const jobs = Math.min(Number(values.jobs ?? availableParallelism()), Math.ceil(count / BATCH));
  const end = first + count;
  let next = first;
  let saidMs = performance.now();
  const give = (child: ChildProcess): void => {
    if (next >= end) {
      child.disconnect();
      return;
    }
    child.send({ first: next, count: Math.min(BATCH, end - next) });
    next += BATCH;
  };
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = fork(import.meta.filename, { stdio: 'inherit' });
      child.on('message', (outcome: Packed | null) => {
        if (outcome === null) return give(child);
        tally.add(outcome);
        if (outcome.violations.length > 0) console.error(`seed ${outcome.seed}: ${outcome.violations[0]}`);
        if (performance.now() - saidMs < 2000) return;
        saidMs = performance.now();
        console.error(`${tally.seeds} of ${count} seeds, ${tally.failed.length} with violations`);
      });
      child.on('error', reject);
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a process ended with ${code}`))));
      give(child);
    });
  await Promise.all(Array.from({ length: jobs }, run));
}
