// Finds documents that are stored although a bulk request does not see them. An id dedupes in one backing index only,
// so after a rollover a repeat of an older write would count as new. Batches that are older than the write index (by
// clocks that may differ by the allowed skew) are looked for in the older indices. All others, nearly always all, cost
// nothing but a look at the list of indices every 30 s.
//
//   first write ─────────────────────────|── rollover ──|─────────────►
//                   asked for            |   + skew     |  never written to an older index
//
// The list may be out of date when the request is done. So each answer is compared with it. Where documents went to an
// index that was not known, the older ones are asked afterwards, and second copies are deleted.
//
// Guarantees: of copies in several indices the oldest stays. A copy is deleted only after an older one was read, and by
// name and index, so that a repeat changes nothing. Until then no event of the request has an outcome. Where an older
// index cannot be read, what may lie in it waits as for a blocked index, and delays nothing else. The same goes for one
// that is closed, unless it ended long ago: that is an archive, and is taken for one that is gone.

import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { BackingIndex, BulkOutcome, Store } from '#shared/store/store.ts';
import type { BulkTelemetry } from '../settle/bulk-telemetry.ts';
import { isOfAnIndex } from '../settle/outcomes.ts';
import { earliestWriteMs } from './earliest-write.ts';
import type { BulkBatch } from '../settle/bulk-batch.ts';

export const LOOK_INTERVAL_MS = 30_000;
const NONE: ReadonlyMap<number, BulkOutcome> = new Map();
/** An index that ended less than so long ago was closed by mistake, or for a moment. */
export const KEPT_CLOSED_MS = 86_400_000;
export const ALREADY_STORED: BulkOutcome = Object.freeze({ status: 409 });

export interface LookBackOptions {
  readonly store: Pick<Store, 'backingIndices' | 'idsIn' | 'remove'>;
  readonly clock: Clock;
  readonly telemetry: Pick<BulkTelemetry, 'secondCopies'>;
  /** How far the clocks of edge and store may be apart. */
  readonly clockSkewMs: number;
  /** Asks for every document: for a replay, of which much may be there. */
  readonly askForAll: boolean;
}

/** The indices of a data stream, the oldest first. */
export type Indices = readonly BackingIndex[];

/** The indices of a batch's data streams, as they were known when it was sent. */
export type Known = ReadonlyMap<string, Indices>;

interface Look {
  readonly atMs: number;
  readonly indices: Promise<Indices>;
}

interface Asked {
  readonly number: number;
  readonly id: string;
  readonly earliestMs: number;
}

export class LookBack {
  readonly #options: LookBackOptions;
  readonly #looks = new Map<string, Look>();
  #assignment = -1;

  constructor(options: LookBackOptions) {
    this.#options = options;
  }

