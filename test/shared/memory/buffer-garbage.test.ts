// Memory of a process that makes buffers and few objects, with the flags that Sluice is started with: what nobody uses
// is bounded, both what was made lately and what was in use for a while.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { V8_FLAGS } from '../../../services/sluice/process/v8-flags.ts';

const MIB = 1024 * 1024;
const module = new URL('../../../shared/memory/buffer-garbage.ts', import.meta.url).href;

/** Most external bytes while 512 MiB of buffers come, of which `kept` are in use at a time. */
function mostBytes(kept: number, isBounded: boolean): number {
  const program = `
    import { setImmediate as turn } from 'node:timers/promises';
    import { getHeapStatistics } from 'node:v8';
    import { boundBufferGarbage } from ${JSON.stringify(module)};
    const inUse = [];
    let most = 0;
    for (let i = 0; i < 512; i++) {
      inUse.push(Buffer.alloc(${MIB}));
      if (inUse.length > ${kept}) inUse.shift();
      await turn();
      if (${isBounded}) boundBufferGarbage();
      most = Math.max(most, getHeapStatistics().external_memory);
    }
    console.log(most);`;
  // Otherwise another thread counts what it freed, when it comes to that.
  const args = [...V8_FLAGS, '--no-concurrent-array-buffer-sweeping', '--input-type=module', '-e', program];
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8', env: {} }));
}

test('buffers that are used once', () => {
  assert.ok(mostBytes(1, true) < 3 * 32 * MIB);
});

test('buffers that are in use until the young generation was collected twice', () => {
  assert.ok(mostBytes(80, true) < (80 + 64 + 3 * 32) * MIB);
});

test('without us, V8 keeps them: so the bounds above are ours', () => {
  assert.ok(mostBytes(80, false) > 400 * MIB);
});
