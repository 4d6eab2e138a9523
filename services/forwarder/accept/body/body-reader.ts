// Reads request bodies, bounded: by size each, by bytes held altogether, and by time where there is no room for them.
// Large bodies leave room for small ones: a reserve of memory, for bodies as sent and for what they grow to, and a
// share of the work. A sender may hold as much of the reserve as is still free, and of the room for large bodies three
// times what is still free (fifteen times for a single body).
//
// Guarantees: a body over its limit is refused before its bytes are read, or at the piece that goes over; while bodies
// or intake are full, no body is read any further, and after `waitMs` a request that waits is refused so that its bytes
// are free again (bodies that wait for each other cannot stand still for ever); whoever is gone waits for nothing, and
// of who does not wait any more nothing is kept; the memory that a compressed body may grow to is taken before it is
// opened.

import type { IncomingMessage } from 'node:http';
import { unlessAborted } from '#shared/abort.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { BufferedPieces } from '#shared/msgpack/buffered-pieces.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import type { Intake, Room } from '../../intake/chunk.ts';
import { BodyFlow } from './body-flow.ts';
import { BodyPermit } from './body-permit.ts';
import { DynamicShares } from '../turns/dynamic-shares.ts';
import { EndlessBodies, type PiecesOptions } from './endless-body.ts';
import { FairTurns } from '../turns/fair-turns.ts';
import { LARGE_BODY_BYTES, LargeTurns } from '../turns/large-turns.ts';
import { LookTimer } from '../turns/look-timer.ts';
import { type RequestWait, closed, isGone, requestWait } from '../turns/request-wait.ts';
import { believedBytes, UNPACKING_COPIES } from '../frames/unpacker.ts';

/** What a piece costs beyond its bytes. Small ones are copied together, which costs as much again as they have. */
const PIECE_OVERHEAD_BYTES = 512;
/**
 * Of the room for large bodies a sender has three quarters, two have three sevenths each: whoever comes next always
 * finds something.
 */
const LARGE_SHARE_OF_FREE = 3;
/**
 * One body of a sender that has its share goes on to so much, lest his bodies wait for each other; it leaves a
 * sixteenth.
 */
const ONE_LARGE_OF_FREE = 15;

export interface BodyReaderOptions {
  readonly intake: Pick<Intake, 'hasRoom' | 'room'> & Partial<Pick<Intake, 'unreadyReason'>>;
  /** Absent: that of intake. */
  readonly room?: Room;
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
  /** Whose body it is: when its connection is gone, nothing is waited for any more. */
  readonly request?: IncomingMessage;
}

export class BodyReader {
  readonly #options: BodyReaderOptions;
  readonly #intakeRoom: Room;
  readonly #budget: ByteBudget;
  /** What senders hold of small bodies, and of large ones. */
  readonly #shares: { readonly small: DynamicShares; readonly large: DynamicShares };
  readonly #look: LookTimer;
  readonly #endless: EndlessBodies;
  readonly #smallUnpacking: ByteBudget;
  /** Who asks it next. */
  readonly #smallTurns = new FairTurns(1);
  readonly #largeTurns: LargeTurns;
  readonly #flow: BodyFlow;

