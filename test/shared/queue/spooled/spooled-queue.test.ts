// The switch-over between a queue and its spool, case by case, on queues in memory and a clock that the test drives.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { SluiceError } from '#shared/errors.ts';
import { recordBytes } from '#shared/queue/headers.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { type Batch, decodeBatches, encodeBatches } from '#shared/record/record.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { SpooledQueue, type SpooledQueueOptions } from '#shared/queue/spooled/spooled-queue.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { RecordingObserver } from './recording-observer.ts';
import { firstAppearances, numbersIn, recordOf } from './records.ts';
import { atOnce, type Fate, refusedWith, UnsteadyQueue } from './unsteady-queue.ts';

const AWAY = refusedWith('queue_unavailable');
/** Never done, and answered only when the producer gives up. */
const SILENT = refusedWith('queue_unavailable', 30_000);

describe('spool', () => {
  it('is not used while the queue answers', async () => {
    const { clock, upstream, local, queue, observer } = await spool();
    assert.equal(await clock.until(queue.append(1, [recordOf('a', 0)])), undefined);
    assert.deepEqual(numbersIn(upstream.memory, 1, 'a'), [0]);
    assert.equal(local.appends, 0);
    assert.deepEqual(observer.words, []);
  });

  it('takes what has no answer in time, and all that follows, until it is empty', async () => {
    const { clock, upstream, local, queue, observer } = await spool();
    upstream.fate = () => SILENT;
    const beganMs = clock.monotonicMs();
    assert.equal(await clock.until(queue.append(0, [recordOf('a', 0)])), 'spool');
    assert.equal(clock.monotonicMs() - beganMs, 3000);
    assert.equal(await clock.until(queue.append(1, [recordOf('b', 0, 5)])), 'spool');
    assert.equal(clock.monotonicMs() - beganMs, 3000, 'at once');
    assert.deepEqual([queue.events, queue.unreadyReason], [6, null]);
    upstream.fate = () => ({ doneMs: 0, answerMs: 0, error: null });
    await clock.when(() => !queue.isSpooling);
    assert.deepEqual([numbersIn(upstream.memory, 0, 'a'), numbersIn(upstream.memory, 1, 'b')], [[0], [0]]);
    assert.deepEqual(
      observer.words.filter((word) => word !== 'stuck'),
      ['entered', 'left'],
    );
    assert.equal(await clock.until(queue.append(0, [recordOf('a', 1)])), undefined);
    await clock.when(() => local.memory.committed.get(0) === 2);
    assert.deepEqual(observer.events, { spooled: 6, found: 0, fed: 6, deadLettered: 0, dropped: 0 });
  });

  it('keeps identity and sequence, and the order of first appearances when a late answer comes as well', async () => {
    const { clock, upstream, queue } = await spool();
    const records = [recordOf('a', 0), recordOf('a', 1), recordOf('a', 2)];
    const fates: Fate[] = [{ doneMs: 10_000, answerMs: 10_000, error: null }, AWAY];
    upstream.fate = () => fates.shift() ?? { doneMs: 5, answerMs: 5, error: null };
    for (const record of records) assert.equal(await clock.until(queue.append(2, [record])), 'spool');
    await clock.when(() => !queue.isSpooling);
    assert.ok(clock.monotonicMs() >= 10_000, 'the spool is left when the late answer is there');
    const numbers = numbersIn(upstream.memory, 2, 'a');
    assert.deepEqual(firstAppearances(numbers), [0, 1, 2]);
    assert.equal(numbers.length, 4);
    const kept = upstream.memory.log(2).map(({ headers }) => Buffer.from(headers['batches'] ?? []).toString('hex'));
    assert.deepEqual(new Set(kept), new Set(records.map(({ batches }) => Buffer.from(batches).toString('hex'))));
  });

  it('takes events at once while the queue is known to be away, or was never reached', async () => {
    const clock = new VirtualClock();
    const upstream = new UnsteadyQueue(clock, 4);
    upstream.isReached = false;
    upstream.unreadyReason = 'no broker can be reached';
    upstream.appendBytesMax = 0;
    const remembered = { partitions: 8, appendBytesMax: 5000 };
    const { queue } = await spool({ clock, upstream, remembered });
    assert.deepEqual([queue.partitions, queue.appendBytesMax, queue.unreadyReason], [8, 5000, null]);
    assert.equal(await clock.until(queue.append(7, [recordOf('a', 0)])), 'spool');
    assert.equal(clock.monotonicMs(), 0);
    upstream.isReached = true;
    upstream.unreadyReason = null;
    upstream.appendBytesMax = 1000;
    await clock.when(() => !queue.isSpooling);
    // Of the four partitions that there are.
    assert.deepEqual(numbersIn(upstream.memory, 3, 'a'), [0]);
    assert.equal(await clock.until(queue.append(7, [recordOf('a', 1)])), undefined);
    assert.deepEqual(numbersIn(upstream.memory, 3, 'a'), [0, 1]);
    assert.deepEqual([queue.partitions, queue.appendBytesMax], [4, 1000]);
  });

  it('takes what an operator must mend first, but not what the queue will never take', async () => {
    const { clock, upstream, queue } = await spool();
    upstream.fate = () => refusedWith('queue_refused');
    await assert.rejects(queue.append(0, [recordOf('a', 0)]), { code: 'queue_refused' });
    upstream.fate = () => refusedWith('queue_unauthorized');
    assert.equal(await clock.until(queue.append(0, [recordOf('a', 1)])), 'spool');
    await clock.advance(60_000);
    assert.equal(queue.events, 1);
    upstream.fate = () => refusedWith('topic_missing');
    await clock.advance(60_000);
    assert.equal(queue.events, 1);
  });

  it('holds a dead letter that is larger than it takes at once, and feeds it whole', async () => {
    const { clock, upstream, local, queue } = await spool();
    local.appendBytesMax = 100_000;
    const value = randomBytes(2_500_000);
    const large: DeadLetter = { batches: encodeBatches([]), reason: 'r', error: '', from: 'edge', value, cut: false };
    upstream.fate = () => AWAY;
    await clock.until(queue.appendDeadLetters([large]));
    assert(local.appends >= 25, `${local.appends} appends`);
    assert.equal(upstream.memory.letters.length, 0);
    // What fails in the middle comes again, and the topic takes less than it did.
    let tries = 0;
    upstream.appendBytesMax = 40_000;
    upstream.fate = () => (tries++ % 5 === 3 ? { doneMs: 0, answerMs: 10, error: AWAY.error } : atOnce);
    await clock.when(() => !queue.isSpooling);
    const { signal } = new AbortController();
    const survey = await surveyDeadLetters(upstream.memory, undefined, signal);
    const deadLetters = await Array.fromAsync(readDeadLetters(upstream.memory, {}, { survey, signal }));
    assert.deepEqual(
      deadLetters.map(({ missingBytes }) => missingBytes),
      [0],
    );
    assert(Buffer.from(deadLetters[0]?.value ?? []).equals(value));
  });

  it('leads dead letters the same way', async () => {
    const { clock, upstream, queue } = await spool();
    const deadLetter = (index: number): DeadLetter => ({
      batches: encodeBatches([]),
      reason: 'entry_too_large',
      error: 'ä',
      from: 'edge',
      value: Buffer.from(`value ${index}`),
      cut: index === 1,
      index,
    });
    upstream.fate = () => AWAY;
    await clock.until(queue.appendDeadLetters([deadLetter(0), deadLetter(1)]));
    const { index: _, ...whole } = deadLetter(2);
    await clock.until(queue.appendDeadLetters([whole]));
    assert.deepEqual(upstream.memory.letters, []);
    upstream.fate = () => ({ doneMs: 0, answerMs: 0, error: null });
    await clock.when(() => !queue.isSpooling);
    assert.deepEqual(upstream.memory.letters, [deadLetter(0), deadLetter(1), whole]);
  });
});

