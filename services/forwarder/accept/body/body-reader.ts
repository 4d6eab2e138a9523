// Reads request bodies within bounds: of each body's size, of the bytes of all bodies together, and of time.
//
// Guarantees: a body over its limit is refused before its bytes are read, or at the piece that exceeds it. While bodies
// or intake are full, no body is read any further; a request that waits longer than `waitMs` is refused, and its bytes
// are freed, so bodies that wait for each other cannot do so for ever. A request whose connection is gone waits for
// nothing, and nothing of it is kept.

import type { IncomingMessage } from 'node:http';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { Compression } from '#shared/record/compression.ts';
import type { Intake, Room } from '../../intake/chunk.ts';
import { BodyBytes } from './body-bytes.ts';
import { BodyDecompressor, type Decompressed, type DecompressOptions } from './body-decompressor.ts';
import { BodyFlow } from './body-flow.ts';
import { BodyPermit } from './body-permit.ts';
import { BodyRoom } from './body-room.ts';
import { DynamicShares } from '../turns/dynamic-shares.ts';
import { EndlessBodies, type PiecesOptions } from './endless-body.ts';
import { FairSlots } from '../turns/fair-slots.ts';
import { LargeBodySlots } from '../turns/large-body-slots.ts';
import { type RequestWait, closed, isGone, requestWait } from '../turns/request-wait.ts';

/** What a piece costs beyond its bytes. Small ones are copied together, which costs as much again as they have. */
const PIECE_OVERHEAD_BYTES = 512;

/** Of the largest: what is made of one leaves something for other senders. */
const MADE_BODIES = 1.5;

/** What may be made at a time of small bodies whose events share what is said once. */
const SHARED_BYTES_MAX = 32 * 1024 * 1024;

export interface BodyReaderOptions {
  readonly intake: Pick<Intake, 'hasRoom' | 'room'> & Partial<Pick<Intake, 'unreadyReason'>>;
  /** Absent: that of intake. */
  readonly room?: Room;
  readonly clock: Clock;
  /** Most bytes of a body, as sent and uncompressed. */
  readonly bodyBytesMax: number;
  /** Bytes of all bodies at which reading of large ones stops. */
  readonly heldBytesMax: number;
  /** Small ones may hold this much more; as much again is reserved for what they grow to. */
  readonly smallReserveBytes: number;
  /** What large bodies may grow to with what is made of them, of all inputs together. */
  readonly large: ByteBudget;
  /** How long a request waits for room. */
  readonly waitMs: number;
  /** How long a whole body may take to come in. */
  readonly timeoutMs: number;
}

/** Whose body is read, and what is to be done before its first byte is asked for (100 Continue). */
export interface ReadOptions {
  readonly held: DisposableStack;
  readonly sender: string;
  readonly sendContinue: () => void;
}

export class BodyReader {
  readonly #options: BodyReaderOptions;
  readonly #budget: ByteBudget;
  readonly #made: DynamicShares;
  readonly #sharedMade = new ByteBudget(SHARED_BYTES_MAX);
  /** Senders take turns at it. */
  readonly #sharedTurns = new FairSlots(1);
  /** What senders hold of small bodies, and of large ones. */
  readonly #shares: { readonly small: DynamicShares; readonly large: DynamicShares };
  readonly #room: BodyRoom;
  readonly #decompressor: BodyDecompressor;
  readonly #endless: EndlessBodies;
  readonly #largeBodySlots: LargeBodySlots;
  readonly #flow: BodyFlow;

