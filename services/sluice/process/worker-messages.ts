// What the primary and its workers say to each other, over the channel that node:cluster gives them (structured
// clones).
//
//   primary                      worker
//           ◄── up ──────────────        it has begun: it listens, or is about to join its group
//           ─── ask 7 ──────────►
//           ◄── told 7, snapshot ─       its metrics and why it is not ready
//           ─── stop ───────────►        in order; a signal would be a second one where the whole group of processes got the first
//           ◄── told 0, snapshot ─       its last, before it exits

import type { HeldFamily } from '#shared/exposition.ts';

/** What a worker tells of itself. */
export interface Snapshot {
  readonly families: readonly HeldFamily[];
  /** Empty while all is well. */
  readonly unready: readonly string[];
}

export type ToWorker =
  { readonly kind: 'ask'; readonly question: number } | { readonly kind: 'stop'; readonly reason: string };

export type ToPrimary =
  | { readonly kind: 'up' }
  | { readonly kind: 'told'; /** 0: nobody asked. */ readonly question: number; readonly snapshot: Snapshot };
