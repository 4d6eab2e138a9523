// Memory that is free in glibc's heap goes back to the system, and only where much of it may be there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { FreedMemory, mallocTrim } from '../../services/sluice/process/freed-memory.ts';

const MIB = 1024 * 1024;
const MODULE = new URL('../../services/sluice/process/freed-memory.ts', import.meta.url).href;

/** Looks every two seconds at MiB that are `used` then; of those `free`, a trim gives all back. */
function trimsOf(looks: readonly { used: number | null; free?: number }[]): number[] {
  const trimmedAt: number[] = [];
  let now = 0;
  const memory = new FreedMemory({
    bytes: () => {
      const { used, free = 0 } = looks[now] ?? { used: null };
      return used === null ? null : (used - (trimmedAt.at(-1) === now ? free : 0)) * MIB;
    },
    trim: () => trimmedAt.push(now),
    nowMs: () => now * 2000,
  });
  for (; now < looks.length; now++) memory.look();
  return trimmedAt;
}

for (const [what, looks, trimmedAt] of [
  ['an idle process', [{ used: 70 }, { used: 71 }, { used: 70 }], []],
  ['16 MiB more', [{ used: 70 }, { used: 86 }], []],
  ['17 MiB more', [{ used: 70 }, { used: 87, free: 10 }, { used: 80 }], [1]],
  ['more in small steps', [60, 65, 70, 75, 80].map((used) => ({ used })), [4]],
  ['more than the least since', [{ used: 100 }, { used: 60 }, { used: 80, free: 10 }], [2]],
  ['no descriptor left', [{ used: 70 }, { used: null }, { used: 90, free: 10 }, { used: null }], [2]],
  ['more each time, and it is free', [70, 90, 110, 130].map((used) => ({ used, free: 16 })), [1, 2, 3]],
  [
    'more each time, and it is in use: once in 30 s',
    Array.from({ length: 32 }, (_, at) => ({ used: 70 + 17 * at })),
    [1, 16, 31],
  ],
] as const satisfies [string, { used: number | null; free?: number }[], number[]][]) {
  test(`${what}: ${trimmedAt.length} times`, () => assert.deepEqual(trimsOf(looks), trimmedAt));
}

test(
  'what is free among pieces in use goes back, without a warning',
  {
    skip: mallocTrim() === null && 'no malloc_trim here',
  },
  async () => {
    const program = `
    const { mallocTrim } = await import(${JSON.stringify(MODULE)});
    const { createInflate } = await import('node:zlib');
    let held = Array.from({ length: 3000 }, () => createInflate());
    for (const [at, inflate] of held.entries()) inflate.write(Buffer.from([0x78, 0x9c]));
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const [at, inflate] of held.entries()) if (at % 50) inflate.close();
    held = held.filter((_, at) => at % 50 === 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    gc();
    const before = process.memoryUsage.rss();
    mallocTrim()();
    console.log(before - process.memoryUsage.rss(), held.length);
  `;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [
      '--expose-gc',
      '--input-type=module',
      '--eval',
      program,
    ]);
    const [bytes, held] = stdout.split(' ').map(Number);
    assert.equal(held, 60);
    assert.ok((bytes ?? 0) > 8 * MIB, `${bytes} bytes`);
    assert.equal(stderr, '');
  },
);
