// Deletes second copies that another indexer made. When this one takes over a partition, the other may still have
// requests on their way: its copy of a document can arrive in one backing index after ours arrived in another. So the
// ids that could be concerned are kept until the other's requests are done or given up. Then second copies are looked
// for. Nothing is committed before that (see Assignment.inherit).
//
//   the other sends c ─────────────── on its way ──────────────► written to index 2
//        ▲ lost the partition     ours: c written to index 1           ▲ bulk.timeout_ms later: both are found, 2 goes
//
// The same is done bulk.timeout_ms after a request of our own that brought no answer, also if its partition was lost
// meanwhile. Until then its records are not committed, so that whoever goes on after us looks too.
//
// Guarantees: `done` resolves when all ids that were kept for the assignment were looked at, or when it is revoked. A
// look that fails is reported each time, and is `unhealthyReason` until it is done. At most IDS_MAX ids are kept; those
// beyond are not looked at again (docs/guarantees.md).

import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import { documentId, type NamedBatch } from '#shared/record/identity.ts';
import type { BulkItem } from '#shared/store/store.ts';
import type { Assignment, RecordInHand } from '../commit/in-hand.ts';
import type { BulkTelemetry } from '../settle/bulk-telemetry.ts';
import type { BulkAnswer } from './answer.ts';
import { LOOK_INTERVAL_MS, type LookBack } from './look-back.ts';
import type { BulkBatch, ItemRange } from '../settle/bulk-batch.ts';

/** Some 100 bytes each while they are looked at. */
const IDS_MAX = 300_000;
const RETRY: BackoffLimits = { baseMs: 200, capMs: 5000 };

export interface SecondLookOptions {
  readonly lookBack: Pick<LookBack, 'lookAgain'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeoutMs: number;
  readonly telemetry: Pick<BulkTelemetry, 'secondLookFailed'>;
  readonly signal: AbortSignal;
}

/** Consecutive events of one batch. Their ids are made only when they are looked at, for most never are. */
interface NamedRange {
  readonly batch: NamedBatch;
  /** Of the first one, the batch's `first` included. */
  readonly index: number;
  count: number;
}

/** Ids by data stream, and the earliest time at which they can have been written. */
class Kept {
  readonly ids = new Map<string, (string | NamedRange)[]>();
  /** Batches as they are kept here: those that were read lie in their records' memory. */
  readonly #own = new WeakMap<NamedBatch, NamedBatch>();
  count = 0;
  sinceMs = Infinity;

  addId(dataStream: string, id: string, sinceMs: number): void {
    this.#of(dataStream).push(id);
    this.sinceMs = Math.min(this.sinceMs, sinceMs);
    this.count++;
  }

  addEvent(dataStream: string, batch: NamedBatch, index: number, sinceMs: number): void {
    const ids = this.#of(dataStream);
    const last = ids.at(-1);
    const own = this.#ownOf(batch);
    if (typeof last === 'object' && last.batch === own && last.index + last.count === index) last.count++;
    else ids.push({ batch: own, index, count: 1 });
    this.sinceMs = Math.min(this.sinceMs, sinceMs);
    this.count++;
  }

  #ownOf(batch: NamedBatch): NamedBatch {
    const known = this.#own.get(batch);
    if (known) return known;
    const { version, id, first, receivedMs, chain, names } = batch;
    const own = {
      version,
      id: new Uint8Array(id),
      first,
      receivedMs,
      chain: chain && new Uint8Array(chain),
      ...(names && { names }),
    };
    this.#own.set(batch, own);
    return own;
  }

  #of(dataStream: string): (string | NamedRange)[] {
    const known = this.ids.get(dataStream);
    if (known) return known;
    const ids: (string | NamedRange)[] = [];
    this.ids.set(dataStream, ids);
    return ids;
  }
}

export class SecondLook {
  readonly #options: SecondLookOptions;
  readonly #kept = new WeakMap<Assignment, Kept>();
  /** Assignments whose look started: what is sent after that meets all that another wrote, so it is not kept. */
  readonly #started = new WeakSet<Assignment>();
  /** Why looks fail that are not done yet. */
  readonly #failing = new Map<Kept, string>();
  #count = 0;

  constructor(options: SecondLookOptions) {
    this.#options = options;
  }

