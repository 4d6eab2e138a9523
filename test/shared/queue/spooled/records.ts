// Records with real tables of batches, whose events can be told apart, and what of them is in a queue in memory.

import { randomIdentity } from '#shared/record/identity.ts';
import { decodeBatches, encodeBatches, type QueueRecord } from '#shared/record/record.ts';
import type { MemoryQueue } from '#test/memory/queue.ts';

/** Record `n` of a source, with as many events. `[nil, {}]` each. */
export function recordOf(source: string, n: number, events = 1): QueueRecord {
  const batch = {
    id: randomIdentity(0),
    first: 0,
    count: events,
    tag: source,
    input: 'forward',
    tenant: null,
    receivedMs: 0,
    seq: n,
    sender: 'test',
    version: 2 as const,
    chain: null,
  };
  const value = Buffer.concat(Array.from({ length: events }, () => Buffer.from([0x92, 0xc0, 0x80])));
  return { encoding: 'identity', batches: encodeBatches([batch]), value };
}

/** The numbers of a source's records in a partition, in order, repeats included; from an offset on. */
export function numbersIn(queue: MemoryQueue, partition: number, source: string, fromOffset = 0): number[] {
  const numbers: number[] = [];
  for (const { offset, headers } of queue.log(partition)) {
    if (offset < fromOffset) continue;
    const [batch] = decodeBatches(headers['batches'] ?? new Uint8Array()) ?? [];
    if (batch?.tag === source) numbers.push(batch.seq);
  }
  return numbers;
}

/** Without what came before. */
export function firstAppearances(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}
