// `npm run torture -- [--seeds N] [--seed S] [--writers N] [--steps N] [--kills N]`: the torture of files at length.
// Each seed is a run; the first that is not clean ends it with exit code 1.

import { parseArgs } from 'node:util';
import { torture } from './torture.ts';

const number = (text: string): { type: 'string'; default: string } => ({ type: 'string', default: text });
const { values } = parseArgs({
  options: {
    seeds: number('2'),
    seed: { type: 'string' },
    writers: number('200'),
    steps: number('6000'),
    kills: number('100'),
  },
});
const first = Number(values.seed ?? Date.now() % 1_000_000);
const seeds = values.seed === undefined ? Number(values.seeds) : 1;
for (let seed = first; seed < first + seeds; seed += 1) {
  const options = { writers: Number(values.writers), steps: Number(values.steps), kills: Number(values.kills) };
  const progress = (step: number): void => {
    if (step % 100 === 0) process.stderr.write(`seed ${seed}: step ${step} of ${options.steps}\n`);
  };
  const { missing, doubled, lost, removed, ...counts } = await torture({ seed, ...options, progress });
  // What counts as lost may be too much after a kill, for checkpoints follow the queue: that is only shown.
  const uncounted = Object.keys(removed).filter((name) => (lost[name] ?? 0) < (removed[name] ?? 0));
  const isClean = missing.length + doubled.length + uncounted.length === 0;
  const bytes = (of: Readonly<Record<string, number>>): number => Object.values(of).reduce((sum, one) => sum + one, 0);
  const shown = JSON.stringify({ ...counts, lostBytes: bytes(lost), removedBytes: bytes(removed) });
  process.stdout.write(`seed ${seed}: ${isClean ? 'clean' : 'NOT CLEAN'} ${shown}\n`);
  if (isClean) continue;
  for (const [what, lines] of Object.entries({ missing, doubled, uncounted })) {
    if (lines.length > 0) process.stdout.write(`  ${what}: ${lines.length}\n`);
    // Many files begin with the same lines; what comes last tells which file it was.
    for (const line of [...lines.slice(0, 5), ...lines.slice(5).slice(-15)]) process.stdout.write(`    ${line}\n`);
  }
  process.exit(1);
}
