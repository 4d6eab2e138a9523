// Datagrams of the GELF input: put together, decompressed, and of each message an entry. Decompression goes on beside us, so messages
// wait for those before them: a sender's order stays.
//
// Guarantees: what waits is bounded by bytes, decompression by the size of a message; what is lost for want of room, or because parts of a
// message did not come, is counted; what is no message is for the dead letters.

import { reasonOf } from '#shared/errors.ts';
import { type Compression, decompress } from '#shared/record/compression.ts';
import { GelfChunks, isGelfChunk } from '../decode/gelf-chunks.ts';
import { GelfEntries } from '../decode/gelf-entries.ts';
import { DropTally, type DropTallyOptions } from './drop-tally.ts';
import { SenderRuns, type SenderRunsOptions } from './sender-runs.ts';
import type { Admit } from '../admit/admission.ts';

export interface GelfDatagramsOptions extends DropTallyOptions, SenderRunsOptions {
  readonly admit: Admit;
  /** After decompression. */
  readonly messageBytesMax: number;
}

const MIB = 1024 * 1024;
/** As the specification has it. */
const CHUNKS_TIMEOUT_MS = 5000;
const CHUNKS_LIMITS = {
  timeoutMs: CHUNKS_TIMEOUT_MS,
  bytesMax: 16 * MIB,
  messagesMax: 4096,
  senderBytesMax: 8 * MIB,
  senderMessagesMax: 1024,
};
/** Of messages that wait to be decompressed. */
const WAITING_BYTES_MAX = 8 * MIB;

export class GelfDatagrams implements AsyncDisposable {
  readonly #options: GelfDatagramsOptions;
  readonly #runs: SenderRuns;
  readonly #entries = new GelfEntries();
  readonly #drops: DropTally;
  readonly #chunks: GelfChunks;
  #expiry: Disposable | null = null;
  #waiting: Promise<void> = Promise.resolve();
  #waitingBytes = 0;

  constructor(options: GelfDatagramsOptions) {
    this.#options = options;
    this.#runs = new SenderRuns(options);
    this.#drops = new DropTally(options);
    this.#chunks = new GelfChunks(CHUNKS_LIMITS, (why, bytes) => this.#drops.add(`gelf_${why}`, bytes));
  }

  take(datagram: Buffer, sender: string): void {
    const { admit, unacked } = this.#options;
    if (!unacked.hasRoom || this.#waitingBytes > WAITING_BYTES_MAX) {
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

  /** Waits for what is being decompressed; chunks of messages that are not whole are given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#expiry?.[Symbol.dispose]();
    this.#chunks.clear();
    await this.#waiting;
    this.#runs.flush();
    this.#drops[Symbol.dispose]();
  }

  #takeChunk(datagram: Buffer, sender: string): void {
    const message = this.#chunks.add(datagram, sender, this.#options.clock.monotonicMs());
    if (message === 'malformed') this.#bury(datagram, sender, 'a chunk that can be of no message');
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
    if (!compression && this.#waitingBytes === 0) {
      this.#append(message, sender);
      return;
    }
    this.#waitingBytes += message.length;
    this.#waiting = this.#waiting
      .then(() => (compression ? decompress(message, compression, this.#options.messageBytesMax) : message))
      .then(
        (text) => this.#append(text, sender),
        (error: unknown) => this.#bury(message, sender, reasonOf(error)),
      )
      .finally(() => (this.#waitingBytes -= message.length));
  }

  #append(text: Buffer, sender: string): void {
    const run = this.#runs.runOf(sender, this.#options.admit);
    if (!run) return;
    const refusal = this.#entries.append(run.writer, text);
    if (refusal === null) run.count += 1;
    else this.#bury(text, sender, `not a GELF message: ${refusal}`);
  }

  #bury(bytes: Buffer, sender: string, error: string): void {
    this.#runs.bury(sender, this.#options.admit, bytes, 'chunk_undecodable', error);
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