describe('dead letters in the spool', () => {
  const deadLetterOf = (sender: string): DeadLetter => ({
    batches: encodeBatches([{ ...decodeBatches(recordOf('a', 0).batches)![0]!, sender }]),
    reason: 'chunk_undecodable',
    error: '',
    from: 'edge',
    value: Buffer.alloc(100_000),
    cut: false,
  });

  it('have a share of it only, so that one sender of them cannot fill it for all others', async () => {
    const bytesMax = 16 * 1024 * 1024;
    const { clock, upstream, queue } = await spool({ bytesMax });
    upstream.fate = () => AWAY;
    const refused: string[] = [];
    queue.deadLetterSpace?.watch((reason) => refused.push(reason));
    const fill = async (sender: string): Promise<number> => {
      for (let held = 0; ; held += 100_000) {
        const append = clock.until(queue.appendDeadLetters([deadLetterOf(sender)]));
        if (
          (await append.then(
            () => 'held',
            (error: SluiceError) => error.code,
          )) === 'dead_letters_full'
        )
          return held;
      }
    };
    assert.equal(await fill('10.0.0.1'), 900_000, 'a sixteenth of the spool, in pages');
    assert.equal(await clock.until(queue.append(0, [recordOf('a', 1)])), 'spool');
    assert.equal(await fill('10.0.0.2'), 500_000, 'as much as it leaves free of what is left');
    assert.equal(await fill('10.0.0.3'), 200_000);
    assert.deepEqual(refused, ['sender_share', 'sender_share', 'sender_share']);
    upstream.fate = () => atOnce;
    await clock.when(() => !queue.isSpooling);
    assert.equal(upstream.memory.letters.length, 16, 'what was held is not lost');
    upstream.fate = () => AWAY;
    assert.equal(await fill('10.0.0.1'), 900_000, 'an empty spool begins anew');
  });
});