  /**
   * Outcomes of items that are not to be sent: they are stored already, or nobody can know now. Items that a bulk
   * request sees by itself may be missing. Rejects with store_* errors.
   */
  async find(
    batch: BulkBatch,
    signal: AbortSignal,
  ): Promise<{ decided: ReadonlyMap<number, BulkOutcome>; known: Known }> {
    const assignment = batch.ranges.at(-1)?.record.assignment.number ?? -1;
    // Here a repeat is likely, so that an old look would cost a deletion.
    if (batch.unanswered || assignment !== this.#assignment) this.#looks.clear();
    this.#assignment = assignment;
    const known = await this.#known(batch);
    let decided = NONE;
    for (const [dataStream, indices] of known) {
      const asked = this.#olderThan(startMs(indices), batch, dataStream);
      if (asked.length === 0) continue;
      const unknown = new Map<string, BulkOutcome>();
      const locations = await this.#keepOldest(indices, asked, signal, { isWriteIndexAsked: false, unknown });
      const outcomes = new Map(decided);
      for (const { id, number } of asked) {
        const outcome = unknown.get(id) ?? (locations.has(id) ? ALREADY_STORED : null);
        if (outcome) outcomes.set(number, outcome);
      }
      decided = outcomes;
    }
    return { decided, known };
  }

  /** The outcomes of what was sent, after second copies that it made are deleted: what was stored before is a 409. */
  async settle(
    batch: BulkBatch,
    outcomes: readonly BulkOutcome[],
    known: Known,
    signal: AbortSignal,
  ): Promise<readonly BulkOutcome[]> {
    const dataStreams = strangeDataStreams(batch, outcomes, known);
    if (dataStreams.size === 0) return outcomes;
    const settled = outcomes.slice();
    for (const dataStream of dataStreams) {
      this.#looks.delete(dataStream);
      const indices = await this.#indicesOf(dataStream);
      const asked = this.#olderThan(startMs(indices), batch, dataStream).filter(({ number }) => isIn(outcomes[number]));
      if (asked.length === 0) continue;
      const locations = await this.#keepOldest(indices, asked, signal, { isWriteIndexAsked: true });
      for (const { id, number } of asked) {
        const location = locations.get(id);
        if (location !== undefined && location !== outcomes[number]?.backing) settled[number] = ALREADY_STORED;
      }
    }
    return settled;
  }

  /** Deletes second copies of ids that may have been written at any time since `sinceMs`. */
  async lookAgain(dataStream: string, ids: readonly string[], sinceMs: number, signal: AbortSignal): Promise<void> {
    this.#looks.delete(dataStream);
    const indices = await this.#indicesOf(dataStream);
    if (startMs(indices) < sinceMs - this.#options.clockSkewMs) return;
    const asked = ids.map((id, number) => ({ number, id, earliestMs: sinceMs }));
    await this.#keepOldest(indices, asked, signal, { isWriteIndexAsked: true });
  }

  /**
   * Asks for ids in one index after another, and deletes what an older one has too. Resolves to the index where each
   * stays that was found. The write index is asked for all ids only with `isWriteIndexAsked`: what it has, a bulk
   * request sees. Where an index cannot be read, this rejects, or puts the ids that it may have into `unknown`.
   */
  async #keepOldest(
    indices: Indices,
    asked: readonly Asked[],
    signal: AbortSignal,
    {
      isWriteIndexAsked,
      unknown,
    }: { readonly isWriteIndexAsked: boolean; readonly unknown?: Map<string, BulkOutcome> },
  ): Promise<ReadonlyMap<string, string>> {
    const { store, clockSkewMs } = this.#options;
    const locations = new Map<string, string>();
    // There may be thousands of indices and hundred thousands of ids, of which few meet:
    // for an index nothing is looked at but what it may have.
    const byEarliest = asked.toSorted((a, b) => a.earliestMs - b.earliestMs);
    for (const [i, { name }] of indices.entries()) {
      const endMs = indices[i + 1]?.createdMs;
      const mayHave = endMs === undefined ? byEarliest.length : writtenUntil(byEarliest, endMs + clockSkewMs);
      if (mayHave === 0) continue;
      const isHere = ({ id }: Asked): boolean =>
        !unknown?.has(id) && (endMs !== undefined || isWriteIndexAsked || locations.has(id));
      const ids = byEarliest
        .slice(0, mayHave)
        .filter(isHere)
        .map(({ id }) => id);
      if (ids.length === 0) continue;
      let there: ReadonlySet<string>;
      try {
        there = await store.idsIn(name, ids, signal);
      } catch (error) {
        if (this.#isKept(error, endMs)) continue;
        if (!unknown || !isOfAnIndex(error)) throw error;
        const outcome = unreadable(error);
        for (const id of ids) unknown.set(id, outcome);
        continue;
      }
      const copies = [...there].filter((id) => locations.has(id));
      for (const id of there) if (!locations.has(id)) locations.set(id, name);
      if (copies.length > 0) await this.#remove(name, copies, signal);
    }
    return locations;
  }

  /** Whether it is an index that an operator put away. To wait until it is opened would be to wait for ever. */
  #isKept(error: unknown, endMs = Infinity): boolean {
    const isClosed = error instanceof SluiceError && error.code === 'store_index_closed';
    return isClosed && endMs < this.#options.clock.epochMs() - KEPT_CLOSED_MS;
  }

  async #remove(backing: string, ids: readonly string[], signal: AbortSignal): Promise<void> {
    const { store, telemetry } = this.#options;
    try {
      await store.remove(backing, ids, signal);
      telemetry.secondCopies(backing, ids.length, null);
    } catch (error) {
      // A second copy does less harm than a standstill.
      if (!(error instanceof SluiceError && error.code === 'store_unauthorized')) throw error;
      telemetry.secondCopies(backing, ids.length, error);
    }
  }

