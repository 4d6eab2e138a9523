// Large bodies of one sender that have come whole and wait for each other's turn to be opened.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BodyReader } from '#forwarder/accept/body/body-reader.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';

const MIB = 1024 * 1024;

test('the one that has the turn does not wait for the room that those behind it hold', async () => {
  const bodyBytesMax = 8 * MIB;
  const bodies = new BodyReader({
    intake: { hasRoom: true, room: () => Promise.resolve() },
    clock: systemClock,
    bodyBytesMax,
    heldBytesMax: 2 * bodyBytesMax,
    smallReserveBytes: MIB,
    large: new ByteBudget(2 * bodyBytesMax),
    waitMs: 1000,
    timeoutMs: 60_000,
  });
  const plain = randomBytes(3.25 * MIB);
  const sent = gzipSync(plain, { level: 1 });
  const sender = 'one';
  const come = async () => {
    const held = new DisposableStack();
    const request = new IncomingMessage(new Socket());
    const reading = bodies.read(request, { held, sender, sendContinue: () => undefined });
    await Promise.resolve();
    request.push(sent);
    // As the parser has it; else its socket would be destroyed with it.
    request.complete = true;
    request.push(null);
    return { held, request, body: await reading };
  };
  // Together they have more than a sender's share.
  const whole = await Promise.all([come(), come(), come(), come()]);
  assert.ok(bodies.bytesHeld > 0.75 * 2 * bodyBytesMax);
  const opened = whole.map(async ({ held, request, body }) => {
    using _held = held;
    const takeTurn = async () => void held.use(await bodies.largeTurn(sender, request));
    const { body: opened, large } = await bodies.decompress(body, 'gzip', { held, sender, request, takeTurn });
    using _large = large;
    return opened.equals(plain);
  });
  assert.deepEqual(await Promise.all(opened), [true, true, true, true]);
  assert.equal(bodies.bytesHeld, 0);
});
