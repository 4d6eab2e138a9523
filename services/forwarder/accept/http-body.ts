// Reads request bodies, bounded: by size each, by bytes held altogether, and by time where there is no room for them.
//
// Guarantees: a body over its limit is refused before its bytes are read, or at the piece that goes over; while bodies or intake are
// full, no body is read any further, and after `waitMs` a request that waits is refused so that its bytes are free again (bodies that
// wait for each other cannot stand still for ever); the memory that a compressed body may grow to is taken before it is opened.

import type { IncomingMessage } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { HeldPieces } from '#shared/msgpack/held-pieces.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import type { Intake } from '../chunk.ts';
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
  /** Bytes of all bodies at which reading stops. */
  readonly heldBytesMax: number;
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
  /** Bodies that are being read. */
  readonly #reading = new Set<IncomingMessage>();
  /** Those of them that stand still, the longest first. */
  readonly #paused = new Map<IncomingMessage, Disposable>();

  constructor(options: BodyReaderOptions) {
    this.#options = options;
    this.#budget = new ByteBudget(options.heldBytesMax);
  }

  get bytesHeld(): number {
    return this.#budget.bytesHeld;
  }

  /**
   * The whole body as sent. `held` keeps its bytes counted until it is disposed of. `begin` is called before the first byte is
   * asked for (100 Continue). Rejects with body_too_large, intake_full, request_malformed, request_timeout.
   */
  async read(request: IncomingMessage, held: DisposableStack, begin: () => void): Promise<Buffer> {
    if (Number(request.headers['content-length'] ?? 0) > this.#options.bodyBytesMax) throw this.#tooLarge();
    await this.#room();
    begin();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const pieces = new HeldPieces();
    const permit = held.use(this.#budget.take(PIECE_OVERHEAD_BYTES));
    this.#reading.add(request);
    const onData = (piece: Buffer) => {
      if (pieces.bytes + piece.length > this.#options.bodyBytesMax) {
        reject(this.#tooLarge());
        return;
      }
      pieces.hold(piece, 0);
      permit.grow(piece.length + Math.min(piece.length, PIECE_OVERHEAD_BYTES));
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
    await this.#room();
    begin();
    try {
      for await (const piece of request.iterator({ destroyOnReturn: false })) {
        if (!Buffer.isBuffer(piece)) continue;
        {
          using _permit = this.#budget.take(piece.length + PIECE_OVERHEAD_BYTES);
          yield piece;
        }
        await mayGoOn();
        await this.#room();
      }
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throw new SluiceError('request_malformed', 'Cannot read the body: the connection was closed', { cause: error });
    } finally {
      request.resume();
    }
  }

  /** Counts bytes as held until `held` is disposed of. */
  hold(bytes: number, held: DisposableStack): void {
    held.use(this.#budget.take(bytes));
  }

  /** Rejects with decompressed_too_large, body_malformed, intake_full. */
  async decompress(body: Buffer, compression: Compression, held: DisposableStack): Promise<Buffer> {
    const { bodyBytesMax } = this.#options;
    const believed = believedBytes(body.length, bodyBytesMax);
    const unpacked = await this.#decompressWithin(believed, body, compression, held).catch((error: unknown) => {
      const grows = error instanceof SluiceError && error.code === 'decompressed_too_large' && believed < bodyBytesMax;
      if (!grows) throw error;
      return null;
    });
    return unpacked ?? this.#decompressWithin(bodyBytesMax, body, compression, held);
  }

  async #decompressWithin(
    bytesMax: number,
    body: Buffer,
    compression: Compression,
    held: DisposableStack,
  ): Promise<Buffer> {
    await this.#room();
    const { unpacking, clock, waitMs } = this.#options;
    const overdue = new AbortController();
    using _timer = clock.timer(waitMs, () => overdue.abort(tooBusy()));
    // All that it may grow to is taken first, with the copy that zlib makes of its pieces: a bomb has its room to itself.
    using _permit = await unpacking.acquire(UNPACKING_COPIES * bytesMax, overdue.signal);
    const unpacked = await decompress(body, compression, bytesMax);
    held.use(this.#budget.take(unpacked.length));
    return unpacked;
  }

  get #hasRoom(): boolean {
    return this.#budget.hasRoom && this.#options.intake.hasRoom;
  }

  /** Stops reading of all bodies: those that were begun while there was room would go past the limit by a piece each. */
  #pauseAll(): void {
    const { clock, waitMs } = this.#options;
    const wasIdle = this.#paused.size === 0;
    for (const request of this.#reading) {
      if (request.complete || this.#paused.has(request)) continue;
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
  async #room(): Promise<void> {
    if (this.#hasRoom) return;
    const { intake, clock, waitMs } = this.#options;
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    overdue.catch(() => {});
    using _timer = clock.timer(waitMs, () => reject(tooBusy()));
    while (!this.#hasRoom) {
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
