// A run of entries that a dialect makes of its own form: each entry of pairs that were gathered before, some of them
// shared by many entries (the labels of a stream, the attributes of a resource).
//
//   92 <time> <map>    time: d7 00 <seconds> <nanoseconds>, or whole seconds where they are past 2106

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { eventsMaxOf, refuseExcess } from '#shared/record/event-limit.ts';
import type { EventTime } from '#shared/record/event-time.ts';

/** The last second that an EventTime holds. */
const SECONDS_MAX = 0xffffffff;

/** A key of the run's own, encoded once. */
export function keyOf(name: string): Buffer {
  const writer = new MsgpackWriter();
  writer.string(name);
  return writer.take();
}

/** Pairs of a map, gathered before it is known how many they are. */
export class Pairs {
  readonly writer = new MsgpackWriter();
  count = 0;

  reset(): void {
    this.writer.reset();
    this.count = 0;
  }

  /** Begins a pair; write its value into what this returns. */
  key(encoded: Uint8Array): MsgpackWriter {
    this.count += 1;
    this.writer.raw(encoded);
    return this.writer;
  }

  /** As `key`, for the bytes of a text. */
  textKey(text: Uint8Array): MsgpackWriter {
    this.count += 1;
    this.writer.stringBytes(text);
    return this.writer;
  }

  add({ writer, count }: Pairs): void {
    this.writer.raw(writer.view());
    this.count += count;
  }

  /** Adds these pairs as one map below `encoded`, if there are any. */
  map(encoded: Uint8Array, { writer, count }: Pairs): void {
    if (count === 0) return;
    this.key(encoded).mapHeader(count);
    this.writer.raw(writer.view());
  }
}

export class EntryBuilder {
  readonly #writer: MsgpackWriter;
  readonly #bytesMax: number;
  readonly #countedBytes: number;
  readonly #bodyBytes: number;
  #count = 0;
  #tooLarge = false;
  readonly #countMax: number;

  /**
   * @param capacity bytes believed to be needed
   * @param bodyBytes what they are made of, where entries share pairs: these may not make much of a little
   * @param countedBytes what they are made of, where nobody else bounds how many they are
   */
  constructor(capacity: number, bytesMax: number, bodyBytes = Infinity, countedBytes = bodyBytes) {
    this.#bodyBytes = bodyBytes;
    this.#writer = new MsgpackWriter(Math.min(capacity, bytesMax));
    this.#bytesMax = bytesMax;
    this.#countedBytes = countedBytes;
    this.#countMax = eventsMaxOf(countedBytes);
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#writer.length;
  }

  /** Whether an entry did not fit; it and all after it were left out. */
  get tooLarge(): boolean {
    return this.#tooLarge;
  }

  /** Valid until the next entry. */
  get bytes(): Buffer {
    return this.#writer.view();
  }

  /** An entry of all these pairs; of a key that is there twice the last one counts. Throws too_many_events. */
  add({ seconds, nanoseconds }: EventTime, first: Pairs, second: Pairs = NO_PAIRS): void {
    const writer = this.#writer;
    const size = first.writer.length + second.writer.length + ENTRY_OVERHEAD;
    // Looked at before: a few bytes of a sender can ask for large shared pairs again and again.
    const length = writer.length + size;
    this.#tooLarge ||= length > this.#bytesMax;
    const grownMax = this.#bodyBytes * GROWTH_MAX + (this.#count + 1) * SHARED_BYTES_FREE;
    this.#tooLarge ||= length > Math.max(GROWN_BYTES_FREE, grownMax);
    if (this.#tooLarge) return;
    writer.arrayHeader(2);
    if (seconds <= SECONDS_MAX) writer.eventTime(seconds, nanoseconds);
    else writer.integer(seconds);
    writer.mapHeader(first.count + second.count);
    writer.raw(first.writer.view());
    writer.raw(second.writer.view());
    this.#count += 1;
    if (this.#count > this.#countMax) refuseExcess({ count: this.#count, bytes: this.#countedBytes });
  }
}

const NO_PAIRS = new Pairs();
/** What entries may be larger than their body, and what each may have for nothing: the labels of an ordinary source. */
const GROWTH_MAX = 8;
const SHARED_BYTES_FREE = 4096;
/**
 * What one body's entries may have in any case: an exporter's 512 records under the attributes of a process with a
 * command line of 20 KB.
 */
const GROWN_BYTES_FREE = 16 * 1024 * 1024;
/** Headers of the array and the map, and the time. */
const ENTRY_OVERHEAD = 16;
