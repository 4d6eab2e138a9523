// The path of one partition from intake to the queue. Segments wait, tenant by tenant. A record of them is sealed when
// they fill one, when they have waited for their linger, or when the previous append is done, whichever comes first.
// One append is in flight at a time, so order is kept and records grow with the load.

import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { StoredBy, Queue } from '#shared/queue/queue.ts';
import { recordBytes } from '#shared/queue/headers.ts';
import { decompress } from '#shared/record/compression.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { SegmentSplitter, inTurns } from './segment-splitter.ts';
import { FairQueue } from './fair-queue.ts';
import { type SealedRecord, sealRecord } from './sealed-record.ts';
import { type RecordSegment, splitSegment } from './record-segment.ts';

/** What it holds was counted within the edge's limit before it came here. */
const DECOMPRESSED_BYTES_MAX = 512 * 1024 * 1024;
/** Records that are made ahead of their append: enough to keep it busy, and few enough to share the thread pool. */
const SEALED_AHEAD_MAX = 16;
/** Each wakes an input, which writes an answer: 10 to 50 µs. A record may have ten thousand of the smallest. */
const SETTLED_PER_TURN = 64;

export interface LaneOptions {
  readonly queue: Queue;
  readonly clock: Clock;
  readonly lingerMs: number;
  /** Uncompressed size at which a record is sealed. */
  readonly sealBytes: number;
  /** Dead-letters a segment of one event that is larger than the queue takes or an indexer opens. */
  readonly deadLetter: (segment: RecordSegment) => Promise<void>;
}

export class Lane {
  readonly #partition: number;
  readonly #options: LaneOptions;
  readonly #splitter: SegmentSplitter;
  readonly #waiting: FairQueue;
  #sealed: SealedRecord[] = [];
  #linger: Disposable | null = null;
  #draining: Promise<void> | null = null;
  /** Of stored records whose senders are being answered. */
  #settling: Promise<void> | null = null;

  constructor(partition: number, options: LaneOptions) {
    this.#partition = partition;
    this.#options = options;
    this.#waiting = new FairQueue(options.sealBytes);
    this.#splitter = new SegmentSplitter(options.sealBytes, (segments) => this.#queueUp(segments));
  }

  add(segment: RecordSegment): void {
    this.#splitter.add(segment);
  }

