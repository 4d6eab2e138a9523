// The messages between the primary and its workers, over the channel of node:cluster (structured clones). Their form
// must stay: after an upgrade, SIGHUP makes an old primary start new workers.
//
//   primary                      worker
//           ◄── up ──────────────        it has started: it listens, or is about to join its group
//           ─── ask 7 ──────────►
//           ◄── told 7, snapshot ─       its metrics and why it is not ready
//           ─── stop ───────────►        an orderly stop
//           ◄── told 0, snapshot ─       its last, before it exits
//
// `stop` is a message because a terminal sends signals to all processes: the worker would take one more for its second.

import type { HeldFamily } from '#shared/exposition.ts';

/** The state of a worker. */
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
