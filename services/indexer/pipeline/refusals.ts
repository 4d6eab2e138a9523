// The way of what can't be indexed as it is: once more as text under the same ids, then to the dead letters with the
// reason and the original bytes. Those bytes are not kept beside each bulk request: the queue's record is still in
// hand, compressed, and is opened again. This costs the poisoned what all others save.
//
// Guarantees: a dead letter is appended before its event is settled, and whole: the queue takes what is too large for a
// record in parts. Of all refused documents no more dead letters are in memory than their bound, but for one that is
// larger. A dead letter never keeps its record open.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import type { DeadLetter, FetchedRecord, Queue, RecordSource } from '#shared/queue/queue.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import type { BulkBatch, EventRef } from '../settle/bulk-batch.ts';
import { type RefusedItem, UNKNOWN_REFUSAL } from '../settle/outcomes.ts';
import type { Refusals } from '../bulk/rejects.ts';
import { DEAD_LETTER_IN_HAND_BYTES } from '../unpack/bytes-in-hand.ts';
import type { RecordInHand } from '../commit/in-hand.ts';
import { type Unwritable, WHY_UNWRITABLE, type Why, deadLetterOf } from '../settle/dead-letters.ts';
import { messageAsText } from '../sources/foreign-message.ts';
import { rewriteAsText } from './as-text.ts';
import { DeadLetterAppends } from './dead-letter-appends.ts';
import { ReopenedRecords, extentOf } from './reopened-records.ts';
import type { RewindDifferences } from './rewind-differences.ts';
import type { LedgerTelemetry } from '../settle/ledger-telemetry.ts';
import type { Unpacked, UnpackOptions } from '../unpack/unpack.ts';

/** Of a header of somebody else's record that should be a short name. */
const NAME_BYTES_MAX = 64;
/** Of what may be in hand: dead letters of refused documents, which are written from records that were opened again. */
const DEAD_LETTERS_SHARE = 0.25;
/** That are written from an open record before other work has its turn: some 2 ms. */
const DEAD_LETTERS_A_TURN = 256;
const NOTHING = new Uint8Array(0);

export interface RefusalsOptions {
  readonly queue: Pick<Queue, 'appendDeadLetters' | 'appendBytesMax'>;
  readonly telemetry: Pick<LedgerTelemetry, 'deadLettered' | 'deadLettersFailed'>;
  readonly clock: Clock;
  readonly random: () => number;
  /** Where a record came from, as "topic/partition/offset". */
  readonly positionOf: (record: FetchedRecord) => string;
  readonly unpacking: UnpackOptions;
  /**
   * Of what the indexer has in memory, which stops reading. What is opened again counts here as well, and the dead
   * letters that are written from it.
   */
  readonly budget: ByteBudget;
  /** Tenants whose records may name their own tenant and service. */
  readonly trustedTenants?: ReadonlySet<string>;
  /** Of an entry, and of its document. */
  readonly documentBytesMax: number;
  readonly rewind?: RewindDifferences | undefined;
}

/** Events of one record, one behind another, or a part with bytes of its own. */
interface Stretch {
  readonly ref: EventRef;
  readonly count: number;
  readonly whyOf: (number: number) => Why;
}

/** Dead letters of one call of `deadLetter` that are appended together, with their permits. */
interface Group {
  readonly deadLetters: DeadLetter[];
  readonly permits: Permit[];
  bytes: number;
}

export class RecordRefusals implements Refusals {
  readonly #options: RefusalsOptions;
  readonly #appends: DeadLetterAppends;
  readonly #reopened: ReopenedRecords;
  readonly #deadLettersBudget: ByteBudget;

  constructor(options: RefusalsOptions) {
    this.#options = options;
    this.#appends = new DeadLetterAppends(options);
    this.#reopened = new ReopenedRecords(options);
    this.#deadLettersBudget = new ByteBudget(Math.ceil(DEAD_LETTERS_SHARE * options.budget.bytesMax));
  }

  /**
   * Why the dead letters do not take what cannot be indexed, so that offsets stand still; null where nothing waits.
   */
  get unhealthyReason(): string | null {
    return this.#appends.unhealthyReason;
  }

