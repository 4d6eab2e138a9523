// Senders that come back without a pause, as Docker's driver does, are refused at a pace; while nothing can be held at
// all nobody is read.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, it } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { RefusalPace } from '#forwarder/accept/turns/refusal-pace.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { FakeIntake } from '../forward/fake-intake.ts';
import { forwardOptions } from '../forward/forward-options.ts';

const message = Buffer.from(encode(['tag', 1, { log: 'x' }, { chunk: 'abc' }]));

describe('pace of refusals', () => {
  it('grows with the refusals of a peer, to a limit, and is forgotten', async () => {
    const clock = new VirtualClock();
    const pace = new RefusalPace({ heldMax: 2048, clock, unreadyReason: () => null });
    const delays: number[] = [];
    const refused = async (peer: string): Promise<number> => {
      const sinceMs = clock.monotonicMs();
      await clock.until(pace.hold(peer));
      return clock.monotonicMs() - sinceMs;
    };
    for (let n = 0; n < 8; n++) delays.push(await refused('a'));
    assert.deepEqual(delays, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    assert.equal(await refused('b'), 200);
    await clock.advance(120_000);
    assert.equal(await refused('a'), 200);
  });

  it('takes connections that are refused together for one, and holds a bounded number', async () => {
    const clock = new VirtualClock();
    const pace = new RefusalPace({ heldMax: 2048, clock, unreadyReason: () => null });
    let closed = 0;
    for (let n = 0; n < 5000; n++) void pace.hold('a').then(() => closed++);
    await clock.settle();
    assert.equal(closed, 5000 - 2048, 'those beyond are closed at once');
    await clock.advance(200);
    assert.equal(closed, 5000);
  });
});

describe('a sender that comes back without a pause', () => {
  it('is closed a bounded number of times, and gets its ack as soon as its message can be held', async () => {
    const intake = new FakeIntake();
    intake.refusal = new SluiceError('queue_unavailable', 'Cannot hold it');
    const pace = new RefusalPace({ heldMax: 2048, clock: systemClock, unreadyReason: () => intake.unreadyReason });
    const server = await startForwardServer('127.0.0.1:0', forwardOptions(intake, {}, { pace }));
    const end = new AbortController();
    let tries = 0;
    let acks = 0;
    const sending = (async () => {
      while (!end.signal.aborted && acks === 0) {
        tries++;
        if (await isAcked(server.address)) acks++;
      }
    })();
    // As many refusals as there can be in the sum of the first delays; without a pace it would be thousands.
    await systemClock.sleep(1500);
    assert(tries >= 2 && tries <= 5, `${tries} tries in 1.5 s`);
    intake.refusal = null;
    await sending;
    end.abort();
    assert.equal(acks, 1);
    await server.close();
  });

  it('is not read while nothing can be held, and waits', async () => {
    const intake = new FakeIntake();
    intake.unreadyReason = 'the disk is full';
    const pace = new RefusalPace({ heldMax: 2048, clock: systemClock, unreadyReason: () => intake.unreadyReason });
    const server = await startForwardServer('127.0.0.1:0', forwardOptions(intake, {}, { pace }));
    let isOver = false;
    const acked = isAcked(server.address).finally(() => (isOver = true));
    await systemClock.sleep(500);
    assert.equal(isOver, false, 'neither acked nor closed');
    assert.equal(intake.chunks.length, 0);
    intake.unreadyReason = null;
    assert.equal(await acked, true);
    await server.close();
  });

  it('is not waited for when the server stops', async () => {
    const intake = new FakeIntake();
    intake.unreadyReason = 'the disk is full';
    const pace = new RefusalPace({ heldMax: 2048, clock: systemClock, unreadyReason: () => intake.unreadyReason });
    const server = await startForwardServer('127.0.0.1:0', forwardOptions(intake, {}, { pace }));
    const acked = isAcked(server.address);
    await systemClock.sleep(100);
    await server.close();
    assert.equal(await acked, false);
  });
});

/** Sends a message and waits for its ack, for ever, or until the connection is closed. */
async function isAcked(address: string): Promise<boolean> {
  const [host = '', port = ''] = address.split(':');
  const socket = connect({ host, port: Number(port) });
  socket.on('error', () => undefined);
  socket.write(message);
  const isHeld = await new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true));
    socket.once('close', () => resolve(false));
  });
  socket.destroy();
  return isHeld;
}
