// A segment is what one chunk has in one record. A small chunk is one segment of a record that it has in common with
// others; a large one has several records to itself. Its sender is answered when the last of its segments is held.

import assert from 'node:assert/strict';
import { splitEntries } from '#shared/msgpack/split-entries.ts';
import { chainAfterRun } from '#shared/record/chain.ts';
import type { Batch, Encoding } from '#shared/record/record.ts';

export interface RecordSegment {
  /** `first` and `count` are of this segment's entries. */
  readonly batch: Batch;
  readonly encoding: Encoding;
  readonly bytes: Uint8Array;
  /** `bytes` are of no more use, and may be written to again, once the segment is settled. */
  readonly isLent?: boolean;
  readonly settlement: Settlement;
}

/** Joins the fates of a chunk's segments: all held, or the first error. Settles exactly once. */
export class Settlement {
  readonly promise: Promise<void>;
  eventsDeadLettered = 0;
  /** Of segments that a spool holds, on their way to the queue. */
  eventsSpooled = 0;
  #pending = 0;
  #error: unknown = null;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** One more segment to wait for. */
  expect(): this {
    this.#pending++;
    return this;
  }

  held(): void {
    this.#settleOne();
  }

  /** The segment's events are held by a spool. */
  spooled(events: number): void {
    this.eventsSpooled += events;
    this.#settleOne();
  }

  /** The segment was one event that no queue takes; the dead letters hold it. */
  deadLettered(): void {
    this.eventsDeadLettered++;
    this.#settleOne();
  }

  /** The answer still waits for the other segments, so that nothing of the chunk is under way when the sender is told. */
  failed(error: unknown): void {
    this.#error ??= error;
    this.#settleOne();
  }

  #settleOne(): void {
    assert(this.#pending > 0, 'a segment is settled once');
    this.#pending--;
    if (this.#pending > 0) return;
    if (this.#error === null) this.#resolve();
    else this.#reject(this.#error);
  }
}

/**
 * An uncompressed segment as segments of at most `bytesMax`, or of one entry each where that is larger; they take its
 * place. Yields between steps.
 */
export function* splitSegment(segment: RecordSegment, bytesMax: number): Generator<null, RecordSegment[], void> {
  const segments: RecordSegment[] = [];
  let { first, chain } = segment.batch;
  for (const span of splitEntries(segment.bytes, bytesMax)) {
    if (span === null) {
      yield null;
      continue;
    }
    const { start, end, count } = span;
    if (segments.length > 0) segment.settlement.expect();
    const bytes = segment.bytes.subarray(start, end);
    segments.push({ ...segment, batch: { ...segment.batch, first, count, chain }, bytes });
    first += count;
    if (chain !== null) chain = yield* chainAfterRun(chain, bytes);
  }
  assert(first === segment.batch.first + segment.batch.count, 'a split loses no entry');
  return segments;
}
