// Reads request bodies, bounded: by size each, by bytes held altogether, and by time where there is no room for them.
// Large bodies leave room for small ones: a reserve of memory, for bodies as sent and for what they grow to, and a share of the work.
// Of the reserve a sender has no more than he leaves free.
//
// Guarantees: a body over its limit is refused before its bytes are read, or at the piece that goes over; while bodies or intake are
// full, no body is read any further, and after `waitMs` a request that waits is refused so that its bytes are free again (bodies that
// wait for each other cannot stand still for ever); the memory that a compressed body may grow to is taken before it is opened.

import type { IncomingMessage } from 'node:http';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { HeldPieces } from '#shared/msgpack/held-pieces.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import type { Intake } from '../chunk.ts';
import { BodyFlow } from './body-flow.ts';
import { BodyPermit } from './body-permit.ts';
import { DynamicShares } from './dynamic-shares.ts';
import { EndlessBodies, type PiecesOptions } from './endless-body.ts';
import { FairTurns } from './fair-turns.ts';
import { LARGE_BODY_BYTES, LargeTurns } from './large-turns.ts';
import { believedBytes, UNPACKING_COPIES } from './unpacker.ts';

/** What a piece costs beyond its bytes. Small ones are copied together, which costs as much again as they have. */
const PIECE_OVERHEAD_BYTES = 512;

export interface BodyReaderOptions {
  readonly intake: Pick<Intake, 'hasRoom' | 'room'>;
  readonly clock: Clock;
  /** Most bytes of a body, as sent and uncompressed. */
  readonly bodyBytesMax: number;
  /** Bytes of all bodies at which reading of large ones stops. */
  readonly heldBytesMax: number;
  /** Of small ones it stops when so many more are held; as much again is kept for what they grow to. */
  readonly smallReserveBytes: number;
  /** What compressed bytes may grow to, of all inputs together. */
  readonly unpacking: ByteBudget;
  /** How long a request waits for room. */
  readonly waitMs: number;
  /** How long a whole body may take to come in. */
  readonly timeoutMs: number;
}

/** Whose body is read, and what is to be done before its first byte is asked for (100 Continue). */
export interface ReadOptions {
  readonly held: DisposableStack;
  readonly sender: string;
  readonly begin: () => void;
}

export interface DecompressOptions {
  readonly held: DisposableStack;
  readonly sender: string;
  /** Awaited before a body is opened that may be large. */
  readonly takeTurn: () => Promise<void>;
}

export class BodyReader {
  readonly #options: BodyReaderOptions;
  readonly #budget: ByteBudget;
  /** What senders hold of small bodies. */
  readonly #small: DynamicShares;
  readonly #endless: EndlessBodies;
  readonly #smallUnpacking: ByteBudget;
  /** Who asks it next. */
  readonly #smallTurns = new FairTurns(1);
  readonly #largeTurns: LargeTurns;
  readonly #flow: BodyFlow;

