// Reads request bodies, bounded: by size each, by bytes held altogether, and by time where there is no room for them.
// Large bodies leave room for small ones: a reserve of memory, for bodies as sent and for what they grow to, and a share of the work.
//
// Guarantees: a body over its limit is refused before its bytes are read, or at the piece that goes over; while bodies or intake are
// full, no body is read any further, and after `waitMs` a request that waits is refused so that its bytes are free again (bodies that
// wait for each other cannot stand still for ever); the memory that a compressed body may grow to is taken before it is opened.

import type { IncomingMessage } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { HeldPieces } from '#shared/msgpack/held-pieces.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import type { Intake } from '../chunk.ts';
import { LARGE_BODY_BYTES, LargeTurns } from './large-turns.ts';
import { believedBytes, UNPACKING_COPIES } from './unpacker.ts';

/** What a piece costs beyond its bytes. Small ones are copied together, which costs as much again as they have. */
const PIECE_OVERHEAD_BYTES = 512;
/** Emitted on a request that stood still for too long. */
const OVERDUE = Symbol('overdue');

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

export class BodyReader {
  readonly #options: BodyReaderOptions;
  readonly #budget: ByteBudget;
  readonly #smallUnpacking: ByteBudget;
  readonly #largeTurns: LargeTurns;
  /** Bodies that are being read, and how many bytes they have or say they will have. */
  readonly #reading = new Map<IncomingMessage, number>();
  /** Those of them that stand still, the longest first. */
  readonly #paused = new Map<IncomingMessage, Disposable>();

