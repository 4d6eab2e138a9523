// The way of what can't be indexed as it is: once more as text under the same ids, then to the dead letters with the reason and the
// original bytes. Those bytes are not kept beside each bulk request: the queue's record is still in hand, compressed, and is opened again.
// This costs the poisoned what all others save.
//
// Guarantees: a letter is appended before its event is settled, whole: what is too large for a record the queue takes in parts.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { DeadLetter, FetchedRecord, Queue } from '#shared/queue/queue.ts';
import { chainAtEntry } from '#shared/record/chain.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';
import { backoffMs } from '#shared/backoff.ts';
import { BulkBody } from './bulk/body.ts';
import { type BulkBatch, type EventPlace, type Run, eventsOf } from './bulk/bulk-batch.ts';
import type { RefusedItem } from './bulk/outcomes.ts';
import type { Refusals } from './bulk/rejects.ts';
import type { RecordInHand } from './in-hand.ts';
import { DocumentWriter, type Written } from './parse/document.ts';
import type { IndexerTelemetry } from './telemetry.ts';
import { type Unpacked, type UnpackOptions, unpack } from './unpack.ts';

const ERROR_LENGTH_MAX = 2000;
/** Of a header of somebody else's record that should be a short name. */
const NAME_BYTES_MAX = 64;
/** Reason, position, lengths and the queue's own framing. */
const LETTER_OVERHEAD_BYTES = 1024;
const BACKOFF = { baseMs: 200, capMs: 10_000 };
const NOTHING = new Uint8Array(0);

export interface RefusalsOptions {
  readonly queue: Pick<Queue, 'appendDeadLetters' | 'appendBytesMax'>;
  readonly telemetry: IndexerTelemetry;
  readonly clock: Clock;
  readonly random: () => number;
  /** Where a record came from, as "topic/partition/offset". */
  readonly positionOf: (record: FetchedRecord) => string;
  readonly unpacking: UnpackOptions;
  /** Tenants whose records may name their own tenant and service. */
  readonly trustedTenants?: ReadonlySet<string>;
  /** Of an entry, and of its document. */
  readonly documentBytesMax: number;
}

/** Why no document is made of an entry. */
export type Unwritable = Exclude<Written, 'ok' | 'part'>;

const WHY: Readonly<Record<Unwritable, string>> = {
  entry_malformed: 'Cannot read the entry: it is no [time, record]',
  document_too_large:
    'Cannot make a document of the entry: it has more than 65536 keys or 262144 values, or more bytes than document.max_bytes',
};

