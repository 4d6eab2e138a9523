// The spool of a process that is killed has all that was acked, also where its last write is torn.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { firstAppearances, numbersIn } from './records.ts';
import { newUpstream, folder, feedAll } from './spool-world.ts';

describe('spool of a process that is killed', () => {
  it('has all that was acked, in order, for the next process', async (t) => {
    const dataDir = await folder(t);
    const upstream = newUpstream();
    let first = 0;
    for (let round = 0; round < 3; round++) {
      const acked = await spoolUntilKilled(dataDir, first, 40 + 60 * round);
      await feedAll(dataDir, upstream);
      for (const [partition, to] of acked.entries()) {
        const numbers = numbersIn(upstream.memory, partition, `source ${partition}`);
        const delivered = firstAppearances(numbers);
        assert.ok(
          acked.every((n) => n > first),
          'all partitions were at work',
        );
        assert.deepEqual(
          delivered,
          [...delivered].sort((a, b) => a - b),
          'in order',
        );
        assert.ok(delivered.includes(to - 1) && delivered.length >= to - first * round, `all up to ${to}`);
      }
      // The one that was under way at the kill may be there or not: the next round begins behind it.
      first = Math.max(...acked) + 1;
    }
  });

  it('is whole when its last write is torn', async (t) => {
    const damages: Record<string, (wal: string) => void> = {
      'garbage behind it': (wal) => writeFileSync(wal, Buffer.alloc(5000, 7), { flag: 'a' }),
      'cut in a frame': (wal) => truncateSync(wal, statSync(wal).size - 3000),
    };
    for (const [name, damage] of Object.entries(damages)) {
      const dataDir = await folder(t);
      const acked = await spoolUntilKilled(dataDir, 0, 30);
      damage(join(dataDir, 'spool/0/log.sqlite-wal'));
      const upstream = newUpstream();
      await feedAll(dataDir, upstream);
      for (const [partition, to] of acked.entries()) {
        const numbers = firstAppearances(numbersIn(upstream.memory, partition, `source ${partition}`));
        assert.deepEqual(
          numbers,
          Array.from({ length: numbers.length }, (_, n) => n),
          name,
        );
        // A cut takes away what was synced, which no kill does: the last transactions, and nothing else.
        if (name === 'garbage behind it') assert.ok(numbers.length >= to);
        else assert.ok(numbers.length > 0);
      }
    }
  });
});

/**
 * Runs spool-for-ever.ts and kills it after so many acks; resolves to the number after the last acked one of each
 * partition.
 */
async function spoolUntilKilled(dataDir: string, first: number, acks: number): Promise<number[]> {
  const program = fileURLToPath(new URL('./spool-for-ever.ts', import.meta.url));
  const child = spawn(process.execPath, [program, dataDir, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exit = once(child, 'exit');
  let acked: number[] = [];
  let seen = 0;
  for await (const line of createInterface(child.stdout)) {
    acked = line.split(' ').map(Number);
    if (++seen === acks) child.kill('SIGKILL');
  }
  await exit;
  return acked;
}
