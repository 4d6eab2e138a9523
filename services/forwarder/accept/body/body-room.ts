// The room for request bodies. Large bodies leave a reserve to small ones. A sender may hold as much of the reserve as
// is still free. Of the room for large bodies it may hold three times what is still free, or fifteen times
// with a single body. So whoever comes next always finds some room.

import { unlessAborted } from '#shared/abort.ts';
import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import type { Room } from '../../intake/chunk.ts';
import type { DynamicShares } from '../turns/dynamic-shares.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';
import { RecheckTimer } from '../turns/recheck-timer.ts';

/** One sender may hold three quarters of the room for large bodies, two may hold three sevenths each. */
const LARGE_SHARE_OF_FREE = 3;
/**
 * One body of a sender that has its share may grow up to this share, lest the sender's bodies wait for each other. It
 * leaves a sixteenth.
 */
const ONE_LARGE_OF_FREE = 15;

export interface BodyRoomOptions {
  readonly intakeRoom: Room;
  /** Of all bodies together. */
  readonly budget: ByteBudget;
  /** What senders hold of small bodies, and of large ones. */
  readonly shares: { readonly small: DynamicShares; readonly large: DynamicShares };
  readonly clock: Clock;
  /** Bytes of all bodies at which reading of large ones stops. */
  readonly heldBytesMax: number;
  /** Small ones may hold this much beyond it. */
  readonly smallReserveBytes: number;
}

export class BodyRoom {
  readonly #options: BodyRoomOptions;
  readonly #recheck: RecheckTimer;

  constructor(options: BodyRoomOptions) {
    this.#options = options;
    this.#recheck = new RecheckTimer(options.clock);
  }

  /** Whether intake has room, whatever bodies hold. */
  get ofIntake(): boolean {
    return this.#options.intakeRoom.hasRoom;
  }

  /** Resolves when intake has room. Rejects with the signal's reason. */
  async untilIntake(over: AbortSignal): Promise<void> {
    const { intakeRoom } = this.#options;
    while (!intakeRoom.hasRoom) await unlessAborted(intakeRoom.room(over), over);
    over.throwIfAborted();
  }

  /** Whether there is room for bodies of any kind. */
  forAll(): boolean {
    return this.#options.budget.hasRoom && this.#options.intakeRoom.hasRoom;
  }

  /** For a body of so many bytes, as far as is known. */
  for(bytes: number, sender: string): boolean {
    if (isLarge(bytes)) return this.forLargeOf(sender);
    return this.forAll() || this.forSmallOf(sender);
  }

  /** For large bodies of this sender. */
  forLargeOf(sender: string): boolean {
    return this.#isWithinShare(sender, LARGE_SHARE_OF_FREE);
  }

  /** For one large body of this sender alone. */
  forOneLargeOf(sender: string): boolean {
    return this.#isWithinShare(sender, ONE_LARGE_OF_FREE);
  }

  /** For small bodies, if not for all. */
  forSmall(): boolean {
    return this.#freeForSmall > 0;
  }

  /** For small bodies of this sender. */
  forSmallOf(sender: string): boolean {
    const free = this.#freeForSmall;
    return free > 0 && this.#options.shares.small.fits(sender, 0, free);
  }

  #isWithinShare(sender: string, shareOfFree: number): boolean {
    const { budget, heldBytesMax, shares } = this.#options;
    const free = heldBytesMax - budget.bytesHeld;
    return this.forAll() && shares.large.fits(sender, 0, shareOfFree * free);
  }

  get #freeForSmall(): number {
    const { budget, heldBytesMax, intakeRoom, smallReserveBytes } = this.#options;
    return intakeRoom.hasRoom ? heldBytesMax + smallReserveBytes - budget.bytesHeld : 0;
  }

  /** Resolves when it is worth asking again. `over` aborts when nobody waits any more. */
  changed(over?: AbortSignal): Promise<void> {
    const { budget, intakeRoom } = this.#options;
    if (!budget.hasRoom) return budget.room(over);
    // A sender has used up its share of the room; nothing reports when that changes.
    return intakeRoom.hasRoom ? this.#recheck.next() : intakeRoom.room(over);
  }

  /** Resolves when `hasRoom` does. Rejects with the signal's reason. */
  async until(hasRoom: () => boolean, over: AbortSignal): Promise<void> {
    while (!hasRoom()) await unlessAborted(this.changed(over), over);
    over.throwIfAborted();
  }
}

/** Whether a body of so many bytes is large. */
export function isLarge(bytes: number): boolean {
  return bytes > LARGE_BODY_BYTES;
}
