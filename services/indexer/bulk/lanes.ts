// What waits for an index, or for the whole store, that takes nothing: parcels in line, of which one at a time is tried, with growing
// pauses. When a try finds the way open, all the others follow. So an index that is closed for hours costs one small request now
// and then, however much waits for it, and never a slot that others need.
//
//   wait ─► | parcel | parcel | parcel | ─ pause ─► try the first ─┬─ refused: to the end of the line, a longer pause
//                                                                  └─ taken: all go
//
// Guarantees: a parcel is in one line, or handed out by `attempt` or `open`, never both; one try of a line at a time.

import type { Clock } from '#shared/clock.ts';
import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { Parcel } from './parcel.ts';

/** What a try found: `taken` something, and the rest is in line again; `refused` all of it; `open`: nothing came back. */
export type TryOutcome = 'open' | 'taken' | 'refused';

export interface LanesOptions {
  readonly clock: Clock;
  readonly random: () => number;
  /** Ends the tries; what is in line then is had by `takeAll`. */
  readonly signal: AbortSignal;
  /** Sends one parcel, which is in line no more. What of it must wait again for `key` is in line again when this resolves. */
  readonly attempt: (parcel: Parcel, key: string) => Promise<TryOutcome>;
  /** The way is open: these are in line no more. */
  readonly open: (parcels: readonly Parcel[], key: string) => void;
}

interface Lane {
  parcels: Parcel[];
  /** What the store said last. */
  says: string;
}

const PATIENCE: BackoffLimits = { baseMs: 1000, capMs: 30_000 };

export class Lanes {
  readonly #options: LanesOptions;
  readonly #lanes = new Map<string, Lane>();

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** What the store said of it; null where it is open. */
  says(key: string): string | null {
    return this.#lanes.get(key)?.says ?? null;
  }

  /** What the store said of any of those that are closed. */
  get anySays(): string | null {
    for (const { says } of this.#lanes.values()) return says;
    return null;
  }

  /** Parcels in line, by what they wait for. */
  *waiting(): Generator<readonly [key: string, parcels: readonly Parcel[]]> {
    for (const [key, { parcels }] of this.#lanes) yield [key, parcels];
  }

  /** Puts a parcel at the end of the line. */
  wait(key: string, parcel: Parcel, says: string): void {
    const lane = this.#lanes.get(key);
    if (lane) {
      lane.says = says;
      lane.parcels.push(parcel);
      return;
    }
    const opened: Lane = { parcels: [parcel], says };
    this.#lanes.set(key, opened);
    void this.#run(key, opened);
  }

  /** Each parcel in line is replaced by what `keep` makes of it; null takes it out. */
  sift(keep: (parcel: Parcel) => Parcel | null): void {
    for (const lane of this.#lanes.values()) lane.parcels = lane.parcels.map(keep).filter((parcel) => parcel !== null);
  }

  /** All that is in line, of all lines, which are gone. */
  takeAll(): Parcel[] {
    const parcels = [...this.#lanes.values()].flatMap((lane) => lane.parcels);
    this.#lanes.clear();
    return parcels;
  }

  async #run(key: string, lane: Lane): Promise<void> {
    const { clock, random, signal, attempt, open } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      await clock.sleep(backoffMs(failures, PATIENCE, random), signal).catch(() => undefined);
      const first = signal.aborted ? undefined : lane.parcels.shift();
      const outcome = first ? await attempt(first, key) : 'open';
      if (signal.aborted) return;
      if (outcome === 'open') {
        this.#lanes.delete(key);
        open(lane.parcels, key);
        return;
      }
      failures = outcome === 'taken' ? 0 : failures + 1;
    }
  }
}
