// The queues of which the contract is said, each time in a place of its own, and the words of its tests. Kafka takes
// part where test/backends has one.

import { it } from 'node:test';
import type { QueueRecord } from '#shared/record/record.ts';
import type { FetchedRecord, Queue, QueueConsumer, ReadOptions } from '#shared/queue/queue.ts';
import { kafka } from '#test/backends/kafka.ts';
import { embeddedPlace, kafkaPlace, type QueuePlace } from './queue-places.ts';
import type { RecordingHandler } from './recording-handler.ts';

type Test = (name: string, body: (place: QueuePlace, queue: Queue, group: string) => Promise<void>) => void;

const found = await kafka();

/** For `describe`: its name and options, and what declares a test. */
export const queues: readonly { readonly name: string; readonly options: object; readonly test: Test }[] = [
  { name: 'embedded queue', options: {}, test: testIn(embeddedPlace) },
  {
    name: 'kafka queue',
    options: { skip: found === null ? 'no Kafka to be had' : false, concurrency: 4 },
    test: testIn(() => kafkaPlace(found?.brokers ?? [])),
  },
];

function testIn(makePlace: () => Promise<QueuePlace>): Test {
  return (name, body) => {
    it(name, async () => {
      await using place = await makePlace();
      await body(place, await place.open(), place.group);
    });
  };
}

export function consume(queue: Queue, handler: RecordingHandler, group: string): Promise<QueueConsumer> {
  return queue.consume(handler, { group, fetchBytesMax: 256 * 1024 });
}

export async function readAll(queue: Queue, options: ReadOptions): Promise<FetchedRecord[]> {
  return await Array.fromAsync(queue.read(options));
}

export async function readTexts(queue: Queue, between: { fromMs?: number; toMs?: number } = {}): Promise<string[]> {
  const records = await readAll(queue, { topic: 'logs', ...between });
  return records.map(({ value }) => Buffer.from(value).toString());
}

export function record(text: string): QueueRecord {
  return { encoding: 'identity', batches: Buffer.from('batches'), value: Buffer.from(text) };
}

export function startOf(handler: RecordingHandler, partition: number) {
  return handler.assignments.at(-1)?.starts.find((start) => start.partition === partition);
}

export function plainHeaders(record: FetchedRecord | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(record?.headers ?? {}).map(([name, value]) => [name, hex(value)]));
}

export const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('hex');
export const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
export const numbered = (count: number): string[] => numbers(count).map((i) => `record ${i}`);
export const allBytes = (): Uint8Array => Uint8Array.from(numbers(256));
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