  /** Items for this data stream that may have been written before `beforeMs`. */
  #olderThan(beforeMs: number, { request, ranges }: BulkBatch, dataStream: string): Asked[] {
    const { askForAll, clockSkewMs } = this.#options;
    const asked: Asked[] = [];
    if (beforeMs === -Infinity) return asked;
    let number = 0;
    for (const { batch, count } of ranges) {
      const earliestMs = askForAll ? 0 : earliestWriteMs(batch);
      const next = number + count;
      if (earliestMs >= beforeMs + clockSkewMs) number = next;
      for (; number < next; number++) {
        const item = request.items.at(number);
        if (item?.index === dataStream) asked.push({ number, id: item.id, earliestMs });
      }
    }
    return asked;
  }

  async #known({ request }: BulkBatch): Promise<Known> {
    const known = new Map<string, Indices>();
    let last = '';
    for (const { index } of request.items) {
      if (index === last) continue;
      last = index;
      if (!known.has(index)) known.set(index, await this.#indicesOf(index));
    }
    return known;
  }

  #indicesOf(dataStream: string): Promise<Indices> {
    const { clock, store } = this.#options;
    const nowMs = clock.monotonicMs();
    const known = this.#looks.get(dataStream);
    if (known && nowMs - known.atMs < LOOK_INTERVAL_MS) return known.indices;
    const look = { atMs: nowMs, indices: store.backingIndices(dataStream) };
    this.#looks.set(dataStream, look);
    // A look that failed does not count.
    look.indices.catch(() => this.#looks.get(dataStream) === look && this.#looks.delete(dataStream));
    return look.indices;
  }
}

/** How many of these, which are in the order of their earliest write, may have been written at this time or before. */
function writtenUntil(byEarliest: readonly Asked[], ms: number): number {
  let low = 0;
  for (let high = byEarliest.length; low < high;) {
    const middle = (low + high) >> 1;
    if ((byEarliest[middle]?.earliestMs ?? Infinity) <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** When the write index was made; -Infinity where there is no older one. */
function startMs(indices: Indices): number {
  return indices.length < 2 ? -Infinity : (indices.at(-1)?.createdMs ?? -Infinity);
}

/** For an item that may be in an index that cannot be read: the outcome of one whose own index is blocked. */
function unreadable({ message }: SluiceError): BulkOutcome {
  const errorReason = `${message}; it may hold these documents, which are older than the index that is written to`;
  return { status: 503, errorType: 'unavailable_shards_exception', errorReason };
}

/** Whether the document is in the index that its outcome names. */
function isIn(outcome: BulkOutcome | undefined): boolean {
  return outcome?.backing !== undefined && (outcome.status === 201 || outcome.status === 409) && !outcome.failureStore;
}

/** Data streams of which something went to another index than the one that was known as the write index. */
function strangeDataStreams({ request }: BulkBatch, outcomes: readonly BulkOutcome[], known: Known): Set<string> {
  const dataStreams = new Set<string>();
  let lastOutcome: BulkOutcome | undefined;
  let lastDataStream = '';
  for (const [number, outcome] of outcomes.entries()) {
    const dataStream = request.items.at(number)?.index ?? '';
    if (outcome === lastOutcome && dataStream === lastDataStream) continue;
    lastOutcome = outcome;
    lastDataStream = dataStream;
    if (isIn(outcome) && outcome.backing !== known.get(dataStream)?.at(-1)?.name) dataStreams.add(dataStream);
  }
  return dataStreams;
}
