// Who has a chunk opened next, where what chunks grow to is more than the budget.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { FairSlots } from '#forwarder/accept/turns/fair-slots.ts';
import { forwardTurn } from '#forwarder/accept/forward/frame-turns.ts';
import { Unpacker } from '#forwarder/accept/frames/unpacker.ts';
import { ByteBudget } from '#shared/byte-budget.ts';

const MIB = 1024 * 1024;

test('a crowd of bombs of one network waits for itself: a chunk of another waits for one of them', async () => {
  const budget = new ByteBudget(4 * MIB);
  const turns = new FairSlots(1);
  const turn = forwardTurn();
  const room = { hasRoom: true, room: () => Promise.resolve() };
  const here = new AbortController();
  // Large enough to be believed to grow to all that it may.
  const bomb = zstdCompressSync(Buffer.concat([randomBytes(MIB / 16), Buffer.alloc(MIB)]));
  const opened: string[] = [];
  const open = async (network: string, packed: Buffer, encoding: 'zstd' | 'gzip'): Promise<void> => {
    const unpacker = new Unpacker({ budget, turns, turn, network, room, signal: here.signal });
    const bytes = await unpacker.unpack(packed, encoding, 2 * MIB);
    if (bytes) opened.push(network);
  };
  const gone = new AbortController();
  const all = await budget.acquire(4 * MIB);
  const crowd = Array.from({ length: 20 }, () => open('192.0.2.1', bomb, 'zstd'));
  const away = new Unpacker({ budget, turns, turn, network: '192.0.2.1', room, signal: gone.signal });
  const leaves = assert.rejects(away.unpack(bomb, 'zstd', 2 * MIB), /gone/);
  const good = open('198.51.100.7', gzipSync('a line of a log '), 'gzip');
  gone.abort(new Error('gone'));
  await leaves;
  all[Symbol.dispose]();
  await good;
  assert(opened.length <= 3, `${opened.length - 1} bombs before it`);
  await Promise.all(crowd);
  assert.equal(opened.length, 21);
  assert.equal(budget.bytesHeld + turns.running + turns.waiting, 0);
});