  constructor(options: BodyReaderOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.heldBytesMax);
    this.#smallUnpacking = new ByteBudget(Math.max(1, options.smallReserveBytes));
    const { clock, waitMs } = options;
    this.#largeTurns = new LargeTurns({ clock, waitMs, tooBusy });
  }

  get bytesHeld(): number {
    return this.#budget.bytesHeld;
  }

  /**
   * The whole body as sent. `held` keeps its bytes counted until it is disposed of. `begin` is called before the first byte is
   * asked for (100 Continue). Rejects with body_too_large, intake_full, request_malformed, request_timeout.
   */
  async read(request: IncomingMessage, held: DisposableStack, begin: () => void): Promise<Buffer> {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > this.#options.bodyBytesMax) throw this.#tooLarge();
    await this.#room(announced);
    begin();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const pieces = new HeldPieces();
    const permit = held.use(this.#budget.take(PIECE_OVERHEAD_BYTES));
    this.#reading.set(request, announced);
    const onData = (piece: Buffer) => {
      if (pieces.bytes + piece.length > this.#options.bodyBytesMax) {
        reject(this.#tooLarge());
        return;
      }
      pieces.hold(piece, 0);
      permit.grow(piece.length + Math.min(piece.length, PIECE_OVERHEAD_BYTES));
      this.#reading.set(request, Math.max(announced, pieces.bytes));
      if (!this.#hasRoom) this.#pauseAll();
    };
    request.on(OVERDUE, reject);
    const onEnd = () => resolve(joined(pieces.take()));
    const onClose = () =>
      reject(new SluiceError('request_malformed', 'Cannot read the body: the connection was closed'));
    const { clock, timeoutMs } = this.#options;
    using _timer = clock.timer(timeoutMs, () => {
      reject(new SluiceError('request_timeout', 'Cannot read the body: it did not come in time'));
    });
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
    try {
      return await promise;
    } finally {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off(OVERDUE, reject);
      this.#forget(request);
      // What is left of a refused body is passed over, so that its sender can hear the answer.
      request.resume();
    }
  }

  /**
   * The body as it comes, without a limit on all of it; a piece is counted while its taker is at work on it. Throws as `read` does.
   * @param mayGoOn asked before each further piece; nothing is counted while it is waited for
   */
  async *pieces(
    request: IncomingMessage,
    begin: () => void,
    mayGoOn: () => Promise<void>,
  ): AsyncGenerator<Buffer, void, undefined> {
    await this.#room(Infinity);
    begin();
    try {
      for await (const piece of request.iterator({ destroyOnReturn: false })) {
        if (!Buffer.isBuffer(piece)) continue;
        {
          using _permit = this.#budget.take(piece.length + PIECE_OVERHEAD_BYTES);
          yield piece;
        }
        await mayGoOn();
        await this.#room(Infinity);
      }
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throw new SluiceError('request_malformed', 'Cannot read the body: the connection was closed', { cause: error });
    } finally {
      request.resume();
    }
  }

  /** Counts bytes as held until the permit is disposed of. */
  take(bytes: number): Disposable {
    return this.#budget.take(bytes);
  }

  /** The sender's turn to have a large body opened and converted. Rejects with intake_full. */
  largeTurn(sender: string): Promise<Disposable> {
    return this.#largeTurns.take(sender);
  }

  /**
   * Rejects with decompressed_too_large, body_malformed, intake_full.
   * @param takeTurn awaited before a body is opened that may be large
   */
  async decompress(
    body: Buffer,
    compression: Compression,
    { held, takeTurn }: { readonly held: DisposableStack; readonly takeTurn: () => Promise<void> },
  ): Promise<Buffer> {
    const { bodyBytesMax } = this.#options;
    const believed = believedBytes(body.length, bodyBytesMax);
    if (isLarge(believed)) await takeTurn();
    const unpacked = await this.#decompressWithin(believed, body, compression, held).catch((error: unknown) => {
      const grows = error instanceof SluiceError && error.code === 'decompressed_too_large' && believed < bodyBytesMax;
      if (!grows) throw error;
      return null;
    });
    if (unpacked) return unpacked;
    await takeTurn();
    return this.#decompressWithin(bodyBytesMax, body, compression, held);
  }

  async #decompressWithin(
    bytesMax: number,
    body: Buffer,
    compression: Compression,
    held: DisposableStack,
  ): Promise<Buffer> {
    // All that it may grow to is taken first, with the copy that zlib makes of its pieces: a bomb has its room to itself.
    using _permit = await this.#unpackingPermit(bytesMax);
    const unpacked = await decompress(body, compression, bytesMax);
    held.use(this.#budget.take(unpacked.length));
    return unpacked;
  }

  /** Those who waited for the one may find that the other ran out. */
  async #unpackingPermit(bytesMax: number): Promise<Permit> {
    const { clock, waitMs, smallReserveBytes, unpacking } = this.#options;
    const bytes = UNPACKING_COPIES * bytesMax;
    const budget = isLarge(bytesMax) || bytes > smallReserveBytes ? unpacking : this.#smallUnpacking;
    const overdue = new AbortController();
    using _timer = clock.timer(waitMs, () => overdue.abort(tooBusy()));
    for (;;) {
      await this.#room(bytesMax);
      const permit = await budget.acquire(bytes, overdue.signal);
      if (this.#hasRoomFor(bytesMax)) return permit;
      permit[Symbol.dispose]();
    }
  }

  get #hasRoom(): boolean {
    return this.#budget.hasRoom && this.#options.intake.hasRoom;
  }

  /** @param bytes of the body, as far as is known */
  #hasRoomFor(bytes: number): boolean {
    if (isLarge(bytes)) return this.#hasRoom;
    const { heldBytesMax, smallReserveBytes, intake } = this.#options;
    return this.#budget.bytesHeld < heldBytesMax + smallReserveBytes && intake.hasRoom;
  }

  /** Stops reading of all bodies that have no room: those that were begun while there was room would go past the limit by a piece each. */
  #pauseAll(): void {
    const { clock, waitMs } = this.#options;
    const wasIdle = this.#paused.size === 0;
    for (const [request, bytes] of this.#reading) {
      if (request.complete || this.#paused.has(request) || this.#hasRoomFor(bytes)) continue;
      request.pause();
      this.#paused.set(
        request,
        clock.timer(waitMs, () => request.emit(OVERDUE, tooBusy())),
      );
    }
    if (wasIdle && this.#paused.size > 0) void this.#resumeInTurn();
  }

  /** One after another, as long as there is room: each brings a piece before the next is asked. */
  async #resumeInTurn(): Promise<void> {
    while (this.#paused.size > 0) {
      if (this.#hasRoom) {
        const [request] = this.#paused.keys();
        if (request) this.#unpause(request);
        await turn();
      } else {
        await (this.#budget.hasRoom ? this.#options.intake.room() : this.#budget.room());
      }
    }
  }

  #unpause(request: IncomingMessage): void {
    this.#paused.get(request)?.[Symbol.dispose]();
    if (this.#paused.delete(request)) request.resume();
  }

  #forget(request: IncomingMessage): void {
    this.#reading.delete(request);
    this.#unpause(request);
  }

  /** Rejects with intake_full after `waitMs`. */
  async #room(bytes: number): Promise<void> {
    if (this.#hasRoomFor(bytes)) return;
    const { intake, clock, waitMs } = this.#options;
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    overdue.catch(() => {});
    using _timer = clock.timer(waitMs, () => reject(tooBusy()));
    while (!this.#hasRoomFor(bytes)) {
      const room = this.#budget.hasRoom ? intake.room() : this.#budget.room();
      await Promise.race([room, overdue]);
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

function tooBusy(): SluiceError {
  return new SluiceError('intake_full', 'Cannot take events: more of them are in hand than fit; send again later');
}

/** Content-Encoding; null for none. Throws encoding_unknown. */
export function compressionOf(contentEncoding: string | undefined): Compression | null {
  const name = (contentEncoding ?? '').trim().toLowerCase();
  switch (name) {
    case '':
    case 'identity':
      return null;
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'deflate':
      return 'deflate';
    case 'zstd':
      return 'zstd';
    default:
      throw new SluiceError(
        'encoding_unknown',
        'Cannot read the body: its Content-Encoding is none of gzip, deflate, zstd',
      );
  }
}
