// Compressed bodies within their budgets: what their bytes grow to, and who waits for the memory that it takes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { LARGE_BODY_BYTES } from '#forwarder/accept/turns/large-body-slots.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { Fixture, JSON_BODY } from '../http/http-fixture.ts';
import { KIB, MIB, bodyReader } from './body-readers.ts';

class WatchedBudget extends ByteBudget {
  most = 0;

  override take(bytes: number): Permit {
    const permit = super.take(bytes);
    this.most = Math.max(this.most, this.bytesHeld);
    return permit;
  }
}

test('bodies that grow without bounds are opened one after another, each within its own', async () => {
  const bodyBytesMax = 2 * LARGE_BODY_BYTES;
  const unpacking = new WatchedBudget(2 * bodyBytesMax);
  await using fixture = await Fixture.start({}, systemClock, { unpacking, bodyBytesMax });
  const bomb = zstdCompressSync(Buffer.alloc(20 * bodyBytesMax));
  const headers = { ...JSON_BODY, 'content-encoding': 'zstd' };
  const answers = await Promise.all(Array.from({ length: 40 }, () => fixture.post('/app', bomb, headers)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([413]));
  assert.equal(unpacking.most, 2 * bodyBytesMax);
  assert.equal(unpacking.bytesHeld, 0);
});

test('small bombs of a crowd wait for each other, and a body of somebody else for one or two of them', async () => {
  const bodies = bodyReader({
    bodyBytesMax: MIB,
    heldBytesMax: 64 * MIB,
    smallReserveBytes: 256 * KIB,
    waitMs: 60_000,
  });
  using held = new DisposableStack();
  const opened: string[] = [];
  const open = async (sender: string): Promise<void> => {
    const packed = zstdCompressSync(Buffer.alloc(KIB));
    await bodies.decompress(packed, 'zstd', { held, sender, takeTurn: () => Promise.resolve() });
    opened.push(sender);
  };
  await Promise.all([...Array.from({ length: 20 }, () => open('crowd')), open('good')]);
  assert(opened.indexOf('good') <= 3, opened.join(' '));
});

test('who waited for memory to open a body has room too, or waits for it', async () => {
  const unpacking = new ByteBudget(4 * KIB);
  const bodies = bodyReader({
    unpacking,
    waitMs: 5,
  });
  using held = new DisposableStack();
  const bomb = await unpacking.acquire(4 * KIB);
  const opened = bodies.decompress(zstdCompressSync('x'), 'zstd', { held, sender: 'a', takeTurn: async () => {} });
  const refused = assert.rejects(opened, { code: 'intake_full' });
  using _full = bodies.take(KIB);
  bomb[Symbol.dispose]();
  await refused;
  assert.equal(unpacking.bytesHeld, 0);
});
