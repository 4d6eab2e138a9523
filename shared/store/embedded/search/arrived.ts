// What came into the store behind a place, for whoever follows it. A place is the number of a document: numbers are
// given in the order of the commits, and none changes, whatever is merged or converted. So nothing is missed, and
// nothing comes twice, at any rate and by any clock.

import type { Arrived, Arriving } from '../../store.ts';
import { type CountStart, type OrderedRows, storedDocument } from './row-page.ts';

/** As `Store.arrived` says; `inOrder`: that of the database. */
export async function arrivedIn(
  query: Arriving,
  after: number | null,
  inOrder: (start: CountStart) => OrderedRows | Promise<OrderedRows>,
): Promise<Arrived> {
  const rows = { after: after ?? Infinity, to: Infinity };
  const { rows: found, next, to } = await inOrder({ query: { ...query, order: 'oldest', limit: Infinity }, rows });
  return { documents: found.map(storedDocument), place: to, isMore: next !== null };
}
