// What the indexer and the child process that opens records say to each other, and what the child may use. Plain
// values, for they are copied. Their form must stay: after an upgrade in place, a process of the version before starts
// the child of this one.

import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { Harm } from '../settle/harm.ts';
import type { OpeningOptions, Progress } from './record-trial.ts';

export interface OpeningLimits {
  /**
   * Of the processor's time between two turns of the event loop: what an indexer would not answer its group for. A busy
   * machine is not the record's fault.
   */
  readonly turnMs: number;
  /** Of time in which the child ran, for one record: of one that waits for ever. */
  readonly runMs: number;
  /** Of V8's heap. */
  readonly heapMb: number;
  /** Of resident memory, beyond what the child had before its first record. */
  readonly growthBytes: number;
}

export type ToChild =
  | { readonly kind: 'begin'; readonly options: OpeningOptions; readonly limits: OpeningLimits }
  | { readonly kind: 'open'; readonly record: FetchedRecord };

export type ToParent =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'well' }
  /**
   * The record makes it take far more memory than nearly any other would: if the kernel ends it now, the record is to
   * blame.
   */
  | { readonly kind: 'grown' }
  /** The child ends itself after this. */
  | { readonly kind: 'harmed'; readonly harm: Harm; readonly what: string };
