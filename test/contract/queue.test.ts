// What every queue does, said once and run against both. Kafka takes part where test/backends has one.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { encodeBatches, type QueueRecord } from '#shared/record/record.ts';
import { recordBytes } from '#shared/queue/headers.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import type { DeadLetter, FetchedRecord, Queue, QueueConsumer, ReadOptions } from '#shared/queue/queue.ts';
import { kafka } from '#test/backends/kafka.ts';
import { embeddedPlace, kafkaPlace, type QueuePlace } from './queue-places.ts';
import { RecordingHandler } from './recording-handler.ts';

const found = await kafka();

describe('embedded queue', () => contract(embeddedPlace));
describe('kafka queue', { skip: found === null ? 'no Kafka to be had' : false, concurrency: 4 }, () =>
  contract(() => kafkaPlace(found?.brokers ?? [])),
);

function contract(makePlace: () => Promise<QueuePlace>): void {
  const test = (name: string, body: (place: QueuePlace, queue: Queue, group: string) => Promise<void>): void => {
    it(name, async () => {
      await using place = await makePlace();
      await body(place, await place.open(), place.group);
    });
  };

  test('is ready when it is open, and tells its limits', async (_place, queue) => {
    await queue.opened();
    assert.equal(queue.unreadyReason, null);
    assert(queue.partitions >= 1);
    assert(queue.appendBytesMax > 500_000);
  });

  test('hands over the records of a partition in the order of the appends, with offsets without gaps', async (_place, queue, group) => {
    const handler = new RecordingHandler();
    const texts = numbered(200);
    for (let i = 0; i < texts.length; i += 20) await queue.append(0, texts.slice(i, i + 20).map(record));
    await using _consumer = await consume(queue, handler, group);
    await handler.until(() => handler.texts().length === texts.length);
    assert.deepEqual(handler.texts(), texts);
    const offsets = handler.records.filter(({ partition }) => partition === 0).map(({ offset }) => offset);
    assert.deepEqual(offsets, numbers(texts.length));
    assert.equal(handler.batches.findLast(({ partition }) => partition === 0)?.endOffset, texts.length);
  });

  test('keeps headers and values byte for byte', async (_place, queue) => {
    const sent: QueueRecord[] = [
      { encoding: 'identity', batches: new Uint8Array(), value: new Uint8Array() },
      { encoding: 'gzip', batches: allBytes(), value: allBytes() },
      { encoding: 'zstd', batches: Buffer.from('é\0\n'), value: Buffer.alloc(300_000, 0xc1) },
    ];
    await queue.append(0, sent);
    const got = await readAll(queue, { topic: 'logs' });
    assert.equal(got.length, sent.length);
    for (const [i, { encoding, batches, value }] of sent.entries()) {
      assert.deepEqual(plainHeaders(got[i]), { v: hex('2'), encoding: hex(encoding), batches: hex(batches) });
      assert.equal(hex(got[i]?.value ?? ''), hex(value));
    }
  });

  test('hands on headers that it does not know', async (place, queue) => {
    await place.appendForeign(
      { v: Buffer.from('9'), 'x-ünknown': allBytes(), empty: new Uint8Array() },
      Buffer.from('foreign'),
    );
    const [got] = await readAll(queue, { topic: 'logs' });
    assert.deepEqual(plainHeaders(got), { v: hex('9'), 'x-ünknown': hex(allBytes()), empty: '' });
    assert.equal(Buffer.from(got?.value ?? []).toString(), 'foreign');
  });

  test('takes an append that is as large as it says, and refuses a larger one', async (_place, queue) => {
    const overhead = recordBytes(record(''));
    const largest = { ...record(''), value: Buffer.alloc(queue.appendBytesMax - overhead, 7) };
    await queue.append(0, [largest]);
    const tooLarge = { ...largest, value: Buffer.alloc(queue.appendBytesMax - overhead + 1) };
    await assert.rejects(queue.append(0, [tooLarge]), { code: 'queue_refused' });
    const got = await readAll(queue, { topic: 'logs' });
    assert.deepEqual(
      got.map(({ value }) => value.length),
      [largest.value.length],
    );
  });

  test('has after a reopening what was appended before', async (place, queue) => {
    await queue.append(0, [record('before')]);
    await queue[Symbol.asyncDispose]();
    await assert.rejects(queue.append(0, [record('closed')]), { code: 'shutting_down' });
    const again = await place.open();
    await again.append(0, [record('after')]);
    assert.deepEqual(await readTexts(again), ['before', 'after']);
  });

  test('begins at the first record where nothing was committed, and after a commit goes on from there', async (place, queue, group) => {
    await queue.append(0, numbered(10).map(record));
    const first = new RecordingHandler();
    const consumer = await consume(queue, first, group);
    await first.until(() => first.texts().length === 10);
    const { tries: _, ...began } = startOf(first, 0) ?? {};
    assert.deepEqual(began, { partition: 0, next: 0, end: 10 });
    await consumer.commit(first.assignment, new Map([[0, 4]]));
    await queue[Symbol.asyncDispose]();

    const again = await place.open();
    const second = new RecordingHandler();
    await using _consumer = await consume(again, second, group);
    await second.until(() => second.texts().length === 6);
    assert.deepEqual(second.texts(), numbered(10).slice(4));
    assert.deepEqual(startOf(second, 0), { partition: 0, next: 4, end: 10, tries: 1 });
  });

  test('counts how many times somebody began at an offset without getting on', async (place, queue, group) => {
    await queue.append(0, numbered(3).map(record));
    let open = queue;
    const tries: (number | undefined)[] = [];
    for (const commit of [1, null, null, 2, null, 3, null]) {
      const handler = new RecordingHandler();
      const consumer = await consume(open, handler, group);
      await handler.until(() => handler.assignments.length > 0);
      tries.push(startOf(handler, 0)?.tries);
      if (commit !== null) {
        await handler.until(() => handler.texts().at(-1) === 'record 2');
        await consumer.commit(handler.assignment, new Map([[0, commit]]));
      }
      await open[Symbol.asyncDispose]();
      open = await place.open();
    }
    await open[Symbol.asyncDispose]();
    assert.deepEqual(tries.slice(1), [1, 2, 3, 1, 2, undefined]);
  });

  test('wakes a waiting consumer when something is appended', async (_place, queue, group) => {
    const handler = new RecordingHandler();
    await using _consumer = await consume(queue, handler, group);
    await handler.until(() => handler.assignments.length > 0);
    for (const text of ['one', 'two', 'three']) {
      await queue.append(0, [record(text)]);
      await handler.until(() => handler.texts().includes(text));
    }
    assert.deepEqual(handler.texts(), ['one', 'two', 'three']);
  });

  test('fetches no more of a paused partition until it is resumed', async (_place, queue, group) => {
    const handler = new RecordingHandler();
    await using consumer = await consume(queue, handler, group);
    await queue.append(0, [record('first')]);
    await handler.until(() => handler.texts().length === 1);
    consumer.pause([0]);
    // A fetch that was under way may still bring one.
    await queue.append(0, [record('second')]);
    await pause(600);
    const seen = handler.texts().length;
    await queue.append(0, numbered(5).map(record));
    await pause(600);
    assert.equal(handler.texts().length, seen);
    consumer.resume([0]);
    await handler.until(() => handler.texts().length === 7);
    assert.deepEqual(handler.texts(), ['first', 'second', ...numbered(5)]);
  });

  test('hands over again what was not taken, when its partition is resumed', async (_place, queue, group) => {
    const texts = numbered(6);
    await queue.append(0, texts.map(record));
    const handler = new RecordingHandler();
    const take = RecordingHandler.prototype.fetched;
    // One record at a time, after as many refusals.
    let refusals = 0;
    handler.fetched = (batch) => {
      consumer.pause([batch.partition]);
      setTimeout(() => consumer.resume([batch.partition]), 20);
      const [first] = batch.records;
      if (first === undefined || refusals++ % 2 === 0) return first?.offset ?? 0;
      take.call(handler, { ...batch, records: [first] });
      return first.offset + 1;
    };
    await using consumer = await consume(queue, handler, group);
    await handler.until(() => handler.texts().length === texts.length);
    assert.deepEqual(handler.texts(), texts);
    assert.deepEqual(
      handler.records.map(({ offset }) => offset),
      numbers(texts.length),
    );
  });

  test('refuses commits under any number but the present one', async (_place, queue, group) => {
    await queue.append(0, numbered(3).map(record));
    const handler = new RecordingHandler();
    const consumer = await consume(queue, handler, group);
    await handler.until(() => handler.texts().length === 3);
    for (const wrong of [handler.assignment - 1, handler.assignment + 1]) {
      await assert.rejects(consumer.commit(wrong, new Map([[0, 3]])), { code: 'assignment_lost' });
    }
    await consumer[Symbol.asyncDispose]();
    await assert.rejects(consumer.commit(handler.assignment, new Map([[0, 3]])), { code: 'assignment_lost' });
    const again = new RecordingHandler();
    await using _consumer = await consume(queue, again, group);
    await again.until(() => again.texts().length === 3);
    assert.equal(startOf(again, 0)?.next, 0);
  });

  test('lets groups read independently', async (_place, queue, group) => {
    await queue.append(0, numbered(3).map(record));
    const [one, two] = [new RecordingHandler(), new RecordingHandler()];
    await using first = await consume(queue, one, group);
    await one.until(() => one.texts().length === 3);
    await first.commit(one.assignment, new Map([[0, 3]]));
    await using _second = await consume(queue, two, `${group}-2`);
    await two.until(() => two.texts().length === 3);
    assert.deepEqual(two.texts(), numbered(3));
  });

  test('serves many appends at once, each partition in its order', async (_place, queue) => {
    const texts = numbered(300);
    await Promise.all(
      numbers(queue.partitions).map(async (partition) => {
        for (const text of texts) await queue.append(partition, [record(`${partition}:${text}`)]);
      }),
    );
    const got = await readAll(queue, { topic: 'logs' });
    assert.equal(got.length, texts.length * queue.partitions);
    for (const partition of numbers(queue.partitions)) {
      const mine = got.filter((each) => each.partition === partition).map(({ value }) => Buffer.from(value).toString());
      assert.deepEqual(
        mine,
        texts.map((text) => `${partition}:${text}`),
      );
    }
  });

  test('keeps dead letters apart, with all that is known of them', async (_place, queue) => {
    const batches = encodeBatches([
      {
        id: Buffer.alloc(16, 1),
        first: 0,
        count: 3,
        tag: 'a',
        input: 'forward',
        tenant: null,
        receivedMs: 1,
        seq: 2,
        sender: 's',
        version: 2,
        chain: null,
      },
    ]);
    const event: DeadLetter = {
      batches,
      index: 2,
      reason: 'mapping',
      error: 'it said “no”',
      from: 'sluice.logs/0/7',
      value: allBytes(),
      cut: false,
    };
    const chunk: DeadLetter = {
      batches: new Uint8Array(),
      reason: 'malformed',
      error: '',
      from: 'edge',
      value: Buffer.from('raw'),
      cut: true,
    };
    await queue.appendDeadLetters([event]);
    await queue.appendDeadLetters([chunk]);
    await queue.append(0, [record('a log')]);
    const deadLetters = await readAll(queue, { topic: 'dead-letters' });
    const byFrom = new Map(
      deadLetters.map((deadLetter) => [Buffer.from(deadLetter.headers['from'] ?? []).toString(), deadLetter]),
    );
    assert.deepEqual(plainHeaders(byFrom.get(event.from)), {
      v: hex('2'),
      batches: hex(batches),
      index: hex('2'),
      reason: hex('mapping'),
      error: hex(event.error),
      from: hex(event.from),
    });
    assert.equal(hex(byFrom.get(event.from)?.value ?? ''), hex(allBytes()));
    assert.deepEqual(plainHeaders(byFrom.get('edge')), {
      v: hex('2'),
      batches: '',
      reason: hex('malformed'),
      error: '',
      from: hex('edge'),
      cut: hex('1'),
    });
    assert.deepEqual(await readTexts(queue), ['a log']);
  });

  test('takes a dead letter of several times its limit in parts, whole, with others beside it', async (_place, queue) => {
    const value = randomBytes(Math.floor(queue.appendBytesMax * 2.5));
    const about = { batches: new Uint8Array(), reason: 'malformed', error: 'no', cut: false };
    const large: DeadLetter = { ...about, from: 'large', value };
    const small: DeadLetter = { ...about, from: 'small', value: Buffer.from('raw') };
    await Promise.all([
      queue.appendDeadLetters([small, large, small]),
      queue.appendDeadLetters([large]),
      queue.appendDeadLetters([small]),
    ]);
    const { signal } = new AbortController();
    const survey = await surveyDeadLetters(queue, undefined, signal);
    const deadLetters = await Array.fromAsync(readDeadLetters(queue, {}, { survey, signal }));
    assert.deepEqual(deadLetters.map(({ from }) => from).toSorted(), ['large', 'large', 'small', 'small', 'small']);
    for (const deadLetter of deadLetters) {
      assert.deepEqual([deadLetter.cut, deadLetter.missingBytes], [false, 0]);
      if (deadLetter.from === 'large') assert(Buffer.from(deadLetter.value).equals(value));
    }
    // Whoever knows nothing of parts sees that it has not all.
    for (const { headers } of await readAll(queue, { topic: 'dead-letters' }))
      assert.equal(headers['cut'] !== undefined, Buffer.from(headers['from'] ?? []).toString() === 'large');
  });

  test('reads between two times, without disturbing who consumes', async (_place, queue, group) => {
    assert.deepEqual(await readTexts(queue), []);
    for (const text of ['a', 'b', 'c', 'd']) {
      await queue.append(0, [record(text)]);
      await pause(5);
    }
    const all = await readAll(queue, { topic: 'logs' });
    const times = all.map(({ timestampMs }) => timestampMs);
    assert.deepEqual(await readTexts(queue, { fromMs: times[1] ?? 0, toMs: times[3] ?? 0 }), ['b', 'c']);
    assert.deepEqual(await readTexts(queue, { fromMs: (times[3] ?? 0) + 60_000 }), []);
    const handler = new RecordingHandler();
    await using _consumer = await consume(queue, handler, group);
    await handler.until(() => handler.texts().length === 4);
    assert.equal(startOf(handler, 0)?.next, 0);
  });

  test('stops to read when it is told to', async (_place, queue) => {
    await queue.append(0, numbered(10).map(record));
    const stopping = new AbortController();
    const read = queue.read({ topic: 'logs', signal: stopping.signal });
    stopping.abort();
    await assert.rejects(async () => {
      for await (const _record of read);
    });
    for await (const first of queue.read({ topic: 'logs' })) {
      assert.equal(first.offset, 0);
      break;
    }
  });
}

function consume(queue: Queue, handler: RecordingHandler, group: string): Promise<QueueConsumer> {
  return queue.consume(handler, { group, fetchBytesMax: 256 * 1024 });
}

async function readAll(queue: Queue, options: ReadOptions): Promise<FetchedRecord[]> {
  return await Array.fromAsync(queue.read(options));
}

async function readTexts(queue: Queue, between: { fromMs?: number; toMs?: number } = {}): Promise<string[]> {
  const records = await readAll(queue, { topic: 'logs', ...between });
  return records.map(({ value }) => Buffer.from(value).toString());
}

function record(text: string): QueueRecord {
  return { encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) };
}

function startOf(handler: RecordingHandler, partition: number) {
  return handler.assignments.at(-1)?.starts.find((start) => start.partition === partition);
}

function plainHeaders(record: FetchedRecord | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(record?.headers ?? {}).map(([name, value]) => [name, hex(value)]));
}

const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('hex');
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const numbered = (count: number): string[] => numbers(count).map((i) => `record ${i}`);
const allBytes = (): Uint8Array => Uint8Array.from(numbers(256));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
