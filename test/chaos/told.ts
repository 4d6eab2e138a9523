// Whether what was lost is what was told, event by event. Pure.

import type { Books } from './books.ts';

export interface Strike {
  /** Whose events it hit. */
  readonly sender: number;
  /** Where its lines begin in the indexer's log. */
  readonly logFrom: number;
  /** Events by "partition/offset", before it struck. */
  readonly places: ReadonlyMap<string, readonly number[]>;
}

export interface Told {
  /** Numbers of the sender's events. */
  readonly events: ReadonlySet<number>;
  readonly records: number;
}

export interface LossCounts {
  readonly lost: number;
  readonly told: number;
  /** Lost and not told, told and not lost. */
  readonly untold: number;
  readonly falselyTold: number;
  readonly duplicated: number;
  /** By the lines of the log, and by the counter. */
  readonly recordsTold: number;
  readonly recordsCounted: number;
}

/** `lines`: of an indexer's log, from a strike on. */
export function toldIn(lines: readonly string[], places: Strike['places']): Told {
  const events = new Set<number>();
  let records = 0;
  for (const line of lines) {
    if (!line.includes('records_lost')) continue;
    const { partition, from, to } = JSON.parse(line) as { partition: number; from: number; to: number };
    records += to - from;
    for (let offset = from; offset < to; offset++) {
      for (const event of places.get(`${partition}/${offset}`) ?? []) events.add(event);
    }
  }
  return { events, records };
}

export function compareLoss(
  books: Books,
  told: readonly { readonly sender: number; readonly told: Told }[],
  recordsCounted: number,
): LossCounts {
  const toldNames = new Set(told.flatMap(({ sender, told }) => [...told.events].map((event) => `${sender}/${event}`)));
  const lostNames = new Set([...books.lost()].map(({ sender, event }) => `${sender}/${event}`));
  return {
    lost: lostNames.size,
    told: toldNames.size,
    untold: lostNames.difference(toldNames).size,
    falselyTold: toldNames.difference(lostNames).size,
    duplicated: books.count().duplicated,
    recordsTold: told.reduce((sum, { told }) => sum + told.records, 0),
    recordsCounted,
  };
}
