// Decompresses request bodies, within the room that there is for bodies and the budget that all inputs share.
//
// Guarantees: the memory that a body may grow to, and that of what is made of it, is taken before it is opened, so each
// bomb waits for its own memory. Small bodies have a budget of their own, and senders take turns at it; so have those
// of middle size. A body is first opened within what bodies of its size usually need; only one that needs more is
// opened a second time.

import type { IncomingMessage } from 'node:http';
import { unlessAborted } from '#shared/abort.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import { believedBytes } from '../frames/unpacker.ts';
import type { DynamicShares } from '../turns/dynamic-shares.ts';
import { FairSlots } from '../turns/fair-slots.ts';
import { RecheckTimer } from '../turns/recheck-timer.ts';
import type { RequestWait } from '../turns/request-wait.ts';
import { type BodyRoom, isLarge } from './body-room.ts';

export interface BodyDecompressorOptions {
  readonly room: BodyRoom;
  /** What large bodies may grow to with what is made of them, of all inputs together. */
  readonly large: ByteBudget;
  /**
   * What was made of large bodies and is not stored yet. A sender has none opened or converted while it has as much of
   * it as it leaves free.
   */
  readonly made: DynamicShares;
  readonly clock: Clock;
  /** The most bytes of a body. */
  readonly bodyBytesMax: number;
  /** What small bodies may grow to together. */
  readonly smallReserveBytes: number;
  /** Counts bytes as the sender's until it is disposed of. */
  readonly hold: (bytes: number, sender: string) => Disposable;
  readonly waitFor: (request: IncomingMessage | null) => RequestWait;
}

export interface DecompressOptions {
  readonly held: DisposableStack;
  readonly sender: string;
  /** Awaited before a body is opened that may be large. */
  readonly takeTurn: () => Promise<void>;
  /** Whose body it is: when its connection is gone, nothing is waited for any more. */
  readonly request?: IncomingMessage;
}

export interface Decompressed {
  readonly body: Buffer;
  /** The memory of a large body and of what is made of it, for the caller to give back. Null: it is small. */
  readonly large: Permit | null;
}

/** A body, and what is made of it: about its size. */
export const BODY_COPIES = 2;
/**
 * Of bodies that are believed to be of middle size, so many of the largest such are opened at once. They do not wait
 * for the largest, which are opened and converted one after another.
 */
const MEDIUM_AT_ONCE = 4;

export class BodyDecompressor {
  readonly #options: BodyDecompressorOptions;
  readonly #smallUnpacking: ByteBudget;
  readonly #mediumUnpacking: ByteBudget;
  readonly #recheck: RecheckTimer;
  /** Senders take turns at `#smallUnpacking`. */
  readonly #smallSlots = new FairSlots(1);

  constructor(options: BodyDecompressorOptions) {
    this.#options = options;
    this.#smallUnpacking = new ByteBudget(Math.max(1, options.smallReserveBytes));
    this.#mediumUnpacking = new ByteBudget(Math.max(1, options.bodyBytesMax / 2));
    this.#recheck = new RecheckTimer(options.clock);
  }

  /**
   * Rejects with decompressed_too_large, body_malformed, intake_full, or request_malformed if the request is gone.
   */
  async decompress(body: Buffer, compression: Compression, options: DecompressOptions): Promise<Decompressed> {
    const { bodyBytesMax } = this.#options;
    const believed = believedBytes(body.length, bodyBytesMax);
    if (isLarge(believed)) await options.takeTurn();
    const unpacked = await this.#decompressWithin(believed, body, compression, options).catch((error: unknown) => {
      const grows = error instanceof SluiceError && error.code === 'decompressed_too_large' && believed < bodyBytesMax;
      if (!grows) throw error;
      return null;
    });
    if (unpacked) return unpacked;
    await options.takeTurn();
    return this.#decompressWithin(bodyBytesMax, body, compression, options);
  }

  async #decompressWithin(
    bytesMax: number,
    packed: Buffer,
    compression: Compression,
    { held, sender, request }: DecompressOptions,
  ): Promise<Decompressed> {
    using taken = new DisposableStack();
    const { bytes, budget } = this.#needOf(bytesMax);
    const isLargest = budget === this.#options.large;
    const permit = isLargest
      ? await this.acquireLarge(bytes, sender, request ?? null)
      : await this.#acquireMedium(bytes, budget, { bytesMax, sender, request: request ?? null });
    taken.use(permit);
    const body = await decompress(packed, compression, bytesMax);
    held.use(this.#options.hold(body.length, sender));
    if (!isLargest || !isLarge(body.length)) return { body, large: null };
    permit.shrinkTo(BODY_COPIES * body.length);
    taken.move();
    return { body, large: permit };
  }

  /** What may be needed for a body, with what is made of it, and of which budget. */
  #needOf(bytesMax: number): { readonly bytes: number; readonly budget: ByteBudget } {
    const { smallReserveBytes, large } = this.#options;
    const bytes = BODY_COPIES * bytesMax;
    if (!isLarge(bytesMax) && bytes <= smallReserveBytes) return { bytes, budget: this.#smallUnpacking };
    return { bytes, budget: bytes <= this.#mediumUnpacking.bytesMax / MEDIUM_AT_ONCE ? this.#mediumUnpacking : large };
  }

  /** To open a body that is not among the largest, and to give it back at once. */
  async #acquireMedium(
    bytes: number,
    budget: ByteBudget,
    { bytesMax, sender, request }: { bytesMax: number; sender: string; request: IncomingMessage | null },
  ): Promise<Permit> {
    const { room } = this.#options;
    // A sender has one large body opened at a time, and those behind it hold its share until it is done.
    const hasRoom = (): boolean => (isLarge(bytesMax) ? room.forAll() : room.for(bytesMax, sender));
    using wait = this.#options.waitFor(request);
    for (;;) {
      await room.until(hasRoom, wait.signal);
      using _turn = budget === this.#smallUnpacking ? await this.#smallSlots.enter(sender, wait.signal) : null;
      const permit = await budget.acquire(bytes, wait.signal);
      // The room may have run out while the budget was waited for.
      if (hasRoom()) return permit;
      permit[Symbol.dispose]();
    }
  }

  /**
   * Memory to open one of the largest bodies, or to convert a large one. It is not asked what bodies hold that are
   * being read: they would have to be done first, and may wait for this one. It is asked what was made of others and is
   * not stored yet. Rejects with intake_full, or request_malformed.
   */
  async acquireLarge(bytes: number, sender: string, request: IncomingMessage | null): Promise<Permit> {
    const { room, large, made } = this.#options;
    // What will be made of it has to fit too. A sender alone may have a body of the largest size, and something is left
    // for the next one.
    const needed = Math.min(bytes, large.bytesMax);
    const madeBytes = needed / BODY_COPIES;
    const mayBegin = (): boolean => made.bytes + madeBytes <= made.bytesMax && made.fits(sender, 0);
    using wait = this.#options.waitFor(request);
    for (;;) {
      await room.untilIntake(wait.signal);
      while (!mayBegin()) await unlessAborted(this.#recheck.next(), wait.signal);
      const permit = await large.acquire(needed, wait.signal);
      if (room.ofIntake && mayBegin()) return permit;
      permit[Symbol.dispose]();
    }
  }
}
