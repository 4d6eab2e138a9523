// Counts what a query finds, all steps of it. `between`: called between them.

import type { DocumentDatabase } from '#shared/store/embedded/database.ts';
import type { CountStart } from '#shared/store/embedded/search/row-page.ts';
import type { StoreQuery } from '#shared/store/store.ts';

export function countAll(database: DocumentDatabase, query: StoreQuery, between: () => void = () => undefined): number {
  let sum = 0;
  for (let rows: CountStart['rows'] = null; ; between()) {
    const { count, next } = database.count({ query, rows });
    sum += count;
    if (next === null) return sum;
    rows = next;
  }
}