  async asText(batch: BulkBatch): Promise<BulkBatch> {
    return rewriteAsText(batch, this.#reopened, this.#options);
  }

  async deadLetter(batch: BulkBatch, items: readonly RefusedItem[], signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    // No more at once than are appended together: a batch may have thousands of small documents.
    const group: Group = { deadLetters: [], permits: [], bytes: 0 };
    const deadLettered: { first: DeadLetter | null; events: number } = { first: null, events: 0 };
    const append = async (): Promise<void> => {
      const deadLetters = group.deadLetters.splice(0);
      await this.#appends.append(deadLetters, signal);
      giveBack(group);
      deadLettered.first ??= deadLetters[0] ?? null;
      deadLettered.events += deadLetters.length;
    };
    try {
      for (const { ref, count, whyOf } of stretchesOf(batch, items)) {
        let isGranted = false;
        // What was lost is abandoned, whatever becomes of it here.
        for (let done = 0; done < count && !ref.record.assignment.isRevoked;) {
          const rest = { ref: refAt(ref, done), count: count - done, whyOf: (i: number) => whyOf(done + i) };
          const mayTake = isGranted;
          const added = await this.#readFrom(rest.ref, signal, (opened) => this.#add(group, rest, opened, mayTake));
          isGranted = false;
          if (typeof added === 'number') done += added;
          // Who waits for a permit holds none, or those who wait would wait for each other.
          else if (group.deadLetters.length > 0) await append();
          else {
            giveBack(group);
            group.permits.push(await this.#deadLettersBudget.acquire(added.wantedBytes, signal));
            isGranted = true;
          }
          if (group.bytes >= queue.appendBytesMax) await append();
        }
      }
      await append();
    } finally {
      giveBack(group);
    }
    if (deadLettered.first) this.#report(deadLettered.first, deadLettered.events);
  }

  /** The parts of a line of which no document was made: they are what was sent. */
  async deadLetterParts(parts: readonly EventRef[], reason: Unwritable, signal: AbortSignal): Promise<void> {
    const deadLetters = parts.map((part) => {
      assert(part.bytes, 'a part has its own bytes');
      return this.#deadLetterOf(part, part.bytes, { reason, error: WHY_UNWRITABLE[reason] });
    });
    await this.#appends.append(deadLetters, signal);
    const [first] = deadLetters;
    if (first) this.#report(first, deadLetters.length);
  }

  /** An entry that can't be turned into a document. */
  async deadLetterEntry(ref: EventRef, entry: Uint8Array, reason: Unwritable, signal: AbortSignal): Promise<void> {
    const deadLetter = this.#deadLetterOf(ref, entry, { reason, error: WHY_UNWRITABLE[reason] });
    await this.#appends.append([deadLetter], signal);
    this.#report(deadLetter, 1);
  }

  /** A record of which nothing can be read: all of it, with its table as it came. */
  async deadLetterRecord(
    record: RecordInHand,
    reason: string,
    error: string,
    events: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { headers, value, source } = record.fetched;
    if (source && !('unreadable' in headers)) return this.#deadLetterMessage(record, source, { reason, error }, signal);
    const from = this.#options.positionOf(record.fetched);
    await this.#appends.append(
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

  /** A message of others that nobody may open: as the text that it is, so that it can be replayed. */
  async #deadLetterMessage(record: RecordInHand, source: RecordSource, why: Why, signal: AbortSignal): Promise<void> {
    const { entry, ...event } = messageAsText(record.fetched, source);
    const deadLetter = deadLetterOf(event, entry, why, this.#options.positionOf(record.fetched));
    await this.#appends.append([deadLetter], signal);
    this.#report(deadLetter, 1);
  }

  /** Parts have bytes of their own. */
  async #readFrom<T>(ref: EventRef, signal: AbortSignal, find: (opened: Unpacked | null) => T): Promise<T> {
    return ref.bytes ? find(null) : this.#reopened.read(ref.record, find, signal);
  }

  /**
   * Adds dead letters of the stretch's first events to the group, as many as an append has room for. Returns how many,
   * or how much would have to be free for them. The record is open meanwhile, so nothing is waited for. `isGranted`:
   * the group has the permit.
   */
  #add(
    group: Group,
    { ref, count, whyOf }: Stretch,
    opened: Unpacked | null,
    isGranted: boolean,
  ): number | { readonly wantedBytes: number } {
    const { queue, budget } = this.#options;
    const entries: Uint8Array[] = [];
    let bytes = 0;
    for (
      let i = 0;
      i < Math.min(count, DEAD_LETTERS_A_TURN) && (i === 0 || group.bytes + bytes < queue.appendBytesMax);
      i++
    ) {
      const entry = ref.bytes ?? (opened ? entryBytes(opened, ref.entry + i) : NOTHING);
      entries.push(entry);
      bytes += entry.length + DEAD_LETTER_IN_HAND_BYTES;
    }
    const permit = isGranted ? null : this.#deadLettersBudget.tryAcquire(bytes);
    if (permit) group.permits.push(permit);
    else if (!isGranted) return { wantedBytes: bytes };
    group.permits.push(budget.take(bytes));
    group.bytes += bytes;
    // Copies: were they views, the dead letter would keep all of the record in memory.
    for (const [i, entry] of entries.entries())
      group.deadLetters.push(this.#deadLetterOf(refAt(ref, i), ref.bytes ?? new Uint8Array(entry), whyOf(i)));
    return entries.length;
  }

  #deadLetterOf(ref: EventRef, entry: Uint8Array, why: Why): DeadLetter {
    return deadLetterOf(ref, entry, why, this.#options.positionOf(ref.record.fetched));
  }

  #report({ reason, error, from }: DeadLetter, events: number): void {
    this.#options.telemetry.deadLettered(events, reason, error, from);
  }
}

function* stretchesOf({ ranges }: BulkBatch, items: readonly RefusedItem[]): Generator<Stretch, void, undefined> {
  let item = 0;
  for (const range of ranges) {
    const first = item;
    const whyOf = (number: number): Why => items[first + number] ?? UNKNOWN_REFUSAL;
    if (range.parts) for (const ref of range.parts) yield { ref, count: 1, whyOf };
    else yield { ref: range, count: range.count, whyOf };
    item += range.count;
  }
}

function refAt(ref: EventRef, number: number): EventRef {
  return number === 0 ? ref : { ...ref, entry: ref.entry + number, index: ref.index + number };
}

function giveBack(group: Group): void {
  for (const permit of group.permits.splice(0)) permit[Symbol.dispose]();
  group.bytes = 0;
}

function entryBytes(opened: Unpacked, entry: number): Uint8Array {
  const { start, end } = extentOf(opened, entry);
  return opened.bytes.subarray(start, end);
}
