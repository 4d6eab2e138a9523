// The datagrams of the GELF input: assembled, decompressed, and made into one entry per message. Decompression and the
// conversion of large messages run beside the event loop. A message waits for those before it of the same sender, so
// that their order stays, and for no others.
//
// Guarantees: waiting messages are bounded by their bytes, and by what those grow to; a message is bounded by its size.
// What is lost for lack of room or because parts did not come is counted. Malformed messages go to the dead letters.

import { unlessAborted } from '#shared/abort.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { reasonOf } from '#shared/errors.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import { GelfChunks, isGelfChunk } from '../../decode/gelf/gelf-chunks.ts';
import { GelfEntries } from '../../decode/gelf/gelf-entries.ts';
import type { BadReason } from '../unacked/bad-messages.ts';
import { DropTally, type DropTallyOptions } from '../unacked/drop-tally.ts';
import type { ReadEntries } from '../unacked/read-entries.ts';
import { STOP_TAKING_MS } from '../unacked/unacked-input.ts';
import { LARGE_MESSAGE_BYTES, type LargeMessages } from '../convert/large-messages.ts';
import { SenderTasks } from '../turns/sender-tasks.ts';
import { GELF_TURN_BYTES, TurnBytes } from '../turns/turn-bytes.ts';
import { UNPACKING_COPIES } from '../frames/unpacker.ts';
import { SenderRuns, type SenderRunsOptions } from '../unacked/sender-runs.ts';
import type { Admit } from '../../admit/admission.ts';

export interface GelfDatagramsOptions extends DropTallyOptions, SenderRunsOptions {
  readonly admit: Admit;
  /** After decompression. */
  readonly messageBytesMax: number;
  readonly large: LargeMessages;
}

const KIB = 1024;
const MIB = KIB * KIB;
/** As the specification has it. */
const CHUNKS_TIMEOUT_MS = 5000;
const CHUNKS_LIMITS = {
  timeoutMs: CHUNKS_TIMEOUT_MS,
  bytesMax: 16 * MIB,
  messagesMax: 4096,
  // The largest message, of 128 whole datagrams, with what its parts cost.
  senderBytesMax: 8 * MIB + 64 * KIB,
  senderMessagesMax: 1024,
};
/** Of messages that wait to be decompressed or converted, as they came. */
const WAITING_LIMITS = { bytesMax: 8 * MIB, senderBytesMax: 4 * MIB };
/** For messages that are being decompressed: four of the default largest size, and always at least one. */
const UNPACKING_BYTES_MAX = 16 * MIB;

export class GelfDatagrams implements AsyncDisposable {
  readonly #options: GelfDatagramsOptions;
  readonly #runs: SenderRuns;
  readonly #entries = new GelfEntries();
  readonly #drops: DropTally;
  readonly #chunks: GelfChunks;
  #expiry: Disposable | null = null;
  readonly #tasks = new SenderTasks(WAITING_LIMITS);
  readonly #turn = new TurnBytes(GELF_TURN_BYTES);
  readonly #unpacking = new ByteBudget(UNPACKING_BYTES_MAX);
  /** A stop has no more time for what takes long. */
  readonly #over = new AbortController();

  constructor(options: GelfDatagramsOptions) {
    this.#options = options;
    this.#runs = new SenderRuns(options);
    this.#drops = new DropTally(options);
    this.#chunks = new GelfChunks(CHUNKS_LIMITS, (why, bytes) => this.#drops.add(`gelf_${why}`, bytes));
  }

  take(datagram: Buffer, sender: string): void {
    const { admit, unacked } = this.#options;
    if (!unacked.hasRoom || !this.#tasks.hasRoom(sender)) {
      this.#drops.add('udp_no_room', datagram.length);
      return;
    }
    const refusal = this.#runs.refusalOf(sender, datagram.length, admit);
    if (refusal !== null) {
      if (refusal === 'not_allowed') this.#options.telemetry.datagramRefused('gelf', sender);
      this.#drops.add(refusal, datagram.length);
    } else if (isGelfChunk(datagram)) this.#takeChunk(datagram, sender);
    else this.#takeMessage(datagram, sender);
  }

