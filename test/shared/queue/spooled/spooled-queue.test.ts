// The switch-over between a queue and its spool, case by case, on queues in memory and a clock that the test drives.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { SluiceError } from '#shared/errors.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import { decodeBatches, encodeBatches } from '#shared/record/record.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { firstAppearances, numbersIn, recordOf } from './records.ts';
import { atOnce, type Fate, refusedWith, UnsteadyQueue } from './unsteady-queue.ts';
import { AWAY, SILENT, NOW, spool } from './virtual-spool.ts';

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
