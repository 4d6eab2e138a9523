// One connection of a protocol without acks (syslog, GELF over TCP): bytes → messages → a chunk for each read →
// intake. A read may have thousands of messages: they are taken in steps, a turn of the event loop each, and meanwhile
// no more is read.
//
// Nobody is told what was held, so nothing that was read may be lost while we run: what intake refuses is tried again
// (unacked-retry.ts), and reading stops while there is no room. When a connection ends, its unfinished message is taken
// as it is, but only once there is room: otherwise a peer that keeps coming back would fill our memory. During a stop
// nothing waits for room: what was read is taken as fast as turns allow, until the time for that is over.

import type { Socket } from 'node:net';
import { unlessAborted } from '#shared/abort.ts';
import type { Clock } from '#shared/clock.ts';
import { networkOfPeer } from '#shared/net/networks.ts';
import { type AddressRate, ratedRoom } from '../../admit/address-rates.ts';
import { type EventDebt, StreamedEvents } from '../../admit/event-debts.ts';
import { type Chunk, type InputName, DEAD_LETTER_OVERHEAD_BYTES, type Room } from '../../intake/chunk.ts';
import type { Principal } from '../../intake/principal.ts';
import { BadMessages } from './bad-messages.ts';
import { ReadEntries } from './read-entries.ts';
import type { BufferedMessages, BufferPass, BufferOwner } from './buffered-messages.ts';
import { LARGE_MESSAGE_BYTES } from '../convert/large-messages.ts';
import type { DeadLetterSink, StreamDecoder } from './stream-decoder.ts';
import { StreamInFlight } from './stream-in-flight.ts';
import type { TurnBytes } from '../turns/turn-bytes.ts';
import type { Turns } from '../turns/step-scheduler.ts';
import type { Unacked } from './unacked-retry.ts';
import type { RestPass, RestReader, UnreadRests } from './unread-rests.ts';

export interface StreamSessionOptions {
  readonly input: InputName;
  readonly tag: string;
  readonly sender: string;
  readonly principal: Principal;
  /** Of the sender's address, and of its small events; null: it has none. */
  readonly rate: AddressRate | null;
  readonly debt: EventDebt | null;
  readonly decoder: StreamDecoder;
  readonly unacked: Unacked;
  readonly clock: Clock;
  /** Of all connections together, as all below. */
  readonly held: BufferedMessages;
  readonly rests: UnreadRests;
  /** It is closed because of a limit. */
  readonly ended: (reason: 'slow_when_full' | 'frame_timeout') => void;
  readonly turns: Turns;
  readonly turnBytes: TurnBytes;
}

/** What a chunk in flight costs beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 1024;
/** A run above this goes on before its read is done. */
const RUN_BYTES_MAX = 256 * 1024;
/** What a connection costs that is gone, and waits for room. */
const REST_OVERHEAD_BYTES = 4096;
/** How long what a peer has sent already is still read when we stop, once it may be read. */
const LINGER_MS = 500;

