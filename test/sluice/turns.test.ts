// What is told of the turns of the event loop.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { observeTurns } from '../../services/sluice/turns.ts';

function cpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

test('a turn that takes the processor is told with what it took, and not before it began', async () => {
  const turns: number[] = [];
  const stop = new AbortController();
  const beganSeconds = cpuSeconds();
  const exemplify = (): void => undefined;
  observeTurns({ observe: (seconds) => void turns.push(seconds), exemplify }, stop.signal);
  const spin = (): void => {
    for (const from = cpuSeconds(); cpuSeconds() - from < 0.05;);
  };
  setTimeout(spin, 1);
  while (!turns.some((seconds) => seconds >= 0.05)) await new Promise((resolve) => setTimeout(resolve, 1));
  stop.abort();
  const sum = turns.reduce((a, b) => a + b);
  assert.ok(sum <= cpuSeconds() - beganSeconds, `${sum} s in all turns, more than there were`);
});

test('a process that has nothing else to do ends', async () => {
  const module = new URL('../../services/sluice/turns.ts', import.meta.url).href;
  const program = `import { observeTurns } from ${JSON.stringify(module)};
    observeTurns({ observe() {}, exemplify() {} }, new AbortController().signal);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
});
