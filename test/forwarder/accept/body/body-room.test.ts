// The room for bodies: the reserve that large ones leave to small ones, and what a sender may hold of it.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { ByteBudget } from '#shared/byte-budget.ts';
import { KIB, MIB, bodyReader, newRequest } from './body-readers.ts';

test('large bodies leave a reserve to small ones, as sent and as opened', async () => {
  const large = new ByteBudget(4 * MIB);
  const bodies = bodyReader({
    bodyBytesMax: 8 * MIB,
    heldBytesMax: 8 * MIB,
    smallReserveBytes: 2 * MIB,
    large,
    waitMs: 5,
  });
  using held = new DisposableStack();
  const read = (announced: number, sent: Buffer): Promise<Buffer> => {
    const request = newRequest(announced);
    request.push(sent);
    request.push(null);
    return bodies.read(request, { held, sender: 'a', sendContinue: () => {} });
  };
  const turns: string[] = [];
  const opening = { held, sender: 'a', takeTurn: async () => void turns.push('taken') };
  // All that large ones may have is taken.
  const full = bodies.take(8 * MIB);
  using _bomb = await large.acquire(4 * MIB);
  await assert.rejects(read(2 * MIB, Buffer.from('x')), { code: 'intake_full' });
  assert.equal(String(await read(5, Buffer.from('small'))), 'small');
  assert.equal(String((await bodies.decompress(zstdCompressSync('small'), 'zstd', opening)).body), 'small');
  assert.deepEqual(turns, []);
  await assert.rejects(bodies.decompress(Buffer.alloc(40 * KIB), 'zstd', opening), { code: 'intake_full' });
  assert.deepEqual(turns, ['taken']);
  // Small ones have no more than their reserve.
  using _small = bodies.take(2 * MIB);
  await assert.rejects(read(5, Buffer.from('small')), { code: 'intake_full' });
  full[Symbol.dispose]();
});

test('of the reserve for small bodies a sender has as much as he leaves free', async () => {
  const bodies = bodyReader({
    bodyBytesMax: 8 * MIB,
    heldBytesMax: 8 * MIB,
    smallReserveBytes: 4 * MIB,
    large: new ByteBudget(8 * MIB),
    waitMs: 5,
  });
  using all = new DisposableStack();
  const read = (sender: string, bytes: number, held = all): Promise<Buffer> => {
    const request = newRequest();
    request.push(Buffer.alloc(bytes, 'x'));
    request.push(null);
    request.complete = true;
    return bodies.read(request, { held, sender, sendContinue: () => {} });
  };
  using _large = bodies.take(8 * MIB);
  using first = new DisposableStack();
  await read('a', 0.9 * MIB, first);
  for (let i = 0; i < 2; i += 1) await read('a', 0.9 * MIB);
  await assert.rejects(read('a', 5), { code: 'intake_full' });
  await read('b', 0.4 * MIB);
  // What they grow to is theirs too.
  const opening = { held: all, sender: 'b', takeTurn: async () => {} };
  const noise = randomBytes(16 * KIB);
  await bodies.decompress(zstdCompressSync(Buffer.alloc(0.5 * MIB, noise)), 'zstd', opening);
  await assert.rejects(read('b', 5), { code: 'intake_full' });
  await read('c', 5);
  first.dispose();
  await read('b', 5);
  // A large one of a sender takes nothing of his share of small ones.
  bodies.take(2 * MIB, 'c')[Symbol.dispose]();
  all.dispose();
  assert.equal(bodies.bytesHeld, 8 * MIB);
});
