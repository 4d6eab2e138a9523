// Looks for second copies once something is over that could still make them: a request that was on its way when its partition was assigned
// anew, to us again, so that the same documents are sent beside it; or the time in which another may still write what we passed on too.
//
//   sent under assignment 1 ──────────────────────► written to index 1, answered
//              assignment 2 ─── sent again, not found yet ─► written to index 2        ▲ both are there: looked for, 2 goes
//
// The looks of second-look.ts end with their assignment, these do not.
//
// Guarantees: until its look has succeeded, the offset of a record is not committed, by this assignment or the ones after it that keep the
// partition (Assignment.beUnsure); so whoever goes on after a kill looks too. Of records only places are kept, and at most IDS_MAX ids.

import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { BulkItem } from '#shared/store/store.ts';
import type { Assignment } from '../in-hand.ts';
import type { IndexerTelemetry } from '../telemetry.ts';
import type { BulkAnswer } from './answer.ts';
import { LOOK_INTERVAL_MS, type LookBack } from './look-back.ts';
import type { Parcel, Run } from './parcel.ts';

/** Some 100 bytes each. */
const IDS_MAX = 300_000;
const RETRY: BackoffLimits = { baseMs: 200, capMs: 5000 };

export interface LateLookOptions {
  readonly lookBack: Pick<LookBack, 'lookAgain'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly telemetry: Pick<IndexerTelemetry, 'secondLookFailed'>;
  readonly signal: AbortSignal;
}

type Place = Pick<FetchedRecord, 'partition' | 'offset'>;

/** What one look is for. */
class Kept {
  /** By data stream. */
  readonly ids = new Map<string, string[]>();
  readonly places: { readonly assignment: Assignment; readonly place: Place }[] = [];
  count = 0;
  sinceMs = Infinity;
}

export class LateLook {
  readonly #options: LateLookOptions;
  /** What another may still write beside us: one look for each assignment. */
  readonly #besideOthers = new WeakMap<Assignment, Kept>();
  /** Why looks do not succeed that are not done yet. */
  readonly #failing = new Map<Kept, string>();
  #count = 0;

  constructor(options: LateLookOptions) {
    this.#options = options;
  }

  /** Why offsets wait for a look that fails; null while none does. */
  get trouble(): string | null {
    const [reason] = this.#failing.values();
    return reason === undefined ? null : `offsets are not committed before second copies were looked for: ${reason}`;
  }

  /** Looks for what is in the parcel, when `over` resolves. */
  after(over: Promise<unknown>, parcel: Parcel): void {
    const kept = new Kept();
    const { items } = parcel.request;
    let number = 0;
    for (const run of parcel.runs) {
      for (const next = number + run.count; number < next; number++) this.#keep(kept, run, items[number]);
    }
    void this.#look(kept, over);
  }

  /**
   * The store has these lines, of which another may have written the same. When they are read again they may be joined otherwise, and
   * nobody sends these names any more; so they are looked for when the other's time is over, whatever becomes of the assignment.
   */
  keepLines(parcel: Parcel, answer: BulkAnswer): void {
    let number = -1;
    for (const run of parcel.runs) {
      number += run.count;
      // A line is a run of one item.
      if (!run.parts) continue;
      const { assignment } = run.record;
      const item = parcel.request.items[number];
      const isShared = run.parts.some(({ record }) => assignment.isInherited(record.fetched));
      if (item && isShared && answer.isSettled(number)) this.#keep(this.#besideOthersOf(assignment), run, item);
    }
  }

  #besideOthersOf(assignment: Assignment): Kept {
    const known = this.#besideOthers.get(assignment);
    if (known) return known;
    const { clock, signal } = this.#options;
    const kept = new Kept();
    this.#besideOthers.set(assignment, kept);
    const leftMs = Math.max(0, assignment.inheritedUntilMs - clock.monotonicMs());
    const over = clock.sleep(leftMs, signal).catch(() => undefined);
    void this.#look(kept, over, () => this.#besideOthers.delete(assignment));
    return kept;
  }

  #keep(kept: Kept, run: Run, item: BulkItem | undefined): void {
    if (!item || this.#count >= IDS_MAX) return;
    const { index, id } = item;
    this.#count++;
    kept.count++;
    const ids = kept.ids.get(index);
    if (ids) ids.push(id);
    else kept.ids.set(index, [id]);
    for (const { record } of run.parts ?? [run]) {
      const { assignment, fetched } = record;
      const { partition, offset, timestampMs } = fetched;
      // What is known of the age of an index may have been as old as a look.
      kept.sinceMs = Math.min(kept.sinceMs, timestampMs - LOOK_INTERVAL_MS);
      const last = kept.places.at(-1);
      if (last?.assignment === assignment && last.place.partition === partition && last.place.offset === offset)
        continue;
      const place = { partition, offset };
      assignment.beUnsure(place);
      kept.places.push({ assignment, place });
    }
  }

  /** `done`: nothing more may be kept with it. */
  async #look(kept: Kept, over: Promise<unknown>, done?: () => void): Promise<void> {
    const { clock, random, signal } = this.#options;
    await over;
    for (let attempt = 0; !signal.aborted; attempt++) {
      await this.#lookOnce(kept);
      if (kept.ids.size === 0) break;
      await clock.sleep(backoffMs(attempt, RETRY, random), signal).catch(() => undefined);
    }
    done?.();
    this.#failing.delete(kept);
    this.#count -= kept.count;
    // Who stops before has not looked: the records are read again, and whoever reads them looks.
    if (signal.aborted) return;
    for (const { assignment, place } of kept.places) assignment.beSure(place);
  }

  /** What is looked at is forgotten, what comes meanwhile is not; a stream that cannot be looked at keeps no other from it. */
  async #lookOnce(kept: Kept): Promise<void> {
    const { lookBack, telemetry, signal } = this.#options;
    let failure: string | null = null;
    const taken = Array.from(kept.ids);
    kept.ids.clear();
    for (const [stream, ids] of taken) {
      try {
        await lookBack.lookAgain(stream, ids, kept.sinceMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        kept.ids.set(stream, ids.concat(kept.ids.get(stream) ?? []));
        failure = reasonOf(error);
        telemetry.secondLookFailed(stream, ids.length, error);
      }
    }
    if (failure === null) this.#failing.delete(kept);
    else this.#failing.set(kept, failure);
  }
}
