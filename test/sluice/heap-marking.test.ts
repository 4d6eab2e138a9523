// V8 marks a small heap in one go, and a large one in steps.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { marksInSteps } from '../../services/sluice/process/heap-marking.ts';

const MIB = 1024 * 1024;
const MODULE = new URL('../../services/sluice/process/heap-marking.ts', import.meta.url).href;

for (const [usedMib, inSteps, next] of [
  [20, false, false],
  [27, false, false],
  [29, false, true],
  [25, true, true],
  [22, true, false],
] as const) {
  test(`${usedMib} MiB in use, ${inSteps ? 'in steps' : 'at once'} so far: ${next ? 'in steps' : 'at once'}`, () => {
    assert.equal(marksInSteps(usedMib * MIB, inSteps), next);
  });
}

/** Keeps so much alive, and makes garbage after the first full collection; prints what V8 tells of its marking. */
async function traced(aliveMib: number): Promise<string> {
  const program = `
    const { markBySize } = await import(${JSON.stringify(MODULE)});
    markBySize(new AbortController().signal);
    const alive = Array.from({ length: ${aliveMib} * 4096 }, (_, i) => ({ i, text: new Array(28).fill(i) }));
    gc();
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    console.log('BEGIN');
    const kept = [];
    for (let i = 0; i < 1000; i++) {
      kept[i % 100] = Buffer.allocUnsafeSlow(1024 * 1024);
      await new Promise((resolve) => setImmediate(resolve));
    }
    console.log('END', alive.length);
  `;
  const flags = ['--expose-gc', '--no-incremental-marking', '--trace-gc', '--trace-incremental-marking'];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, '--input-type=module', '--eval', program], {
    maxBuffer: 64 * MIB,
  });
  const told = stdout.slice(stdout.indexOf('BEGIN'));
  assert.match(told, /END/);
  assert.match(told, /Mark-Compact/);
  return told;
}

test('a large heap is marked in steps, once a full collection has found it large', async () => {
  assert.match(await traced(64), /\[IncrementalMarking\] Start/i);
});

test('a small heap is never marked in steps', async () => {
  assert.doesNotMatch(await traced(1), /\[IncrementalMarking\] Start/i);
});
