// What stands for decompression where a test plants harm: values that are marked do it, in whatever process opens them.

import { setTimeout as delay } from 'node:timers/promises';
import type { Decompress } from '#indexer/unpack/unpack.ts';

export const plantedDecompress: Decompress = async (bytes) => {
  const text = Buffer.from(bytes).toString('latin1');
  const [, harm] = /POISON (\w+)/.exec(text) ?? [];
  if (harm === 'crash') process.kill(process.pid, 'SIGABRT');
  if (harm === 'throw') return throwing(bytes);
  if (harm === 'hang') for (;;);
  if (harm === 'turns') for (;;) await delay(1);
  if (harm === 'wait') await delay(3_600_000);
  if (harm === 'heap') fillHeap();
  if (harm === 'memory') await fillMemory();
  if (text.includes('SLOW')) await delay(400);
  return bytes;
};

/** Whoever looks at it fails. */
function throwing(bytes: Uint8Array): Uint8Array {
  return new Proxy(bytes, {
    get(_, property) {
      // It is awaited first.
      if (property === 'then') return undefined;
      throw new Error('planted');
    },
  });
}

function fillHeap(): void {
  const kept: object[] = [];
  for (;;) kept.push({ number: kept.length, text: String(kept.length) });
}

async function fillMemory(): Promise<void> {
  for (const kept: Buffer[] = []; ; await delay(1)) kept.push(Buffer.alloc(8 * 1024 * 1024, 1));
}
