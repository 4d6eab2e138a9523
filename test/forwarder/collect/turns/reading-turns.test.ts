// Who waits for the queue keeps nobody from reading, as long as not too much waits.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Reader, ReadingTurns, type Slot } from '#forwarder/collect/turns/reading-turns.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { ROOM } from '../files/file-world.ts';

/** Reads so many bytes, and waits until the queue holds them. */
class WaitingReader implements Reader {
  readonly slots: Slot[] = [];
  readonly #bytes: number;
  readonly #held: Promise<void>;

  constructor(bytes: number, held: Promise<void>) {
    this.#bytes = bytes;
    this.#held = held;
  }

  async turn(slot: Slot): Promise<boolean> {
    this.slots.push(slot);
    slot.leave(this.#bytes);
    await this.#held;
    return false;
  }
}

async function begun(count: number, bytes: number): Promise<{ before: number; after: number; buffers: number }> {
  const stop = new AbortController();
  const clock = new VirtualClock();
  const turns = new ReadingTurns({ room: ROOM, clock, signal: stop.signal });
  const held = Promise.withResolvers<void>();
  const readers = Array.from({ length: count }, () => new WaitingReader(bytes, held.promise));
  for (const reader of readers) turns.wake(reader);
  await clock.settle();
  const slots = (): Slot[] => readers.flatMap((reader) => reader.slots);
  const before = slots().length;
  held.resolve();
  while (turns.waiting > 0) await clock.settle();
  await turns.ended();
  return { before, after: slots().length, buffers: new Set(slots().map(({ buffer }) => buffer)).size };
}

test('many files with a few lines each wait for the queue together, and share few buffers', async () => {
  assert.deepEqual(await begun(200, 1000), { before: 200, after: 200, buffers: 1 });
});

test('no more files are read while too many runs wait for the queue, or too large ones', async () => {
  assert.deepEqual(await begun(1000, 1000), { before: 256, after: 1000, buffers: 1 });
  assert.deepEqual(await begun(100, 1024 * 1024), { before: 2, after: 100, buffers: 1 });
});
