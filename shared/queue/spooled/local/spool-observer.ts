// What a spool reports as it happens: for the ledger of the edge, the metrics and the log. Each call comes in the same
// step as the change, so that a ledger that is read in between closes.

export interface SpoolObserver {
  /** The spool holds events that intake has in hand. */
  spooled(events: number): void;
  /**
   * The spool holds events that nobody here has in hand: another process, or this one before its restart, left them.
   */
  found(events: number): void;
  /** The queue behind the spool holds events now. */
  fed(events: number): void;
  /** The queue will never take these; the dead letters hold them. */
  deadLettered(events: number, reason: string): void;
  /** Events that were given up: the oldest of a full spool, or those of a damaged one. */
  dropped(events: number, reason: DropReason): void;
  /** Everything goes through the spool from here on. */
  entered(reason: string): void;
  /** The spool is empty: everything goes to the queue itself again. `events` were fed in between. */
  left(spell: { readonly events: number; readonly ms: number }): void;
  /** An append found no room, or could not be written. */
  failing(reason: string): void;
  /** The queue behind the spool did not take what it was fed; it is tried again. */
  stuck(reason: string): void;
}

/** A metric label. */
export type DropReason = 'spool_full' | 'spool_damaged';

const ignore = (): void => undefined;

/** Nobody listens. */
export const silentObserver: SpoolObserver = {
  spooled: ignore,
  found: ignore,
  fed: ignore,
  deadLettered: ignore,
  dropped: ignore,
  entered: ignore,
  left: ignore,
  failing: ignore,
  stuck: ignore,
};
