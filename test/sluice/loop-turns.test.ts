// What is told of the turns of the event loop.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { observeTurns } from '../../services/sluice/process/loop-turns.ts';

/**
 * Whole microseconds: the clock may stand still between two readings, and a sum of fractions is then not equal to the
 * whole.
 */
function cpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

test('a turn that takes the processor is told with what it took, and not before it began', async () => {
  const turnsUs: number[] = [];
  const stop = new AbortController();
  const beganUs = cpuUs();
  const exemplify = (): void => undefined;
  observeTurns({ observe: (seconds) => void turnsUs.push(Math.round(seconds * 1e6)), exemplify }, stop.signal);
  const spin = (): void => {
    for (const from = cpuUs(); cpuUs() - from < 50_000;);
  };
  setTimeout(spin, 1);
  while (!turnsUs.some((us) => us >= 50_000)) await new Promise((resolve) => setTimeout(resolve, 1));
  stop.abort();
  const sumUs = turnsUs.reduce((a, b) => a + b);
  const spentUs = cpuUs() - beganUs;
  assert.ok(sumUs <= spentUs, `${sumUs} µs in all turns, more than the ${spentUs} µs that were spent`);
});

test('a process that has nothing else to do ends', async () => {
  const module = new URL('../../services/sluice/process/loop-turns.ts', import.meta.url).href;
  const program = `import { observeTurns } from ${JSON.stringify(module)};
    observeTurns({ observe() {}, exemplify() {} }, new AbortController().signal);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