describe('spool that cannot be used', () => {
  it('pushes back when it is full, says so, and takes more when there is room', async () => {
    const { clock, upstream, local, queue } = await spool();
    upstream.fate = () => AWAY;
    await clock.until(queue.append(0, [recordOf('a', 0)]));
    local.fate = () => refusedWith('queue_full');
    await assert.rejects(queue.append(0, [recordOf('a', 1)]), { code: 'queue_full' });
    assert.match(queue.unreadyReason ?? '', /the test says so/);
    local.fate = () => ({ doneMs: 0, answerMs: 0, error: null });
    assert.equal(await clock.until(queue.append(0, [recordOf('a', 1)])), 'spool');
    assert.equal(queue.unreadyReason, null);
  });

  it('is no worse than none: the queue has its own time', async () => {
    const { clock, upstream, local, queue, observer } = await spool();
    local.fate = () => refusedWith('queue_unavailable');
    upstream.fate = () => ({ doneMs: 20_000, answerMs: 20_000, error: null });
    const slow = queue.append(0, [recordOf('a', 0)]);
    await clock.advance(5000);
    assert.equal(queue.isSpooling, false);
    upstream.fate = () => ({ doneMs: 10, answerMs: 10, error: null });
    assert.equal(await clock.until(queue.append(1, [recordOf('b', 0)])), undefined);
    assert.equal(await clock.until(slow), undefined);
    assert.ok(observer.words.length > 0);
    assert.ok(
      observer.words.every((word) => word.startsWith('failing')),
      'it was not entered, since it has never held anything',
    );
    upstream.fate = () => AWAY;
    await assert.rejects(clock.until(queue.append(0, [recordOf('a', 1)])), { code: 'queue_unavailable' });
  });

  it('lets nothing overtake what is in it when it cannot be written any more', async () => {
    const { clock, upstream, local, queue } = await spool();
    upstream.fate = () => AWAY;
    await clock.until(queue.append(0, [recordOf('a', 0)]));
    local.fate = () => refusedWith('queue_unavailable');
    await assert.rejects(queue.append(0, [recordOf('a', 1)]), { code: 'queue_unavailable' });
    upstream.fate = () => ({ doneMs: 0, answerMs: 0, error: null });
    await clock.when(() => !queue.isSpooling);
    assert.equal(await clock.until(queue.append(0, [recordOf('a', 1)])), undefined);
    assert.deepEqual(numbersIn(upstream.memory, 0, 'a'), [0, 1]);
    assert.equal(queue.unreadyReason, null);
  });

  it('gives up its oldest events where that was chosen, and counts each once', async () => {
    const { clock, upstream, local, queue, observer } = await spool({ full: 'drop-oldest' });
    let room = 10;
    local.fate = () =>
      local.memory.end(0) - (local.memory.committed.get(0) ?? 0) < room ? NOW : refusedWith('queue_full');
    upstream.fate = () => SILENT;
    for (let n = 0; n < 10; n++) assert.equal(await clock.until(queue.append(n % 4, [recordOf('a', n, 3)])), 'spool');
    await clock.advance(100);
    // The queue has some of them in flight, and takes them after they were given up.
    upstream.fate = () => NOW;
    assert.equal(await clock.until(queue.append(0, [recordOf('a', 10, 3)])), 'spool');
    room = 100;
    await clock.when(() => !queue.isSpooling);
    assert.equal(observer.events.spooled, 33);
    assert.equal(observer.events.fed + observer.events.dropped, 33);
    assert.ok(observer.events.dropped > 0);
    assert.deepEqual([...observer.dropReasons], ['spool_full']);
    assert.equal(queue.events, 0);
    const delivered = [0, 1, 2, 3].flatMap((partition) => numbersIn(upstream.memory, partition, 'a'));
    assert.equal(delivered.length * 3, observer.events.fed);
  });
});

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

  it('splits a record that is larger than the queue takes by now; only an event that does not fit alone is dead-lettered', async () => {
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

  it('splits what is refused below the limit that the queue tells; only an event that is refused alone is dead-lettered', async () => {
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

const NOW: Fate = { doneMs: 0, answerMs: 0, error: null };

async function spool({
  clock = new VirtualClock(),
  upstream = new UnsteadyQueue(clock, 4),
  local = new UnsteadyQueue(clock, 1),
  ...more
}: Partial<Omit<SpooledQueueOptions, 'upstream' | 'local' | 'clock'>> & {
  clock?: VirtualClock;
  upstream?: UnsteadyQueue;
  local?: UnsteadyQueue;
} = {}) {
  const observer = new RecordingObserver();
  const queue = new SpooledQueue({
    upstream: upstream.connect(),
    local: local.connect(),
    clock,
    random: () => 0.5,
    observer,
    ...more,
  });
  await clock.until(queue.opened());
  return { clock, upstream, local, queue, observer };
}
