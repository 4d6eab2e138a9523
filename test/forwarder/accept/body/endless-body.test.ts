// Uploads without an end, by a virtual clock: what counts as waiting for their sender, and what is held of them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { type Begun, EndlessBodies } from '#forwarder/accept/body/endless-body.ts';
import { SluiceError } from '#shared/errors.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { bodyReader, newRequest } from './body-readers.ts';

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i += 1) await new Promise(setImmediate);
};

function setUp() {
  const clock = new VirtualClock();
  let held = 0;
  const bodies = new EndlessBodies({
    clock,
    timeoutMs: 1000,
    waitMs: 100,
    begunBytesMax: 1000,
    take: (bytes) => {
      held += bytes;
      return { [Symbol.dispose]: () => void (held -= bytes) };
    },
    room: () => Promise.resolve(),
    tooBusy: () => new SluiceError('intake_full', 'full'),
  });
  return { clock, held: () => held, upload: (sender: string) => new Upload(bodies, sender) };
}

/** Each piece says what is begun after it. */
class Upload implements Begun {
  bytesHeld = 0;
  entries = 0;
  mayGoOn: () => Promise<void> = () => Promise.resolve();
  ended: string | null = null;
  readonly #request = newRequest();

  constructor(bodies: EndlessBodies, sender: string) {
    void this.#read(bodies, sender);
  }

  async push(bytesHeld: number, entries = this.entries): Promise<void> {
    this.#request.push(JSON.stringify([bytesHeld, entries]));
    await settled();
  }

  async end(): Promise<void> {
    this.#request.push(null);
    await settled();
  }

  async #read(bodies: EndlessBodies, sender: string): Promise<void> {
    const mayGoOn = (): Promise<void> => this.mayGoOn();
    try {
      for await (const piece of bodies.pieces(this.#request, {
        sender,
        begun: this,
        sendContinue: () => {},
        mayGoOn,
      })) {
        [this.bytesHeld, this.entries] = JSON.parse(piece.toString()) as [number, number];
      }
      this.ended = 'end';
    } catch (error) {
      this.ended = error instanceof SluiceError ? error.code : String(error);
    }
  }
}

async function pass(clock: VirtualClock, ms: number): Promise<void> {
  const endMs = clock.monotonicMs() + ms;
  clock.timer(ms, () => undefined);
  while (clock.monotonicMs() < endMs) await clock.step();
  await settled();
}

test('an entry has its time altogether, however many pieces come; the next one has its own', async () => {
  const { clock, upload, held } = setUp();
  const one = upload('a');
  await one.push(10);
  for (let n = 1; n <= 5; n += 1) {
    await pass(clock, 600);
    await one.push(10, n);
  }
  await pass(clock, 600);
  await one.push(20);
  assert.equal(one.ended, null);
  await pass(clock, 600);
  assert.equal(one.ended, 'request_timeout');
  assert.equal(held(), 0);
});

test('neither silence between entries nor our own waiting counts', async () => {
  const { clock, upload, held } = setUp();
  const one = upload('a');
  await one.push(0, 1);
  await pass(clock, 1e9);
  const room = Promise.withResolvers<void>();
  one.mayGoOn = () => room.promise;
  await one.push(10);
  assert.equal(held(), 10);
  await pass(clock, 1e9);
  room.resolve();
  await pass(clock, 900);
  await one.push(0, 2);
  await one.end();
  assert.equal(one.ended, 'end');
  assert.equal(held(), 0);
});

test('who has more than his share waits, and is refused when it takes too long; what he had is free', async () => {
  const { clock, upload, held } = setUp();
  const [first, second, other] = [upload('a'), upload('a'), upload('b')];
  await first.push(400);
  await second.push(200);
  await other.push(300);
  assert.equal(held(), 900);
  await pass(clock, 50);
  await first.push(0, 1);
  await pass(clock, 20);
  await second.push(10);
  await second.push(0, 1);
  await other.push(0, 1);
  assert.equal(held(), 0);
  await first.push(400);
  await second.push(200);
  await pass(clock, 200);
  assert.deepEqual([first.ended, second.ended, other.ended], [null, 'intake_full', null]);
  assert.equal(held(), 400);
});

test('an endless body whose end came while its last piece was taken has come whole', async () => {
  let isFull = false;
  const room = Promise.withResolvers<void>();
  const bodies = bodyReader({
    intake: {
      get hasRoom() {
        return !isFull;
      },
      room: () => room.promise,
    },
    clock: new VirtualClock(),
  });
  for (const fills of [false, true]) {
    const request = newRequest();
    request.complete = true;
    request.push('a piece');
    request.push(null);
    const begun = { bytesHeld: 0, entries: 0 };
    const mayGoOn = async (): Promise<void> => {
      // In the one case it ends before room is asked for, in the other while it is waited for.
      if (!fills) await once(request, 'close');
      else void once(request, 'close').then(() => ((isFull = false), room.resolve()));
      isFull = fills;
    };
    const pieces: string[] = [];
    for await (const piece of bodies.pieces(request, { sender: 'a', begun, sendContinue: () => {}, mayGoOn })) {
      pieces.push(String(piece));
    }
    assert.deepEqual(pieces, ['a piece']);
    assert(request.destroyed);
  }
});