export class RecordRefusals implements Refusals {
  readonly #options: RefusalsOptions;
  /** Of those that wait: each with why the dead letters did not take them. */
  readonly #waiting = new Map<object, string>();

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** Why what cannot be indexed is not held by the dead letters either, so that offsets stand still; null where nothing waits. */
  get trouble(): string | null {
    for (const why of this.#waiting.values()) return `events wait that cannot be indexed: ${why}`;
    return null;
  }

  async asText(parcel: BulkBatch): Promise<BulkBatch> {
    const body = new BulkBody();
    const { trustedTenants: trusted, documentBytesMax: bytesMax } = this.#options;
    const writer = new DocumentWriter(body, { ...(trusted && { trusted }), bytesMax });
    const opened = new OpenedRecords(this.#options.unpacking);
    const runs: Run[] = [];
    const nowMs = this.#options.clock.epochMs();
    for (const run of parcel.runs) {
      writer.beginBatch(run.batch, nowMs);
      const written: Run = { ...run, count: 0 };
      if (run.line) {
        if (writer.writeAsText(run.line.bytes, 0, run.line.bytes.length, run.index, run.line.partial) === 'ok')
          written.count = 1;
      } else {
        const record = await opened.open(run.record);
        if (!record) continue;
        // Stops at the first entry that can't be written: the caller sees that some are missing.
        while (written.count < run.count) {
          const entry = run.entry + written.count;
          const start = entry === 0 ? 0 : (record.ends[entry - 1] ?? 0);
          const status = writer.writeAsText(record.bytes, start, record.ends[entry] ?? 0, run.index + written.count);
          if (status !== 'ok') break;
          written.count++;
        }
      }
      if (written.count > 0) runs.push(written);
    }
    return { request: body.request(), runs, asText: true };
  }

  async bury(parcel: BulkBatch, items: readonly RefusedItem[], signal: AbortSignal): Promise<void> {
    const { queue, telemetry } = this.#options;
    const opened = new OpenedRecords(this.#options.unpacking);
    let first: DeadLetter | null = null;
    // No more at once than are appended together: a parcel may have thousands of small documents.
    let letters: DeadLetter[] = [];
    let bytes = 0;
    let item = 0;
    for (const run of parcel.runs) {
      for (let i = 0; i < run.count; i++) {
        const { reason = 'document_refused', error = '' } = items[item++] ?? {};
        const places = run.parts ?? [{ ...run, entry: run.entry + i, index: run.index + i }];
        for (const place of places) {
          const letter = await this.#eventLetter(place, opened, reason, error);
          first ??= letter;
          letters.push(letter);
          bytes += appendBytesOf(letter);
        }
        if (bytes < queue.appendBytesMax) continue;
        await this.#append(letters, signal);
        letters = [];
        bytes = 0;
      }
    }
    await this.#append(letters, signal);
    if (first) telemetry.deadLettered(eventsOf(parcel.runs), first.reason, first.error, first.from);
  }

  /** The events of a run of which no document was made. */
  async buryRun(run: Run, reason: Unwritable, signal: AbortSignal): Promise<void> {
    const letters: DeadLetter[] = [];
    const opened = new OpenedRecords(this.#options.unpacking);
    for (const place of run.parts ?? [run]) letters.push(await this.#eventLetter(place, opened, reason, WHY[reason]));
    await this.#append(letters, signal);
    const [first] = letters;
    if (first) this.#options.telemetry.deadLettered(letters.length, first.reason, first.error, first.from);
  }

  /** An entry that can't be turned into a document. */
  async buryEntry(place: EventPlace, entry: Uint8Array, reason: Unwritable, signal: AbortSignal): Promise<void> {
    const letter = this.#letterOf(place, entry, reason, WHY[reason]);
    await this.#append([letter], signal);
    this.#options.telemetry.deadLettered(1, letter.reason, letter.error, letter.from);
  }

  /** A record of which nothing can be read: all of it, with its table as it came. */
  async buryRecord(
    record: RecordInHand,
    reason: string,
    error: string,
    events: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { headers, value } = record.fetched;
    const from = this.#options.positionOf(record.fetched);
    await this.#append(
      [
        {
          batches: headers.batches ?? NOTHING,
          reason,
          error,
          from,
          value,
          cut: false,
          ...(headers.encoding ? { encoding: headers.encoding.subarray(0, NAME_BYTES_MAX) } : {}),
          ...(headers.v ? { recordVersion: headers.v.subarray(0, NAME_BYTES_MAX) } : {}),
        },
      ],
      signal,
    );
    this.#options.telemetry.deadLettered(events, reason, error, from);
  }

  async #eventLetter(place: EventPlace, opened: OpenedRecords, reason: string, error: string): Promise<DeadLetter> {
    if (place.bytes) return this.#letterOf(place, place.bytes, reason, error);
    const record = await opened.open(place.record);
    return this.#letterOf(place, record ? entryBytes(record, place.entry) : NOTHING, reason, error);
  }

  #letterOf(place: EventPlace, entry: Uint8Array, reason: string, error: string): DeadLetter {
    return {
      batches: encodeBatches([batchOfEvent(place)]),
      index: place.index,
      reason,
      error: error.slice(0, ERROR_LENGTH_MAX),
      from: this.#options.positionOf(place.record.fetched),
      value: entry,
      cut: false,
    };
  }

  /** Tries until the letters are held: nothing else could be done with these events. */
  async #append(letters: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    for (const group of groupsOf(letters, queue.appendBytesMax)) {
      try {
        await this.#appendGroup(group, signal);
      } finally {
        this.#waiting.delete(group);
      }
    }
  }

  async #appendGroup(group: readonly DeadLetter[], signal: AbortSignal): Promise<void> {
    const { queue, clock, random, telemetry } = this.#options;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      try {
        await queue.appendDeadLetters(group);
        return;
      } catch (error) {
        telemetry.deadLettersFailed(error);
        this.#waiting.set(group, reasonOf(error));
        await clock.sleep(backoffMs(attempt, BACKOFF, random), signal);
      }
    }
  }
}

/** What a letter takes of an append. */
function appendBytesOf({ value, batches, error }: DeadLetter): number {
  return value.length + batches.length + 4 * error.length + LETTER_OVERHEAD_BYTES;
}

/** Letters that fit into one append together. */
function groupsOf(letters: readonly DeadLetter[], bytesMax: number): DeadLetter[][] {
  const groups: DeadLetter[][] = [];
  let group: DeadLetter[] = [];
  let bytes = 0;
  for (const letter of letters) {
    const size = appendBytesOf(letter);
    if (group.length > 0 && bytes + size > bytesMax) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(letter);
    bytes += size;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** Opens each record once, as long as its events are looked at one after another. */
class OpenedRecords {
  readonly #options: UnpackOptions;
  #record: RecordInHand | null = null;
  #opened: Unpacked | null = null;

  constructor(options: UnpackOptions) {
    this.#options = options;
  }

  async open(record: RecordInHand): Promise<Unpacked | null> {
    if (record === this.#record) return this.#opened;
    const opened = await unpack(record.fetched, this.#options);
    this.#record = record;
    this.#opened = opened.kind === 'unpacked' ? opened : null;
    return this.#opened;
  }
}

/** The batch of an event, as its letter has it: a name by position is made of the chain just before its entry. */
function batchOfEvent({ batch, index }: EventPlace): Batch {
  const { chain, names, first } = batch;
  if (chain === null || names === undefined) return batch;
  return { ...batch, first: index, count: 1, chain: chainAtEntry(chain, names, index - first) };
}

function entryBytes(record: Unpacked, entry: number): Uint8Array {
  return record.bytes.subarray(entry === 0 ? 0 : record.ends[entry - 1], record.ends[entry]);
}
