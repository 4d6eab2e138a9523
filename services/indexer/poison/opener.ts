// Whoever tries out a record before the indexer opens it by itself. One implementation starts a child process
// (child-opener.ts); tests and simulations give their own.

import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { Harm } from '../settle/harm.ts';

export type OpeningResult =
  | { readonly kind: 'well' }
  /** `events`: as many as its table speaks of; 1 where that could not be read. */
  | { readonly kind: 'poison'; readonly harm: Harm; readonly what: string; readonly events: number };

export interface RecordOpener extends AsyncDisposable {
  /** Why no record can be tried now; null while they can. */
  readonly unhealthyReason: string | null;
  /**
   * Tries a record; waits for as long as that cannot be done. Rejects only with the signal's reason. One call at a
   * time.
   * @param hasFailed indexers have ended with whoever tried records out here
   */
  open(record: FetchedRecord, signal: AbortSignal, hasFailed?: boolean): Promise<OpeningResult>;
}
