// Decompresses request bodies, within the room that there is for bodies and the budget that all inputs share.
//
// Guarantees: the memory that a body may grow to is taken before it is opened, so each bomb waits for its own memory.
// Small bodies have a budget of their own, and senders take turns at it. A body is first opened within what bodies of
// its size usually need; only one that needs more is opened a second time.

import type { IncomingMessage } from 'node:http';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import { SluiceError } from '#shared/errors.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import { believedBytes, UNPACKING_COPIES } from '../frames/unpacker.ts';
import { FairSlots } from '../turns/fair-slots.ts';
import type { RequestWait } from '../turns/request-wait.ts';
import { type BodyRoom, isLarge } from './body-room.ts';

export interface BodyDecompressorOptions {
  readonly room: BodyRoom;
  /** What compressed bytes may grow to, of all inputs together. */
  readonly unpacking: ByteBudget;
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

export class BodyDecompressor {
  readonly #options: BodyDecompressorOptions;
  readonly #smallUnpacking: ByteBudget;
  /** Senders take turns at `#smallUnpacking`. */
  readonly #smallSlots = new FairSlots(1);

  constructor(options: BodyDecompressorOptions) {
    this.#options = options;
    this.#smallUnpacking = new ByteBudget(Math.max(1, options.smallReserveBytes));
  }

  /** Rejects with decompressed_too_large, body_malformed, intake_full, or request_malformed if the request is gone. */
  async decompress(body: Buffer, compression: Compression, options: DecompressOptions): Promise<Buffer> {
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
    body: Buffer,
    compression: Compression,
    { held, sender, request }: DecompressOptions,
  ): Promise<Buffer> {
    using _permit = await this.#permit(bytesMax, sender, request ?? null);
    const unpacked = await decompress(body, compression, bytesMax);
    held.use(this.#options.hold(unpacked.length, sender));
    return unpacked;
  }

  /** For what a body may grow to, with the copy that zlib makes of its pieces. */
  async #permit(bytesMax: number, sender: string, request: IncomingMessage | null): Promise<Permit> {
    const { room, smallReserveBytes, unpacking } = this.#options;
    const bytes = UNPACKING_COPIES * bytesMax;
    const isSmall = !isLarge(bytesMax) && bytes <= smallReserveBytes;
    const budget = isSmall ? this.#smallUnpacking : unpacking;
    // A sender has one large body opened at a time, and those behind it hold its share until it is done.
    const hasRoom = (): boolean => (isLarge(bytesMax) ? room.forAll() : room.for(bytesMax, sender));
    using wait = this.#options.waitFor(request);
    for (;;) {
      await room.until(hasRoom, wait.signal);
      using _turn = isSmall ? await this.#smallSlots.enter(sender, wait.signal) : null;
      const permit = await budget.acquire(bytes, wait.signal);
      // The room may have run out while the budget was waited for.
      if (hasRoom()) return permit;
      permit[Symbol.dispose]();
    }
  }
}