  /**
   * Waits for what is being decompressed and converted, as long as a stop may, and drops the rest; chunks of messages
   * that are not whole are given up.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#expiry?.[Symbol.dispose]();
    this.#chunks.clear();
    using _limit = this.#options.clock.timer(STOP_TAKING_MS, () => this.#over.abort());
    await this.#tasks.idle();
    this.#runs.flush();
    this.#drops[Symbol.dispose]();
  }

  #takeChunk(datagram: Buffer, sender: string): void {
    const message = this.#chunks.add(datagram, sender, this.#options.clock.monotonicMs());
    if (message === 'malformed') this.#deadLetter(datagram, sender, 'a chunk that can be of no message');
    else if (message !== 'wait') this.#takeMessage(message, sender);
    this.#watchExpiry();
  }

  #watchExpiry(): void {
    const { clock } = this.#options;
    const dueMs = this.#chunks.dueMs;
    if (this.#expiry || dueMs === null) return;
    this.#expiry = clock.timer(Math.max(1, dueMs - clock.monotonicMs()), () => {
      this.#expiry = null;
      this.#chunks.expire(clock.monotonicMs());
      this.#watchExpiry();
    });
  }

  #takeMessage(message: Buffer, sender: string): void {
    const compression = compressionOf(message);
    if (compression) this.#tasks.add(sender, message.length, () => this.#takeCompressed(message, compression, sender));
    else if (message.length > this.#options.messageBytesMax) this.#deadLetterTooLarge(message, sender);
    else if (this.#isForNow(message, sender)) this.#append(message, sender);
    else this.#tasks.add(sender, message.length, () => this.#takeText(message, sender));
  }

  #isForNow({ length }: Buffer, sender: string): boolean {
    return length <= LARGE_MESSAGE_BYTES && this.#tasks.isIdle(sender) && this.#turn.take(length);
  }

  /** Its memory is taken first. A sender has one message in hand at a time, so none overtakes another. */
  async #takeCompressed(message: Buffer, compression: Compression, sender: string): Promise<void> {
    const { messageBytesMax } = this.#options;
    // What is small is decompressed in place, whatever comes of it.
    await this.#turn.wait(message.length);
    using permit = await this.#unpacking.acquire(UNPACKING_COPIES * messageBytesMax);
    if (this.#over.signal.aborted) {
      this.#drops.add('shutting_down', message.length);
      return;
    }
    let text: Buffer;
    try {
      text = await decompress(message, compression, messageBytesMax);
    } catch (error) {
      this.#deadLetter(message, sender, reasonOf(error));
      return;
    }
    // It may wait for its turn, as those of many others.
    permit.shrinkTo(text.length);
    await this.#takeText(text, sender);
  }

  async #takeText(text: Buffer, sender: string): Promise<void> {
    const { large } = this.#options;
    const { signal } = this.#over;
    if (text.length <= LARGE_MESSAGE_BYTES) {
      await this.#turn.wait(text.length);
      this.#append(text, sender);
    } else if (signal.aborted) this.#drops.add('shutting_down', text.length);
    else if (!large.hasRoom) this.#drops.add('udp_no_room', text.length);
    else {
      const converted = await unlessAborted(large.convert(text), signal).catch(() => null);
      if (converted === null) this.#drops.add('shutting_down', text.length);
      else if (converted.kind === 'entry') this.#runOf(sender)?.add(converted.bytes);
      else this.#deadLetter(text, sender, `not a GELF message: ${converted.why}`);
    }
  }

  #append(text: Buffer, sender: string): void {
    const run = this.#runOf(sender);
    if (!run) return;
    const refusal = this.#entries.append(run.writer, text);
    if (refusal === null) run.count += 1;
    else this.#deadLetter(text, sender, `not a GELF message: ${refusal}`);
  }

  #runOf(sender: string): ReadEntries | null {
    return this.#runs.runOf(sender, this.#options.admit);
  }

  #deadLetterTooLarge(message: Buffer, sender: string): void {
    const { messageBytesMax } = this.#options;
    const why = `a GELF message of more than ${messageBytesMax} bytes; this is its beginning`;
    this.#deadLetter(message.subarray(0, messageBytesMax), sender, why, 'chunk_too_large');
  }

  #deadLetter(bytes: Buffer, sender: string, error: string, reason: BadReason = 'chunk_undecodable'): void {
    this.#runs.deadLetter(sender, this.#options.admit, bytes, reason, error);
  }
}

/** Null for plain JSON, and for what is nothing that we know. */
function compressionOf(message: Buffer): Compression | null {
  const first = message[0] ?? 0;
  const second = message[1] ?? 0;
  if (first === 0x1f && second === 0x8b) return 'gzip';
  // zlib: method 8, and a check that makes both bytes a multiple of 31.
  return (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0 ? 'deflate' : null;
}