export class StreamSession implements BufferOwner, RestReader {
  readonly #socket: Socket;
  readonly #options: StreamSessionOptions;
  readonly #origin: Pick<Chunk, 'tag' | 'input' | 'tenant' | 'sender'>;
  readonly #room: Room;
  readonly #run = new ReadEntries();
  readonly #bad: BadMessages;
  readonly #events: StreamedEvents;
  readonly #held: BufferPass;
  readonly #rest: RestPass;
  readonly #network: string;
  readonly #inFlight = new StreamInFlight();
  /** While it waits for room or a turn: reading has stopped. */
  #waiting: Promise<void> | null = null;
  #finished: Promise<void> | null = null;
  /** When it was kept from reading last because of others, monotonic. */
  #stoppedMs = -Infinity;
  /** We stop. */
  #isStopping = false;
  /** Aborted when we stop, or it is gone: what it has sent is lost unless it is read now, whatever its rate. */
  readonly #ending = new AbortController();
  /** Nothing is taken any more. */
  readonly #over = new AbortController();
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: StreamSessionOptions) {
    const { input, tag, sender, principal, unacked } = options;
    this.#socket = socket;
    this.#options = options;
    const rated = { clock: options.clock, over: this.#ending.signal };
    this.#room = ratedRoom(ratedRoom(unacked, options.rate, rated), options.debt, rated);
    this.#events = new StreamedEvents(options.debt);
    this.#origin = { tag: principal.tagPrefix + tag, input, tenant: principal.tenant, sender };
    this.#network = networkOfPeer(sender);
    this.#held = options.held.enter(this, this.#network);
    this.#rest = options.rests.enter(this, this.#network);
    this.#bad = new BadMessages((bad) => {
      options.debt?.takeDeadLetter(bad.bytes.length);
      const deadLettered = unacked.deadLetter({ ...this.#origin, ...bad });
      this.#inFlight.add(bad.bytes.length + DEAD_LETTER_OVERHEAD_BYTES, deadLettered);
      return deadLettered;
    });
    socket.on('data', (piece: Buffer) => (socket.destroyed ? undefined : this.#read(piece)));
    socket.on('end', () => void this.#finish());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#ending.abort();
      this.#inFlight.wake();
      void this.#finish().then(() => this.#closed.resolve());
    });
    this.flow();
  }

  /** Resolves when it is gone, and what was read of it is on its way. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Reads what the peer has sent so far, as others leave memory for it, and closes. */
  async close(): Promise<void> {
    this.#isStopping = true;
    this.#ending.abort();
    this.#inFlight.wake();
    this.flow();
    this.#socket.end();
    this.#linger();
    await this.#closed.promise;
  }

  /** What it has read is taken still. */
  stopReading(): void {
    this.#socket.destroy();
  }

  /** There is no time left to take what it has read. Returns its bytes, for whoever counts them. */
  giveUp(): number {
    this.#flush();
    this.#bad.flush();
    this.#over.abort();
    this.#socket.destroy();
    return this.#options.decoder.heldBytes;
  }

  #linger(): void {
    const { clock } = this.#options;
    const timer = clock.timer(LINGER_MS, () => {
      const mightRead = !this.#waiting && this.#mayRead && clock.monotonicMs() - this.#stoppedMs >= LINGER_MS;
      if (mightRead) this.#socket.destroy();
      else this.#linger();
    });
    void this.closed.then(() => timer[Symbol.dispose]());
  }

  /** Not where its own message is too large for what there is now: others need not make room for that. */
  get isWaiting(): boolean {
    const isWaitingForUs = this.#waiting !== null && this.#options.decoder.hasRoom;
    return isWaitingForUs || !this.#mayRead;
  }

  flow(): void {
    if (this.#waiting) return;
    if (this.#mayRead) {
      this.#socket.resume();
    } else {
      this.#socket.pause();
      this.#stoppedMs = this.#options.clock.monotonicMs();
    }
  }

  relieve(): void {
    const { decoder, held } = this.#options;
    while (!decoder.relieve(this.#run, this.#deadLetter));
    held.update(this.#held, decoder.heldBytes, true);
    this.#flush();
    this.#bad.flush();
  }

  evict(reason: 'slow_when_full' | 'frame_timeout'): void {
    this.#options.ended(reason);
    this.#socket.destroy();
  }

  #read(piece: Buffer): void {
    const { decoder, rate, turnBytes } = this.#options;
    const mayTake = this.#mayTake;
    rate?.take(piece.length);
    this.#events.came(piece.length);
    // A byte may make a message whole.
    const bytes = piece.length + Math.min(decoder.heldBytes, LARGE_MESSAGE_BYTES);
    decoder.push(piece);
    const turn = turnBytes.take(bytes) ? null : turnBytes.wait(bytes, this.#network);
    const isDone = turn === null && mayTake ? this.#step() : this.#rests();
    if (!isDone || !this.#mayTake || !this.#mayReadOn) this.#waiting ??= this.#goOn(isDone, turn);
  }

  async #goOn(isDone: boolean, turn: Promise<void> | null): Promise<void> {
    this.#socket.pause();
    if (turn) await this.#unlessOver(turn);
    const mayStep = turn !== null && this.#mayTake;
    await this.#readAll(mayStep ? this.#step() : isDone);
    this.#waiting = null;
    this.flow();
  }

  /** Until nothing is left to read, and there is room for more. */
  async #readAll(isDone: boolean): Promise<void> {
    const { decoder } = this.#options;
    for (let done = isDone; !this.#over.signal.aborted;) {
      if (decoder.converting) {
        await this.#unlessOver(decoder.converting);
      } else if (done && this.#socket.destroyed) {
        return;
      } else if (!this.#mayTake) {
        await this.#inFlight.roomOrWoken(this.#room);
      } else if (!done) {
        await this.#unlessOver(this.#options.turns.next(this.#network));
        // Of all who were woken by the same room, those before may have taken it.
        if (this.#mayTake) done = this.#step();
      } else if (!this.#mayReadOn) {
        await this.#inFlight.roomOrWoken(decoder);
      } else {
        return;
      }
    }
  }

  #finish(): Promise<void> {
    return (this.#finished ??= this.#finishOnce());
  }

  async #finishOnce(): Promise<void> {
    await this.#waiting;
    const { decoder, held, rests, turnBytes } = this.#options;
    decoder.finish();
    // Where nothing is left, there is nothing to wait for.
    if (decoder.heldBytes > 0) {
      const bytes = Math.min(decoder.heldBytes, LARGE_MESSAGE_BYTES);
      if (!turnBytes.take(bytes)) {
        this.#rests();
        await this.#unlessOver(turnBytes.wait(bytes, this.#network));
      }
      const isDone = this.#mayTake ? this.#step() : this.#rests();
      if (!isDone) await this.#readAll(false);
    }
    held.leave(this.#held);
    rests.leave(this.#rest);
  }

  /** Takes as many messages as one turn may have. Returns whether no more is there. */
  #step(): boolean {
    const { decoder, held, rests } = this.#options;
    const before = decoder.heldBytes;
    const isDone = decoder.read(this.#run, this.#deadLetter);
    if (isDone || decoder.converting || this.#run.bytes > RUN_BYTES_MAX) this.#flush();
    const isAnew = decoder.heldBytes < before;
    if (!isDone) return this.#rests(isAnew);
    this.#bad.flush();
    rests.update(this.#rest, 0);
    held.update(this.#held, decoder.heldBytes, isAnew);
    return true;
  }

  /**
   * What is there waits for room, or for its turn: we are the ones who take long, so it is bounded by itself. Returns
   * that more is there.
   */
  #rests(isAnew = false): false {
    const { decoder, held, rests } = this.#options;
    held.rest(this.#held, isAnew);
    rests.update(this.#rest, decoder.memoryBytes + this.#run.bytes + REST_OVERHEAD_BYTES);
    return false;
  }

  #flush(): void {
    const { count } = this.#run;
    if (count === 0) return;
    this.#events.made(count);
    const entries = this.#run.take();
    const chunk = { ...this.#origin, chunkId: null, encoding: 'identity' as const, bytes: entries, entries, count };
    this.#inFlight.add(entries.length + CHUNK_OVERHEAD_BYTES, this.#options.unacked.accept(chunk));
  }

  readonly #deadLetter: DeadLetterSink = (bytes, reason, error) => this.#bad.add(bytes, reason, error);

  get #mayRead(): boolean {
    return this.#options.rests.mayRead(this.#rest);
  }

  /** Whether what is there may go on. */
  get #mayTake(): boolean {
    if (this.#over.signal.aborted) return false;
    return this.#isStopping || (this.#inFlight.hasRoom && this.#room.hasRoom);
  }

  /** Whether there may be more. */
  get #mayReadOn(): boolean {
    return this.#isStopping || this.#options.decoder.hasRoom;
  }

  async #unlessOver(done: Promise<void>): Promise<void> {
    await unlessAborted(done, this.#over.signal).catch(() => undefined);
  }
}