  /** Why offsets wait for a second look that fails; null while none does. */
  get unhealthyReason(): string | null {
    for (const reason of this.#failing.values())
      return `offsets are not committed before second copies were looked for: ${reason}`;
    return null;
  }

  /** Keeps the ids of what is stored now, and may be written by another too. */
  keep(batch: BulkBatch, answer: BulkAnswer): void {
    const { items } = batch.request;
    let number = 0;
    for (const range of batch.ranges) {
      const { record, count, line } = range;
      const from = number;
      number += count;
      if (line?.unfinishedIds && answer.isSettled(from))
        this.#keepUnfinished(line.unfinishedIds, items.at(from), record);
      if (!record.isInherited || this.#started.has(record.assignment)) continue;
      const kept = this.#of(record.assignment);
      for (let i = 0; i < count; i++) if (answer.isSettled(from + i)) this.#add(kept, items.at(from + i), range, i);
    }
  }

  /** We have made a line whole; the other may have stored its beginnings and ends, under other names. */
  #keepUnfinished(ids: readonly string[], item: BulkItem | undefined, record: RecordInHand): void {
    if (!item || this.#started.has(record.assignment)) return;
    const kept = this.#of(record.assignment);
    for (const id of ids) if (this.#mayAdd()) kept.addId(item.index, id, sinceMs(record));
  }

  /** A request of ours brought no answer, and may still be done after these were written again: looks at them later. */
  async keepUnanswered({ request, ranges }: BulkBatch): Promise<void> {
    const { clock, timeoutMs, signal } = this.#options;
    const kept = new Kept();
    const records = new Set(ranges.flatMap((range) => (range.parts ?? [range]).map(({ record }) => record)));
    for (const { assignment, fetched } of records) assignment.beUnsure(fetched);
    let number = 0;
    for (const range of ranges) {
      for (let i = 0; i < range.count; i++) this.#add(kept, request.items.at(number++), range, i);
    }
    await clock.sleep(timeoutMs, signal).catch(() => undefined);
    await this.#look(kept, () => false);
    // Who stops before has not looked: the records are read again, and whoever reads them looks.
    if (signal.aborted) return;
    for (const { assignment, fetched } of records) assignment.beSure(fetched);
  }

  /**
   * Looks at all that was kept for the assignment. Called once, when the requests of the other are over, and ours are
   * answered. What was kept for a revoked assignment is forgotten, for all of it is read again.
   */
  async done(assignment: Assignment): Promise<void> {
    const kept = this.#kept.get(assignment);
    this.#kept.delete(assignment);
    this.#started.add(assignment);
    if (kept) await this.#look(kept, () => assignment.isRevoked);
  }

  #of(assignment: Assignment): Kept {
    const known = this.#kept.get(assignment);
    if (known) return known;
    const kept = new Kept();
    this.#kept.set(assignment, kept);
    return kept;
  }

  /** The item is the one of the range with this number. */
  #add(kept: Kept, item: BulkItem | undefined, { record, batch, index }: ItemRange, number: number): void {
    if (item && this.#mayAdd()) kept.addEvent(item.index, batch, index + number, sinceMs(record));
  }

  #mayAdd(): boolean {
    if (this.#count >= IDS_MAX) return false;
    this.#count++;
    return true;
  }

  async #look(kept: Kept, isRevoked: () => boolean): Promise<void> {
    const { clock, random, signal } = this.#options;
    for (let attempt = 0; !signal.aborted && !isRevoked(); attempt++) {
      await this.#lookOnce(kept);
      if (kept.ids.size === 0) break;
      await clock.sleep(backoffMs(attempt, RETRY, random), signal).catch(() => undefined);
    }
    this.#failing.delete(kept);
    this.#count -= kept.count;
  }

  /** Forgets what was looked at. A data stream that cannot be looked at delays no other. */
  async #lookOnce(kept: Kept): Promise<void> {
    const { lookBack, telemetry, signal } = this.#options;
    let failure: string | null = null;
    for (const [dataStream, named] of kept.ids) {
      const ids = named.flatMap(idsOf);
      try {
        await lookBack.lookAgain(dataStream, ids, kept.sinceMs, signal);
        kept.ids.delete(dataStream);
      } catch (error) {
        if (signal.aborted) return;
        failure = reasonOf(error);
        telemetry.secondLookFailed(dataStream, ids.length, error);
      }
    }
    if (failure === null) this.#failing.delete(kept);
    else this.#failing.set(kept, failure);
  }
}

/** What the other knew of the indices may have been as old as the interval of its looks. */
function sinceMs({ fetched }: RecordInHand): number {
  return fetched.timestampMs - LOOK_INTERVAL_MS;
}

function idsOf(named: string | NamedRange): string[] {
  if (typeof named === 'string') return [named];
  const { batch, index, count } = named;
  return Array.from({ length: count }, (_, i) => documentId(batch, index + i));
}
