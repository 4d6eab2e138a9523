// Counts in spans of time, summed over the steps that a count takes: the store has turns for other things in between.

import type { StoreQuery } from '../../store.ts';
import { SPANS_MAX } from './block-counts.ts';
import type { Counted, CountStart } from './row-page.ts';

/** As `Store.counts` says. */
export async function spanCounts(
  query: Omit<StoreQuery, 'limit'>,
  everyMs: number | null,
  count: (start: CountStart) => Promise<Counted>,
): Promise<ReadonlyMap<number, number> | null> {
  const sums = new Map<number, number>();
  for (let rows: CountStart['rows'] = null; ;) {
    const { spans, next } = await count({ query: { ...query, limit: 0 }, rows, everyMs });
    if (spans === null) return null;
    for (const [span, documents] of spans) sums.set(span, (sums.get(span) ?? 0) + documents);
    if (sums.size > SPANS_MAX) return null;
    if (next === null) return sums;
    rows = next;
  }
}
