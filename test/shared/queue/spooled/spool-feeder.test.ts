// How a spool is fed to the queue behind it: in order, past what is refused or stuck, also after a restart.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { recordBytes } from '#shared/queue/headers.ts';
import { type Batch, decodeBatches } from '#shared/record/record.ts';
import { numbersIn, recordOf } from './records.ts';
import { type Fate, refusedWith } from './unsteady-queue.ts';
import { AWAY, SILENT, NOW, spool } from './virtual-spool.ts';

describe('feeding', () => {
  it('dead-letters what the queue will never take, event by event, and goes on', async () => {
    const { clock, upstream, queue, observer } = await spool();
    upstream.fate = () => AWAY;
    for (let n = 0; n < 5; n++) await clock.until(queue.append(0, [recordOf('a', n, 2)]));
    const isPoison = (tag: Uint8Array): boolean =>
      Buffer.from(tag).includes(Buffer.from(recordOf('a', 2, 2).batches).subarray(-7));
    upstream.fate = (records) =>
      records.some(({ batches }) => isPoison(batches)) ? refusedWith('queue_refused') : NOW;
    await clock.when(() => !queue.isSpooling);
    assert.deepEqual(numbersIn(upstream.memory, 0, 'a'), [0, 1, 3, 4]);
    assert.deepEqual(
      upstream.memory.letters.map(({ reason, index, value }) => [reason, index, value.length]),
      [
        ['queue_refused', 0, 3],
        ['queue_refused', 1, 3],
      ],
    );
    assert.deepEqual(observer.events, { spooled: 10, found: 0, fed: 8, deadLettered: 2, dropped: 0 });
  });

  it('splits a record that is too large by now; only an event that does not fit alone is dead-lettered', async () => {
    const { clock, upstream, queue, observer } = await spool();
    upstream.fate = () => AWAY;
    // The fourth of five events is large.
    const { batches } = recordOf('a', 0, 5);
    const small = (i: number): Buffer =>
      Buffer.concat([Buffer.from([0x92, 0xc0, 0x81, 0xa1, 0x6e, 0xc5, 0x01, 0x00, i]), randomBytes(255)]);
    const large = Buffer.concat([Buffer.from([0x92, 0xc0, 0x81, 0xa1, 0x6e, 0xc5, 0x08, 0x00]), randomBytes(2048)]);
    const value = Buffer.concat([small(0), small(1), small(2), large, small(4)]);
    await clock.until(queue.append(0, [{ encoding: 'identity', batches, value }]));
    upstream.appendBytesMax = 1000;
    upstream.fate = (records) =>
      records.reduce((sum, record) => sum + recordBytes(record), 0) > 1000 ? refusedWith('queue_refused') : NOW;
    await clock.when(() => !queue.isSpooling);
    const held = upstream.memory.log(0).flatMap(({ headers }) => decodeBatches(headers['batches'] ?? batches) ?? []);
    const indices = held.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
    assert.deepEqual(indices, [0, 1, 2, 4]);
    const [{ id }] = decodeBatches(batches) as [Batch];
    assert(held.every((batch) => Buffer.compare(batch.id, id) === 0));
    assert.deepEqual(
      upstream.memory.letters.map(({ reason, index }) => [reason, index]),
      [['queue_refused', 3]],
    );
    assert.deepEqual(observer.events, { spooled: 5, found: 0, fed: 4, deadLettered: 1, dropped: 0 });
  });

  it('splits what is refused below the limit; only an event that is refused alone is dead-lettered', async () => {
    const { clock, upstream, queue, observer } = await spool();
    upstream.fate = () => AWAY;
    await clock.until(queue.append(0, [recordOf('a', 0, 40)]));
    const indices = ({ batches }: { batches: Uint8Array }): number[] =>
      (decodeBatches(batches) ?? []).flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
    upstream.fate = (records) =>
      records.some((record) => indices(record).length > 7 || indices(record).includes(11))
        ? refusedWith('queue_refused')
        : NOW;
    await clock.when(() => !queue.isSpooling);
    const held = upstream.memory
      .log(0)
      .flatMap(({ headers }) => indices({ batches: headers['batches'] ?? new Uint8Array() }));
    assert.deepEqual(
      held,
      Array.from({ length: 40 }, (_, i) => i).filter((i) => i !== 11),
    );
    assert.deepEqual(
      upstream.memory.letters.map(({ index }) => index),
      [11],
    );
    assert.deepEqual(observer.events, { spooled: 40, found: 0, fed: 39, deadLettered: 1, dropped: 0 });
  });

  it('sends the rest of what is refused once, however long the dead letters take nothing', async () => {
    const { clock, upstream, queue, observer } = await spool();
    upstream.fate = () => AWAY;
    await clock.until(queue.append(0, [recordOf('a', 0, 8)]));
    const indices = ({ batches }: { batches: Uint8Array }): number[] =>
      (decodeBatches(batches) ?? []).flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
    let takesLetters = false;
    upstream.fate = (records, partition) => {
      if (partition < 0) return takesLetters ? NOW : AWAY;
      return records.some((record) => indices(record).includes(3)) ? refusedWith('queue_refused') : NOW;
    };
    const held = (): number[] =>
      upstream.memory.log(0).flatMap(({ headers }) => indices({ batches: headers['batches'] ?? new Uint8Array() }));
    await clock.advance(600_000);
    assert.deepEqual(held(), [0, 1, 2, 4, 5, 6, 7]);
    assert.equal(queue.events, 8);
    takesLetters = true;
    await clock.when(() => !queue.isSpooling);
    assert.deepEqual(held(), [0, 1, 2, 4, 5, 6, 7]);
    assert.deepEqual(
      upstream.memory.letters.map(({ index }) => index),
      [3],
    );
    assert.deepEqual(observer.events, { spooled: 8, found: 0, fed: 7, deadLettered: 1, dropped: 0 });
  });

  it('goes on after a restart, counts what it found, and lets nothing overtake it', async () => {
    const { clock, upstream, local, queue } = await spool();
    upstream.fate = () => AWAY;
    for (let n = 0; n < 3; n++) await clock.until(queue.append(1, [recordOf('a', n, 2)]));
    await clock.until(queue[Symbol.asyncDispose]());
    await local.cutOff();
    upstream.fate = () => ({ doneMs: 10, answerMs: 10, error: null });
    const again = await spool({ upstream, local, clock });
    assert.equal(await clock.until(again.queue.append(1, [recordOf('a', 3, 2)])), 'spool');
    await clock.when(() => !again.queue.isSpooling);
    assert.deepEqual(numbersIn(upstream.memory, 1, 'a'), [0, 1, 2, 3]);
    assert.deepEqual(again.observer.events, { spooled: 2, found: 6, fed: 8, deadLettered: 0, dropped: 0 });
  });

  it('reads on where its local queue loses it for a while', async () => {
    const { clock, upstream, local, queue } = await spool();
    upstream.fate = () => AWAY;
    for (let n = 0; n < 30; n++) await clock.until(queue.append(n % 2, [recordOf('a', n)]));
    local.memory.rebalance();
    local.memory.crash(new Error('gone'));
    upstream.fate = () => NOW;
    await clock.when(() => !queue.isSpooling);
    const numbers = [...numbersIn(upstream.memory, 0, 'a'), ...numbersIn(upstream.memory, 1, 'a')];
    assert.equal(numbers.length, 30, 'each once');
    await clock.when(() => local.memory.committed.get(0) === 30);
  });

  it('is not held up by a partition that takes nothing, and goes back for what was left of that', async () => {
    const { clock, upstream, local, queue } = await spool({ readAheadBytesMax: 2000 });
    upstream.fate = (_records, partition) => (partition === 0 ? AWAY : NOW);
    for (let n = 0; n < 1200; n++) await clock.until(queue.append(n % 4, [recordOf('a', n)]));
    await clock.when(() => [1, 2, 3].every((partition) => numbersIn(upstream.memory, partition, 'a').length === 300));
    assert.equal(queue.events, 300, 'what is stuck');
    assert.equal(local.memory.committed.get(0) ?? 0, 0);
    await clock.when(() => local.memory.log(0).length < 700, 10_000);
    upstream.fate = () => NOW;
    await clock.when(() => !queue.isSpooling);
    const numbers = numbersIn(upstream.memory, 0, 'a');
    assert.deepEqual(
      numbers,
      Array.from({ length: 300 }, (_, n) => n * 4),
      'in order, each once',
    );
  });

  it('goes on after a restart with what a stuck partition has left', async () => {
    const { clock, upstream, local, queue } = await spool({ readAheadBytesMax: 2000 });
    upstream.fate = (_records, partition) => (partition === 0 ? AWAY : NOW);
    for (let n = 0; n < 1200; n++) await clock.until(queue.append(n % 4, [recordOf('a', n)]));
    await clock.when(() => local.memory.log(0).length < 700);
    await clock.until(queue[Symbol.asyncDispose]());
    await upstream.cutOff();
    await local.cutOff();
    upstream.fate = () => NOW;
    const again = await spool({ clock, upstream, local, readAheadBytesMax: 2000 });
    await clock.when(() => !again.queue.isSpooling);
    assert.deepEqual(
      numbersIn(upstream.memory, 0, 'a'),
      Array.from({ length: 300 }, (_, n) => n * 4),
    );
    assert.equal(again.observer.held, 0);
  });

  it('ends under a load that never pauses', async () => {
    const { clock, upstream, local, queue, observer } = await spool();
    const quick: Fate = { doneMs: 5, answerMs: 5, error: null };
    local.fate = () => quick;
    upstream.fate = () => AWAY;
    const end = new AbortController();
    const sources = [0, 1, 2, 3].map(async (partition) => {
      for (let n = 0; !end.signal.aborted; n++) {
        await queue.append(partition, [recordOf('a', n)]);
        await clock.sleep(partition);
      }
      const numbers = numbersIn(upstream.memory, partition, 'a');
      assert.deepEqual(numbers, [...numbers.keys()], 'in order');
    });
    await clock.advance(10_000);
    upstream.fate = () => quick;
    await clock.when(() => observer.words.at(-1) === 'left', 30_000);
    upstream.fate = () => quick;
    await clock.advance(1000);
    assert.equal(queue.isSpooling, false, 'and stays away from it');
    end.abort();
    await clock.until(Promise.all(sources));
  });

  it('stops without waiting for a queue that does not answer', async () => {
    const { clock, upstream, queue } = await spool();
    upstream.fate = () => AWAY;
    await clock.until(queue.append(0, [recordOf('a', 0)]));
    upstream.fate = () => SILENT;
    await clock.advance(10_000);
    const beganMs = clock.monotonicMs();
    await clock.until(queue[Symbol.asyncDispose]());
    assert.ok(clock.monotonicMs() - beganMs <= 1000);
    await assert.rejects(queue.append(0, [recordOf('a', 1)]), { code: 'shutting_down' });
  });
});
