// Whether exactly the lost events were reported as lost, event by event. Pure.

import type { Books } from './books.ts';

export interface Strike {
  /** Whose events it hit. */
  readonly sender: number;
  /** Where its lines begin in the indexer's log. */
  readonly logFrom: number;
  /** Events by "partition/offset", before it struck. */
  readonly places: ReadonlyMap<string, readonly number[]>;
}

export interface ReportedLosses {
  /** Numbers of the sender's events. */
  readonly events: ReadonlySet<number>;
  readonly records: number;
}

export interface LossCounts {
  readonly lost: number;
  readonly reported: number;
  /** Lost and not reported, reported and not lost. */
  readonly unreported: number;
  readonly falselyReported: number;
  readonly duplicated: number;
  /** By the lines of the log, and by the counter. */
  readonly recordsReported: number;
  readonly recordsCounted: number;
}

/** `lines`: of an indexer's log, from a strike on. */
export function reportedIn(lines: readonly string[], places: Strike['places']): ReportedLosses {
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
  strikes: readonly { readonly sender: number; readonly reported: ReportedLosses }[],
  recordsCounted: number,
): LossCounts {
  const reportedNames = new Set(
    strikes.flatMap(({ sender, reported }) => [...reported.events].map((event) => `${sender}/${event}`)),
  );
  const lostNames = new Set([...books.lost()].map(({ sender, event }) => `${sender}/${event}`));
  return {
    lost: lostNames.size,
    reported: reportedNames.size,
    unreported: lostNames.difference(reportedNames).size,
    falselyReported: reportedNames.difference(lostNames).size,
    duplicated: books.count().duplicated,
    recordsReported: strikes.reduce((sum, { reported }) => sum + reported.records, 0),
    recordsCounted,
  };
}