  constructor(options: BodyReaderOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.heldBytesMax);
    this.#smallUnpacking = new ByteBudget(Math.max(1, options.smallReserveBytes));
    this.#small = new DynamicShares(options.smallReserveBytes);
    const { clock, waitMs, timeoutMs } = options;
    const room = {
      forAll: () => this.#hasRoom,
      forSmall: () => this.#freeForSmall > 0,
      forSmallOf: (sender: string) => this.#hasRoomForSmallOf(sender),
      changed: () => this.#roomChanged(),
    };
    this.#flow = new BodyFlow({ room, clock, waitMs });
    this.#largeTurns = new LargeTurns({ clock, waitMs, tooBusy });
    this.#endless = new EndlessBodies({
      clock,
      waitMs,
      timeoutMs,
      tooBusy,
      take: (bytes, sender) => this.take(bytes, sender),
      begunBytesMax: options.heldBytesMax + options.smallReserveBytes,
      room: (bytes, sender) => this.#room(bytes, sender),
    });
  }

  get bytesHeld(): number {
    return this.#budget.bytesHeld;
  }

  /**
   * The whole body as sent. `held` keeps its bytes counted until it is disposed of. Rejects with body_too_large, intake_full,
   * request_malformed, request_timeout.
   */
  async read(request: IncomingMessage, { held, sender, begin }: ReadOptions): Promise<Buffer> {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > this.#options.bodyBytesMax) throw this.#tooLarge();
    await this.#room(announced, sender, request);
    begin();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const pieces = new HeldPieces();
    const permit = held.use(this.#permit(PIECE_OVERHEAD_BYTES, sender, announced));
    const onOverdue = () => reject(tooBusy());
    using _flowing = this.#flow.enter(request, { sender, bytes: announced, onOverdue });
    const onData = (piece: Buffer) => {
      if (pieces.bytes + piece.length > this.#options.bodyBytesMax) {
        reject(this.#tooLarge());
        return;
      }
      pieces.hold(piece, 0);
      permit.grow(piece.length + Math.min(piece.length, PIECE_OVERHEAD_BYTES));
      this.#flow.took(request, pieces.bytes);
    };
    const onEnd = () => resolve(joined(pieces.take()));
    const onClose = () => reject(closed());
    const { clock, timeoutMs } = this.#options;
    using _timer = clock.timer(timeoutMs, () => {
      reject(new SluiceError('request_timeout', 'Cannot read the body: it did not come in time'));
    });
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
    try {
      return await promise;
    } finally {
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      // What is left of a refused body is passed over, so that its sender can hear the answer.
      request.resume();
    }
  }

  /** The body as it comes, without a limit on all of it. Throws as `read` does. */
  pieces(request: IncomingMessage, options: PiecesOptions): AsyncGenerator<Buffer, void, undefined> {
    return this.#endless.pieces(request, options);
  }

  /** Counts bytes as held until the permit is disposed of, as the sender's where they are few. */
  take(bytes: number, sender: string | null = null): Disposable {
    return this.#permit(bytes, sender);
  }

  #permit(bytes: number, sender: string | null, announced = 0): BodyPermit {
    return new BodyPermit(bytes, { budget: this.#budget, shares: this.#small, sender, announced });
  }

  /** The sender's turn to have a large body opened and converted. Rejects with intake_full. */
  largeTurn(sender: string): Promise<Disposable> {
    return this.#largeTurns.take(sender);
  }

  /** Rejects with decompressed_too_large, body_malformed, intake_full. */
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
    { held, sender }: DecompressOptions,
  ): Promise<Buffer> {
    // All that it may grow to is taken first, with the copy that zlib makes of its pieces: a bomb has its room to itself.
    using _permit = await this.#unpackingPermit(bytesMax, sender);
    const unpacked = await decompress(body, compression, bytesMax);
    held.use(this.#permit(unpacked.length, sender));
    return unpacked;
  }

  /** Those who waited for the one may find that the other ran out. */
  async #unpackingPermit(bytesMax: number, sender: string): Promise<Permit> {
    const { clock, waitMs, smallReserveBytes, unpacking } = this.#options;
    const bytes = UNPACKING_COPIES * bytesMax;
    const isSmall = !isLarge(bytesMax) && bytes <= smallReserveBytes;
    const budget = isSmall ? this.#smallUnpacking : unpacking;
    const overdue = new AbortController();
    using _timer = clock.timer(waitMs, () => overdue.abort(tooBusy()));
    for (;;) {
      await this.#room(bytesMax, sender);
      using _turn = isSmall ? await this.#smallTurns.enter(sender, overdue.signal) : null;
      const permit = await budget.acquire(bytes, overdue.signal);
      if (this.#hasRoomFor(bytesMax, sender)) return permit;
      permit[Symbol.dispose]();
    }
  }

  get #hasRoom(): boolean {
    return this.#budget.hasRoom && this.#options.intake.hasRoom;
  }

  /** @param bytes of the body, as far as is known */
  #hasRoomFor(bytes: number, sender: string): boolean {
    return this.#hasRoom || (!isLarge(bytes) && this.#hasRoomForSmallOf(sender));
  }

  #hasRoomForSmallOf(sender: string): boolean {
    const free = this.#freeForSmall;
    return free > 0 && this.#small.fits(sender, 0, free);
  }

  get #freeForSmall(): number {
    const { heldBytesMax, smallReserveBytes, intake } = this.#options;
    return intake.hasRoom ? heldBytesMax + smallReserveBytes - this.#budget.bytesHeld : 0;
  }

  #roomChanged(): Promise<void> {
    return this.#budget.hasRoom ? this.#options.intake.room() : this.#budget.room();
  }

  /** Rejects with intake_full after `waitMs`, and with request_malformed where the request is given up: nothing more is heard of it. */
  async #room(bytes: number, sender: string, request: IncomingMessage | null = null): Promise<void> {
    if (request?.destroyed) throw closed();
    if (this.#hasRoomFor(bytes, sender)) return;
    const { clock, waitMs } = this.#options;
    const { promise: over, reject } = Promise.withResolvers<never>();
    over.catch(() => {});
    const onClose = (): void => reject(closed());
    request?.once('close', onClose);
    using _timer = clock.timer(waitMs, () => reject(tooBusy()));
    try {
      while (!this.#hasRoomFor(bytes, sender)) {
        await Promise.race([this.#roomChanged(), over]);
      }
      // It may have gone when it was about to be told that there is room.
      if (request?.destroyed) throw closed();
    } finally {
      request?.off('close', onClose);
    }
  }

  #tooLarge(): SluiceError {
    return new SluiceError(
      'body_too_large',
      `Cannot take a body of more than ${this.#options.bodyBytesMax} bytes: send smaller ones`,
    );
  }
}

function isLarge(bytes: number): boolean {
  return bytes > LARGE_BODY_BYTES;
}

function joined(pieces: Buffer[]): Buffer {
  return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces);
}

function closed(): SluiceError {
  return new SluiceError('request_malformed', 'Cannot read the body: the connection was closed');
}

function tooBusy(): SluiceError {
  return new SluiceError('intake_full', 'Cannot take events: more of them are in hand than fit; send again later');
}
