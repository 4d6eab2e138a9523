// Forward opens its chunks whatever HTTP holds, or waits for, of the memory that both share.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { forwardTurn } from '#forwarder/accept/forward/frame-turns.ts';
import { FairSlots } from '#forwarder/accept/turns/fair-slots.ts';
import { forwardMemory } from '#forwarder/accept/forward/forward-memory.ts';
import { Unpacker } from '#forwarder/accept/frames/unpacker.ts';
import { ByteBudget } from '#shared/byte-budget.ts';

const MIB = 1024 * 1024;
const LARGE_BYTES = 128 * MIB;

test('a frame of Forward waits for no HTTP body: opened in memory, in slices, or dead-lettered', async () => {
  const large = new ByteBudget(LARGE_BYTES);
  const body = await large.acquire(LARGE_BYTES);
  const next = large.acquire(LARGE_BYTES);
  const { unpacking, passes } = forwardMemory(large);
  const { signal } = new AbortController();
  const room = { hasRoom: true, room: () => Promise.resolve() };
  const unpacker = new Unpacker({
    budget: unpacking,
    turns: new FairSlots(1),
    turn: forwardTurn(),
    network: '192.0.2.1',
    room,
    signal,
  });
  const noWait = async <T>(work: Promise<T>): Promise<T | 'waits'> => {
    const later = new Promise<'waits'>((resolve) => setImmediate(resolve, 'waits'));
    return Promise.race([work, later]);
  };
  {
    // Two of the costliest passes, and what they must hold.
    using taken = new DisposableStack();
    for (const sender of ['192.0.2.1', '198.51.100.7']) {
      for (const work of [passes.enter(sender, 'zstd', signal), passes.hold(4 * MIB, null)]) {
        const permit = await noWait(work);
        assert(permit !== 'waits');
        taken.use(permit);
      }
    }
    assert.equal(String(await unpacker.unpack(gzipSync('a line'), 'gzip', 8 * MIB)), 'a line');
  }
  const bomb = zstdCompressSync(Buffer.concat([randomBytes(MIB / 4), Buffer.alloc(7 * MIB)]));
  assert.equal((await unpacker.unpack(bomb, 'zstd', 8 * MIB))?.length, 7.25 * MIB);
  // What is large comes after what asked for the shared memory before it.
  const entry = passes.hold(192 * MIB, null);
  assert.equal(await noWait(entry), 'waits');
  body[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  using permit = await entry;
  assert.equal(permit.bytes, LARGE_BYTES);
  assert.equal(unpacking.bytesHeld, 0);
});
