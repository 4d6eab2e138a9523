// Of dialects whose events share what is said once, small bodies become many times their size. What they make together
// is bounded, and what makes too much goes the way of a large body.

import assert from 'node:assert/strict';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { Converter } from '#forwarder/accept/convert/converter.ts';
import { convertWithin } from '#forwarder/accept/convert/bounded-conversion.ts';

const MIB = 1024 * 1024;
const BYTES_MAX = 64 * MIB;
const time = { seconds: 1, nanoseconds: 0 };
const options = { time, bytesMax: BYTES_MAX };

/** OTLP in JSON: so many records under a resource whose attribute has so many bytes. */
function sharing(records: number, attributeBytes: number): Buffer {
  const attribute = `{"key":"a","value":{"stringValue":"${'x'.repeat(attributeBytes)}"}}`;
  const list = Array<string>(records).fill('{"flags":100000}').join(',');
  return Buffer.from(
    `{"resourceLogs":[{"resource":{"attributes":[${attribute}]},"scopeLogs":[{"logRecords":[${list}]}]}]}`,
  );
}

class World implements AsyncDisposable {
  readonly budget = new ByteBudget(32 * MIB);
  readonly held = new DisposableStack();
  /** Bytes that were asked for as a large body's. */
  readonly large: number[] = [];
  /** Its turn of the event loop. */
  begin: () => Promise<void> = () => Promise.resolve();
  readonly converter = new Converter({ clock: systemClock, threaded: false });

  async made(body: Buffer, held = this.held): Promise<{ kind: string; count?: number }> {
    return convertWithin('otlpJson', body, options, {
      bodies: { acquireShared: (bytes) => this.budget.acquire(bytes) },
      converter: this.converter,
      request: new IncomingMessage(new Socket()),
      sender: 'one',
      begin: () => this.begin(),
      held,
      large: () => ({ take: (bytes) => (this.large.push(bytes), Promise.resolve()) }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.held.dispose();
    await this.converter[Symbol.asyncDispose]();
  }
}

test('an ordinary body has the memory of what it makes, until it is stored', async () => {
  await using world = new World();
  const converted = await world.made(sharing(512, 2000));
  assert.deepEqual([converted.kind, converted.count], ['records', 512]);
  assert(world.budget.bytesHeld >= 512 * 2000 && world.budget.bytesHeld < 4 * MIB, String(world.budget.bytesHeld));
  assert.deepEqual(world.large, []);
  world.held.dispose();
  assert.equal(world.budget.bytesHeld, 0);
});

test('one that makes more does it in the turn of a large body, and has nothing of the others', async () => {
  await using world = new World();
  const converted = await world.made(sharing(600, 10_000));
  assert.deepEqual([converted.kind, converted.count], ['records', 600]);
  assert.deepEqual(world.large, [2 * BYTES_MAX]);
  assert.equal(world.budget.bytesHeld, 0);
});

test('a large body makes no more than it has memory for', async () => {
  await using world = new World();
  const body = sharing(100_000, 300);
  assert(body.length > 1.5 * MIB && body.length < 2 * MIB, String(body.length));
  const limits: number[] = [];
  const convert = world.converter.convert.bind(world.converter);
  world.converter.convert = (name, given, limited, bytes) => {
    // What is made is there beside the body.
    limits.push((limited as typeof options).bytesMax + body.length - (world.large.at(-1) ?? 0));
    return convert(name, given, limited, bytes);
  };
  const converted = await world.made(body);
  assert.deepEqual([converted.kind, converted.count], ['records', 100_000]);
  assert.deepEqual(limits, [0, body.length - BYTES_MAX]);
  assert.equal(world.large.at(-1), 2 * BYTES_MAX);
  // An ordinary one has what such bodies need, and is converted once.
  await world.made(sharing(100_000, 20));
  assert.equal(limits.length, 3);
  assert(world.large.at(-1)! < MIB + 4 * 2 * MIB);
});

test('of many at once no more is made than fits, and the others go on when that is stored', async () => {
  await using world = new World();
  const stored: DisposableStack[] = [];
  const all = Array.from({ length: 100 }, async () => {
    const held = new DisposableStack();
    await world.made(sharing(600, 1600), held);
    stored.push(held);
  });
  let most = 0;
  for (let done = 0; done < 100; done = stored.length) {
    await turn();
    if (stored.length > done) continue;
    // Nobody else goes on by himself.
    most = Math.max(most, world.budget.bytesHeld);
    assert(stored.length > 0);
    for (const held of stored) held.dispose();
  }
  await Promise.all(all);
  assert(most > 16 * MIB && most <= world.budget.bytesMax, String(most));
});

test('of many that go on at once when something is stored, each has its turn first', async () => {
  await using world = new World();
  const all = world.budget.take(world.budget.bytesMax);
  const asked: PromiseWithResolvers<void>[] = [];
  world.begin = () => {
    const turn = Promise.withResolvers<void>();
    asked.push(turn);
    return turn.promise;
  };
  let converted = 0;
  const going = Array.from({ length: 20 }, async () => {
    await world.made(sharing(10, 100));
    converted += 1;
  });
  await turn();
  assert.equal(asked.length, 0, 'a turn that it had while it waited would be of no use');
  all[Symbol.dispose]();
  await turn();
  assert.deepEqual([asked.length, converted], [20, 0]);
  for (const { resolve } of asked) resolve();
  await Promise.all(going);
});

test('a body that loses its turn keeps nothing', async () => {
  await using world = new World();
  world.begin = () => Promise.reject(new Error('gone'));
  await assert.rejects(world.made(sharing(10, 100)), /gone/);
  assert.equal(world.budget.bytesHeld, 0);
});