  /** Resolves when all that was added is settled. */
  async drained(): Promise<void> {
    do {
      await this.#splitter.idle();
      this.#drain();
      while (this.#draining) await this.#draining;
    } while (this.#splitter.isBusy);
    await this.#settling;
  }

  #queueUp(segments: readonly RecordSegment[]): void {
    for (const segment of segments) this.#waiting.push(segment);
    this.#sealAhead();
    this.#wake();
  }

  #wake(): void {
    if (this.#draining) return;
    if (this.#sealed.length > 0) this.#drain();
    else this.#linger ??= this.#options.clock.timer(this.#options.lingerMs, () => this.#drain());
  }

  #drain(): void {
    this.#linger?.[Symbol.dispose]();
    this.#linger = null;
    if (this.#draining || (this.#sealed.length === 0 && this.#waiting.isEmpty)) return;
    this.#draining = this.#appendAll();
  }

  /** Full records shrink in the thread pool while others are appended. */
  #sealAhead(): void {
    while (this.#waiting.hasFull && this.#sealed.length < SEALED_AHEAD_MAX) this.#sealNext();
  }

  #sealNext(): void {
    this.#sealed.push(sealRecord(this.#waiting.take()));
  }

  async #appendAll(): Promise<void> {
    for (;;) {
      this.#sealAhead();
      if (this.#sealed.length === 0 && !this.#waiting.isEmpty) this.#sealNext();
      const head = this.#sealed[0];
      if (!head) break;
      if (await this.#isFit(head)) await this.#appendReady();
    }
    this.#draining = null;
  }

  /**
   * Waits for the head to be made. One that the queue does not take, or no indexer opens, is made smaller, or
   * dead-lettered if it is a single event.
   */
  async #isFit(head: SealedRecord): Promise<boolean> {
    try {
      const record = await head.ready;
      if (record !== null && !head.isRefused && recordBytes(record) <= this.#options.queue.appendBytesMax) return true;
      const [only] = head.segments;
      if (only && only.encoding !== 'identity') {
        // The queue's limit fell while it waited. A dead letter of an event holds the entry as it is, too.
        const bytes = await decompress(only.bytes, only.encoding, DECOMPRESSED_BYTES_MAX);
        this.#sealed.splice(0, 1, sealRecord([{ ...only, encoding: 'identity', bytes }], true));
      } else if (only && head.segments.length === 1 && only.batch.count === 1) {
        await this.#options.deadLetter(only);
        only.settlement.deadLettered();
        this.#sealed.shift();
      } else {
        const smaller = await halves(head.segments);
        this.#sealed.splice(0, 1, ...smaller.map((segments) => sealRecord(segments, head.goesAlone)));
      }
    } catch (error) {
      this.#sealed.shift();
      this.#settle(head.segments, ({ settlement }) => settlement.failed(error));
    }
    return false;
  }

  /** Appends the head, and whatever behind it is ready and fits into the same append. */
  async #appendReady(): Promise<void> {
    const { queue } = this.#options;
    const taken: SealedRecord[] = [];
    const records: QueueRecord[] = [];
    let bytes = 0;
    for (;;) {
      const next = this.#sealed[0];
      if (!next?.record) break;
      const more = recordBytes(next.record);
      if (records.length > 0 && (next.goesAlone || bytes + more > queue.appendBytesMax)) break;
      bytes += more;
      records.push(next.record);
      taken.push(next);
      this.#sealed.shift();
      if (next.goesAlone) break;
    }
    const segments = taken.flatMap((sealed) => sealed.segments);
    try {
      const held = await this.#options.queue.append(this.#partition, records);
      this.#settle(segments, (segment) => settleHeld(segment, held));
    } catch (error) {
      if (!isRefusal(error)) return this.#settle(segments, ({ settlement }) => settlement.failed(error));
      // The queue takes less than before, whether or not it knows by now: append the same in smaller pieces. A sender
      // that heard of it would send the same again, for ever.
      if (bytes <= queue.appendBytesMax) {
        const [only] = taken;
        if (only && taken.length === 1) only.isRefused = true;
        for (const sealed of taken) sealed.goesAlone = true;
      }
      this.#sealed.unshift(...taken);
    }
  }

  /** In the order of the records, so many a turn of the event loop; meanwhile the next append goes on. */
  #settle(segments: readonly RecordSegment[], settleOne: (segment: RecordSegment) => void): void {
    if (!this.#settling && segments.length <= SETTLED_PER_TURN) return segments.forEach(settleOne);
    const before = this.#settling;
    const settling = settleInTurns(segments, settleOne, before).then(() => {
      if (this.#settling === settling) this.#settling = null;
    });
    this.#settling = settling;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'queue_refused';
}

function settleHeld({ settlement, batch }: RecordSegment, held: StoredBy | void): void {
  if (held === 'spool') settlement.spooled(batch.count);
  else settlement.held();
}

async function settleInTurns(
  segments: readonly RecordSegment[],
  settleOne: (segment: RecordSegment) => void,
  before: Promise<void> | null,
): Promise<void> {
  await before;
  for (let start = 0; start < segments.length; start += SETTLED_PER_TURN) {
    if (start > 0) await turn();
    segments.slice(start, start + SETTLED_PER_TURN).forEach(settleOne);
  }
}

/** The segments of a record that is too large, as two records. */
async function halves(segments: readonly RecordSegment[]): Promise<RecordSegment[][]> {
  const [only] = segments;
  if (only && segments.length === 1) {
    const parts = await inTurns(splitSegment(only, Math.ceil(only.bytes.length / 2)));
    return parts.map((part) => [part]);
  }
  const middle = segments.length >> 1;
  return [segments.slice(0, middle), segments.slice(middle)];
}
