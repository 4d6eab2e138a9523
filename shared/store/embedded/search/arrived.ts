// What came into the store behind a place, for whoever follows it. A place is the number of a document: numbers are
// given in the order of the commits, and none changes, whatever is merged or converted. So nothing is missed, and
// nothing comes twice, at any rate and by any clock.

import type { Arrived, Arriving, StoredDocument } from '../../store.ts';
import type { CountStart, OrderedRows, Row } from './row-page.ts';

interface ArrivingRows {
  /** That of the database. */
  readonly inOrder: (start: CountStart) => OrderedRows | Promise<OrderedRows>;
  readonly documentOf: (row: Row) => StoredDocument;
}

/** As `Store.arrived` says. */
export async function arrivedIn(
  query: Arriving,
  after: number | null,
  { inOrder, documentOf }: ArrivingRows,
): Promise<Arrived> {
  const rows = { after: after ?? Infinity, to: Infinity };
  const { rows: found, next, to } = await inOrder({ query: { ...query, order: 'oldest', limit: Infinity }, rows });
  return { documents: found.map(documentOf), place: to, isMore: next !== null };
}
