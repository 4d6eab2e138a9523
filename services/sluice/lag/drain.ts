// How long until a group has caught up, from its lag in the last samples. Pure.

import { type GroupLag, lagRecords, lagSeconds } from '#shared/queue/group-lag.ts';

/** Enough that one commit more or less does not matter. */
const SAMPLES = 10;

export interface LagTotals {
  /** Records of all partitions that are not committed. */
  readonly records: number;
  /** Age of the oldest of them; 0 when caught up. */
  readonly seconds: number;
}

export function totalsOf({ partitions, atMs }: GroupLag): LagTotals {
  let records = 0;
  let seconds = 0;
  for (const partition of partitions) {
    records += lagRecords(partition);
    seconds = Math.max(seconds, lagSeconds(partition, atMs));
  }
  return { records, seconds };
}

export class DrainEstimate {
  readonly #samples: { readonly atMs: number; readonly records: number }[] = [];

  /** Adds a sample. Returns the seconds until the group has caught up; Infinity where the lag does not shrink. */
  next(lag: GroupLag): number {
    const { records } = totalsOf(lag);
    this.#samples.push({ atMs: lag.atMs, records });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    if (records === 0) return 0;
    const first = this.#samples[0];
    const shrunk = (first?.records ?? 0) - records;
    if (first === undefined || shrunk <= 0) return Number.POSITIVE_INFINITY;
    return (records * Math.max(0, lag.atMs - first.atMs)) / 1000 / shrunk;
  }
}
