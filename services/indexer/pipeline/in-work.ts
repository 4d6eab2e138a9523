// Whether more of a partition may still come to what waits to be joined, although the queue is not asked for it now.

import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Ledger } from '../settle/ledger.ts';

export interface InWorkOptions {
  readonly budget: ByteBudget;
  readonly ledger: Ledger;
  readonly joins: { readonly events: number };
}

interface Suspects {
  readonly isEmpty: boolean;
  isWaitedFor(partition: number): boolean;
}

/**
 * Of a partition. `busy`: what was fetched is in work, or reading waits for room that will be. `full`: only what waits
 * to be joined takes the room. Null: all that was fetched of the partition is read, and fetching goes on.
 */
export function inWork(
  { budget, joins, ledger }: InWorkOptions,
  ahead: { readonly isEmpty: boolean },
  suspects: Suspects,
): (partition: number) => 'busy' | 'full' | null {
  return (partition) => {
    if (!ahead.isEmpty || suspects.isWaitedFor(partition)) return 'busy';
    if (budget.hasRoom) return null;
    return suspects.isEmpty && ledger.inFlight === joins.events ? 'full' : 'busy';
  };
}
