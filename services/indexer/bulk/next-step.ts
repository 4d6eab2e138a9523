// What the writer does next, as one pure table: from what came back, and what is known beside it, to a step. The writer
// only carries steps out. So every answer of a store can be tested as a row, without a store, a clock or a queue.
//
//   what came back                            probe            step
//   ────────────────────────────────────────  ───────────────  ─────────────────────────────────────────────────
//   an answer with an outcome for every item  –                settle
//   request failed: away, 429, no answer      –                retry, under the same ids
//   request failed: unauthorized, unknown     –                wait for store
//   request failed: body too large            –                split; one item alone: reject
//   request failed: body refused              not asked        probe
//                                             accepted         split; one item: retry as suspect, then reject
//                                             index refuses    wait for index
//                                             store refuses    wait for store
//                                             unknown          retry
//   items: retry (429, 408, 5xx)              –                retry
//   items: blocked, or the operator's fault   –                wait for index
//   items: refused, a neighbour accepted      –                reject
//   items: refused                            accepted         retry as suspect, then reject
//                                             otherwise        as for "body refused"
//
// Guarantees: nothing is rejected for what a probe of ours is refused for too, or before a second refusal follows an
// accepted probe. Once the writer is stopped, nothing new is found to be somebody's fault.

import { reasonOf } from '#shared/errors.ts';
import { type ItemVerdict, type RefusedItem, requestVerdict } from '../settle/outcomes.ts';
import type { ProbeVerdict } from './probe.ts';

/** Items of one answer that have no outcome yet: all with this verdict, and all refused ones of the same index. */
export interface OpenItems {
  readonly kind: 'items';
  readonly verdict: Exclude<ItemVerdict, 'indexed' | 'deduplicated'>;
  /** What the store said of the first. */
  readonly reason: string;
  /** The same answer shows that their index accepts documents: then the items themselves are to blame. */
  readonly isIndexAccepting: boolean;
}

/** `answered`: every item has an outcome; those that are not settled by it are looked at as `items`. */
export type Result = { readonly kind: 'answered' } | { readonly kind: 'failed'; readonly error: Error } | OpenItems;

export interface Context {
  /** Items in the batch. */
  readonly items: number;
  /** The items were refused before, and a probe after that was accepted. */
  readonly isSuspect: boolean;
  /** The writer gives everything up. */
  readonly isStopped: boolean;
  /** What a probe met that began after the refusal; null: none was asked for yet. */
  readonly probe: ProbeVerdict | null;
}

/**
 * settle          report to the ledger what is done, then decide for the items that are not
 * retry           the same items again after a pause; as suspects: the next refusal may be their own fault
 * probe           ask whether anybody's document would be refused, then decide again
 * wait for index  queue them until their index accepts documents
 * wait for store  queue them until the store accepts requests
 * split           two requests in place of one
 * reject          once more as text, then to the dead letters; `refusal` is null where each item has its own
 */
export type Step =
  | { readonly kind: 'settle' | 'probe' }
  | { readonly kind: 'retry'; readonly asSuspect: boolean }
  | { readonly kind: 'wait for index' | 'wait for store'; readonly reason: string }
  | { readonly kind: 'split'; readonly isTooLarge: boolean }
  | { readonly kind: 'reject'; readonly refusal: RefusedItem | null };

const SETTLE: Step = { kind: 'settle' };
const PROBE: Step = { kind: 'probe' };
const RETRY: Step = { kind: 'retry', asSuspect: false };
const RETRY_AS_SUSPECT: Step = { kind: 'retry', asSuspect: true };
const REJECT: Step = { kind: 'reject', refusal: null };

export function nextStep(result: Result, context: Context): Step {
  switch (result.kind) {
    case 'answered':
      return SETTLE;
    case 'failed':
      return afterFailure(result.error, context);
    case 'items':
      return forItems(result, context);
  }
}

function afterFailure(error: Error, { items, isSuspect, isStopped, probe }: Context): Step {
  const verdict = requestVerdict(error);
  if (verdict === 'halve') {
    if (items > 1) return { kind: 'split', isTooLarge: true };
    return { kind: 'reject', refusal: { reason: 'document_too_large', error: reasonOf(error) } };
  }
  if (verdict === 'again' || isStopped) return RETRY;
  if (verdict === 'operator') return { kind: 'wait for store', reason: reasonOf(error) };
  if (probe?.kind !== 'accepted') return byProbe(probe);
  if (items > 1) return { kind: 'split', isTooLarge: false };
  if (!isSuspect) return RETRY_AS_SUSPECT;
  return { kind: 'reject', refusal: { reason: 'document_refused', error: reasonOf(error) } };
}

function forItems({ verdict, reason, isIndexAccepting }: OpenItems, { isSuspect, isStopped, probe }: Context): Step {
  if (verdict === 'retry') return RETRY;
  if (verdict !== 'refused') return { kind: 'wait for index', reason };
  if (isIndexAccepting) return REJECT;
  if (probe?.kind === 'accepted') return isSuspect ? REJECT : RETRY_AS_SUSPECT;
  return isStopped && probe !== null ? RETRY : byProbe(probe);
}

/** What a refusal means while no probe was accepted. */
function byProbe(probe: ProbeVerdict | null): Step {
  if (probe === null) return PROBE;
  if (probe.kind === 'index refuses') return { kind: 'wait for index', reason: probe.reason };
  if (probe.kind === 'store refuses') return { kind: 'wait for store', reason: probe.reason };
  return RETRY;
}
