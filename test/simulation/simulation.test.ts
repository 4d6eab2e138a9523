// What is promised holds in every seed, a seed gives one run, and bugs that are planted in the code under test are
// found: so the simulator sees what it is there to see.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { plantedBugs } from './planted-bugs.ts';
import { simulate } from './simulation.ts';

const SEEDS = 500;
/** Within so many seeds a planted bug is found: most at once, the rarest after one or two thousand. */
const SEEDS_FOR_BUG = 4000;

async function simulateAside(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const output = await text(child.stdout);
  return { code: await ended, output };
}

describe('simulation', () => {
  it(`breaks no promise in ${SEEDS} seeds`, async () => {
    const { code, output } = await simulateAside('--seeds', String(SEEDS));
    assert.equal(code, 0, output);
    assert.match(output, new RegExp(`violations +0\n\n${SEEDS} seeds`));
    // Nothing of this was in vain: all kinds of trouble struck, and senders had to send again.
    for (const [, name, count] of output.matchAll(/^(\w+) +(\d+)/gm)) {
      if (name !== 'violations' && name !== 'doubled_by_late_writes') assert(Number(count) > 0, `${name}: ${count}`);
    }
  });

  it('gives the same run for the same seed, and others for others', async () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= 10; seed++) {
      const [one, two] = [await simulate(seed), await simulate(seed)];
      assert.deepEqual(one, two);
      hashes.add(one.hash);
    }
    assert.equal(hashes.size, 10);
  });

  it('prints how to see the seed that fails', async () => {
    const { code, output } = await simulateAside('--seeds', '3', '--planted', 'commit one too far');
    assert.equal(code, 1);
    // As the run goes, it is seen while an event is not settled, or at the end.
    assert.match(
      output,
      /\nseed 1: (offset \d+ of .+ is committed before event \d+ is settled|offsets stay behind: .+)\n/,
    );
    assert.match(output, /\n {2}npm run simulate -- --seed 1 --trace\n/);
  });
});

describe('a planted bug is found', () => {
  for (const name of Object.keys(plantedBugs)) {
    it(name, async () => {
      const { code, output } = await simulateAside('--seeds', String(SEEDS_FOR_BUG), '--planted', name);
      assert.equal(code, 1, output);
      assert.match(output, /^seed \d+: /m);
    });
  }
});