  constructor(options: BodyReaderOptions) {
    this.#options = options;
    const { clock, waitMs, timeoutMs, heldBytesMax, smallReserveBytes, large, bodyBytesMax } = options;
    const budget = new ByteBudget(heldBytesMax);
    const shares = { small: new DynamicShares(smallReserveBytes), large: new DynamicShares(heldBytesMax) };
    this.#budget = budget;
    this.#shares = shares;
    const intakeRoom = options.room ?? options.intake;
    const room = new BodyRoom({ intakeRoom, budget, shares, clock, heldBytesMax, smallReserveBytes });
    this.#room = room;
    const tooBusy = (): SluiceError => this.tooBusy();
    const made = new DynamicShares(MADE_BODIES * bodyBytesMax);
    this.#made = made;
    const hold = (bytes: number, sender: string | null): Disposable => this.#permit(bytes, sender);
    const waitFor = (request: IncomingMessage | null): RequestWait => this.#wait(request);
    this.#decompressor = new BodyDecompressor({
      room,
      clock,
      large,
      made,
      bodyBytesMax,
      smallReserveBytes,
      hold,
      waitFor,
    });
    this.#flow = new BodyFlow({ room, clock, waitMs });
    this.#largeBodySlots = new LargeBodySlots({ clock, waitMs, tooBusy });
    this.#endless = new EndlessBodies({
      clock,
      waitMs,
      timeoutMs,
      tooBusy,
      take: hold,
      begunBytesMax: heldBytesMax + smallReserveBytes,
      room: (bytes, sender, request) => this.#roomFor(bytes, sender, request),
    });
  }

  get bytesHeld(): number {
    return this.#budget.bytesHeld;
  }

  /**
   * The whole body as sent. `held` keeps its bytes counted until it is disposed of. Rejects with body_too_large,
   * intake_full, request_malformed, request_timeout.
   */
  async read(request: IncomingMessage, { held, sender, sendContinue }: ReadOptions): Promise<Buffer> {
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > this.#options.bodyBytesMax) throw this.#tooLarge();
    await this.#roomFor(announced, sender, request);
    sendContinue();
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const body = new BodyBytes(announced);
    const permit = held.use(this.#permit(PIECE_OVERHEAD_BYTES, sender, announced));
    const onOverdue = () => reject(this.tooBusy());
    using _flowing = this.#flow.enter(request, { sender, bytes: announced, onOverdue });
    const onData = (piece: Buffer) => {
      const { length } = piece;
      if (body.bytes + length > this.#options.bodyBytesMax) {
        reject(this.#tooLarge());
        return;
      }
      // It may be empty behind this.
      body.add(piece);
      permit.grow(length + Math.min(length, PIECE_OVERHEAD_BYTES));
      this.#flow.took(request, body.bytes);
    };
    const onEnd = () => resolve(body.take());
    const onClose = () => reject(closed());
    const { clock, timeoutMs } = this.#options;
    using _timer = clock.timer(timeoutMs, () => {
      reject(new SluiceError('request_timeout', 'Cannot read the body: it did not come in time'));
    });
    // An error that comes later has a listener still, lest the process end; what was read is not kept for it.
    request.on('error', ignore).on('error', onClose);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
    try {
      return await promise;
    } catch (error) {
      body.free();
      throw error;
    } finally {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
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

  /** Counts what was made of a large body of the sender, until it is stored. */
  takeMade(bytes: number, sender: string): Disposable {
    const made = this.#made;
    made.take(sender, bytes);
    return { [Symbol.dispose]: () => made.give(sender, bytes) };
  }

  #permit(bytes: number, sender: string | null, announced = 0): BodyPermit {
    return new BodyPermit(bytes, { budget: this.#budget, shares: this.#shares, sender, announced });
  }

  /**
   * The sender's turn to have a large body opened and converted. Rejects with intake_full, or request_malformed where
   * it is gone.
   */
  largeTurn(sender: string, request: IncomingMessage): Promise<Disposable> {
    return this.#largeBodySlots.enter(sender, request);
  }

  /** Rejects with decompressed_too_large, body_malformed, intake_full, or request_malformed if the request is gone. */
  decompress(body: Buffer, compression: Compression, options: DecompressOptions): Promise<Decompressed> {
    return this.#decompressor.decompress(body, compression, options);
  }

  /** Memory to convert a large body that came uncompressed. Rejects with intake_full, or request_malformed. */
  acquireLarge(bytes: number, sender: string, request: IncomingMessage): Promise<Permit> {
    return this.#decompressor.acquireLarge(bytes, sender, request);
  }

  /**
   * Memory for what is made of a small body whose events share what is said once, until it is stored. Those who have
   * some wait for nothing but the queue, and a turn of the event loop. Rejects with intake_full, or request_malformed.
   */
  async acquireShared(bytes: number, sender: string, request: IncomingMessage): Promise<Permit> {
    const permit = this.#sharedTurns.running === 0 ? this.#sharedMade.tryAcquire(bytes) : null;
    if (permit) return permit;
    using wait = this.#wait(request);
    using _turn = await this.#sharedTurns.enter(sender, wait.signal);
    return await this.#sharedMade.acquire(bytes, wait.signal);
  }

  /** Resolves when there is room. Rejects with intake_full after `waitMs`, or request_malformed if it is gone. */
  async #roomFor(bytes: number, sender: string, request: IncomingMessage): Promise<void> {
    if (isGone(request)) throw closed();
    if (this.#room.for(bytes, sender)) return;
    using wait = this.#wait(request);
    await this.#room.until(() => this.#room.for(bytes, sender), wait.signal);
    // It may have gone just before it heard that there is room.
    if (isGone(request)) throw closed();
  }

  #wait(request: IncomingMessage | null): RequestWait {
    const { clock, waitMs } = this.#options;
    return requestWait(request, { clock, waitMs, tooBusy: () => this.tooBusy() });
  }

  /** The answer to a request that has waited too long. Where the queue is the cause it says so. */
  tooBusy(): SluiceError {
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

function ignore(): void {}