  constructor(options: BodyReaderOptions) {
    this.#options = options;
    this.#intakeRoom = options.room ?? options.intake;
    this.#budget = new ByteBudget(options.heldBytesMax);
    this.#smallUnpacking = new ByteBudget(Math.max(1, options.smallReserveBytes));
    const [small, large] = [new DynamicShares(options.smallReserveBytes), new DynamicShares(options.heldBytesMax)];
    this.#shares = { small, large };
    const { clock, waitMs, timeoutMs } = options;
    this.#look = new LookTimer(clock);
    const tooBusy = (): SluiceError => this.#tooBusy();
    const room = {
      forAll: () => this.#hasRoom,
      forLargeOf: (sender: string) => this.#hasRoomForLargeOf(sender, LARGE_SHARE_OF_FREE),
      forOneLargeOf: (sender: string) => this.#hasRoomForLargeOf(sender, ONE_LARGE_OF_FREE),
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
      room: (bytes, sender, request) => this.#room(bytes, sender, request),
    });
  }

  get bytesHeld(): number {
    return this.#budget.bytesHeld;
  }

  /**
   * The whole body as sent. `held` keeps its bytes counted until it is disposed of. Rejects with body_too_large,
   * intake_full, request_malformed, request_timeout.
   */
  async read(request: IncomingMessage, { held, sender, begin }: ReadOptions): Promise<Buffer> {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > this.#options.bodyBytesMax) throw this.#tooLarge();
    await this.#room(announced, sender, request);
    begin();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const pieces = new BufferedPieces();
    const permit = held.use(this.#permit(PIECE_OVERHEAD_BYTES, sender, announced));
    const onOverdue = () => reject(this.#tooBusy());
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
    return new BodyPermit(bytes, { budget: this.#budget, shares: this.#shares, sender, announced });
  }

  /**
   * The sender's turn to have a large body opened and converted. Rejects with intake_full, or request_malformed where
   * it is gone.
   */
  largeTurn(sender: string, request: IncomingMessage): Promise<Disposable> {
    return this.#largeTurns.take(sender, request);
  }

  /**
   * Rejects with decompressed_too_large, body_malformed, intake_full, and request_malformed where the request is given
   * up.
   */
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
    // All that it may grow to is taken first, with the copy that zlib makes of its pieces: a bomb has its room to
    // itself.
    using _permit = await this.#unpackingPermit(bytesMax, sender, request ?? null);
    const unpacked = await decompress(body, compression, bytesMax);
    held.use(this.#permit(unpacked.length, sender));
    return unpacked;
  }

  /** Those who waited for the one may find that the other ran out. */
  async #unpackingPermit(bytesMax: number, sender: string, request: IncomingMessage | null): Promise<Permit> {
    const { smallReserveBytes, unpacking } = this.#options;
    const bytes = UNPACKING_COPIES * bytesMax;
    const isSmall = !isLarge(bytesMax) && bytes <= smallReserveBytes;
    const budget = isSmall ? this.#smallUnpacking : unpacking;
    // A sender has one large body opened at a time, and those behind it hold his share until it is done.
    const hasRoom = (): boolean => (isLarge(bytesMax) ? this.#hasRoom : this.#hasRoomFor(bytesMax, sender));
    using wait = this.#wait(request);
    for (;;) {
      await this.#roomUntil(hasRoom, wait.signal);
      using _turn = isSmall ? await this.#smallTurns.enter(sender, wait.signal) : null;
      const permit = await budget.acquire(bytes, wait.signal);
      if (hasRoom()) return permit;
      permit[Symbol.dispose]();
    }
  }

  get #hasRoom(): boolean {
    return this.#budget.hasRoom && this.#intakeRoom.hasRoom;
  }

  /** @param bytes of the body, as far as is known */
  #hasRoomFor(bytes: number, sender: string): boolean {
    if (isLarge(bytes)) return this.#hasRoomForLargeOf(sender, LARGE_SHARE_OF_FREE);
    return this.#hasRoom || this.#hasRoomForSmallOf(sender);
  }

  #hasRoomForLargeOf(sender: string, shareOfFree: number): boolean {
    const free = this.#options.heldBytesMax - this.#budget.bytesHeld;
    return this.#hasRoom && this.#shares.large.fits(sender, 0, shareOfFree * free);
  }

  #hasRoomForSmallOf(sender: string): boolean {
    const free = this.#freeForSmall;
    return free > 0 && this.#shares.small.fits(sender, 0, free);
  }

  get #freeForSmall(): number {
    const { heldBytesMax, smallReserveBytes } = this.#options;
    return this.#intakeRoom.hasRoom ? heldBytesMax + smallReserveBytes - this.#budget.bytesHeld : 0;
  }

  /**
   * Resolves when it is worth asking again whether there is room. `over`: aborted when nobody waits for it any more.
   */
  #roomChanged(over?: AbortSignal): Promise<void> {
    if (!this.#budget.hasRoom) return this.#budget.room(over);
    // Somebody has his share of what there is.
    return this.#intakeRoom.hasRoom ? this.#look.looked() : this.#intakeRoom.room(over);
  }

  /**
   * Rejects with intake_full after `waitMs`, and with request_malformed where the request is given up: nothing more is
   * heard of it.
   */
  async #room(bytes: number, sender: string, request: IncomingMessage): Promise<void> {
    if (isGone(request)) throw closed();
    if (this.#hasRoomFor(bytes, sender)) return;
    using wait = this.#wait(request);
    await this.#roomUntil(() => this.#hasRoomFor(bytes, sender), wait.signal);
    // It may have gone when it was about to be told that there is room.
    if (isGone(request)) throw closed();
  }

  async #roomUntil(hasRoom: () => boolean, over: AbortSignal): Promise<void> {
    while (!hasRoom()) await unlessAborted(this.#roomChanged(over), over);
    over.throwIfAborted();
  }

  #wait(request: IncomingMessage | null): RequestWait {
    const { clock, waitMs } = this.#options;
    return requestWait(request, { clock, waitMs, tooBusy: () => this.#tooBusy() });
  }

  /** Where the queue is the cause it is said to be. */
  #tooBusy(): SluiceError {
    const why = this.#options.intake.unreadyReason ?? null;
    if (why !== null) return new SluiceError('queue_unavailable', `Cannot take events: ${why}`);
    return new SluiceError('intake_full', 'Cannot take events: more of them are in hand than fit; send again later');
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
