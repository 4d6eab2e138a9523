// A connection of the GELF input: JSON texts, each of which becomes an entry. Texts that are malformed or too long go
// to the dead letters. A large one is converted in a thread, and those behind it wait.

import assert from 'node:assert/strict';
import { type GelfConverted, GelfEntries } from '../../decode/gelf/gelf-entries.ts';
import { GelfFrames } from '../../decode/gelf/gelf-frames.ts';
import type { ReadEntries } from '../unacked/read-entries.ts';
import { LARGE_MESSAGE_BYTES, type LargeMessages, PERHAPS_LARGE_BYTES } from '../convert/large-messages.ts';
import type { DeadLetterSink, StreamDecoder } from '../unacked/stream-decoder.ts';

/**
 * Where memory is short, a message may have as many bytes before it is given up. Up to here it is converted at once
 * then.
 */
const SHORT_BYTES_MAX = 64 * 1024;
/** A message of the usual size takes about 10 µs. */
const MESSAGES_PER_TURN = 128;

/**
 * One for all connections: it keeps as much as the last message took, which may be several times its bytes, and that
 * message itself.
 */
const ENTRIES = new GelfEntries();

export class GelfDecoder implements StreamDecoder {
  readonly #messageBytesMax: number;
  readonly #large: LargeMessages;
  readonly #frames: GelfFrames;
  #converting: Promise<void> | null = null;
  /** The result for the last message of `frames`, until `read` appends it. */
  #converted: GelfConverted | null = null;

  constructor(messageBytesMax: number, large: LargeMessages) {
    this.#messageBytesMax = messageBytesMax;
    this.#large = large;
    this.#frames = new GelfFrames(messageBytesMax);
  }

  get heldBytes(): number {
    return this.#frames.heldBytes;
  }

  get memoryBytes(): number {
    return this.#frames.memoryBytes;
  }

  get converting(): Promise<void> | null {
    return this.#converting;
  }

  /**
   * Of large messages no more are made whole than find room, so that what waits for the thread stays where it came
   * from.
   */
  get hasRoom(): boolean {
    return this.#large.hasRoom || this.#frames.heldBytes <= PERHAPS_LARGE_BYTES;
  }

  room(): Promise<void> {
    return this.#large.room();
  }

  push(piece: Buffer): void {
    assert(
      !this.#converting && !this.#converted,
      'nothing is read while a message is converted, which lies where it came',
    );
    this.#frames.push(piece);
  }

  read(run: ReadEntries, deadLetter: DeadLetterSink): boolean {
    if (this.#converting) return false;
    this.#takeConverted(run, deadLetter);
    return this.#read(run, deadLetter, this.#messageBytesMax, LARGE_MESSAGE_BYTES);
  }

  relieve(run: ReadEntries, deadLetter: DeadLetterSink): boolean {
    if (this.#converting) return true;
    this.#takeConverted(run, deadLetter);
    const bytesMax = Math.min(SHORT_BYTES_MAX, this.#messageBytesMax);
    return this.#read(run, deadLetter, bytesMax, bytesMax);
  }

  finish(): void {
    this.#frames.finish();
  }

  #read(run: ReadEntries, deadLetter: DeadLetterSink, bytesMax: number, atOnceBytesMax: number): boolean {
    for (let count = 0; count < MESSAGES_PER_TURN; count += 1) {
      const kind = this.#frames.next(bytesMax);
      if (kind === 'more') return true;
      const { message } = this.#frames;
      if (kind === 'too_large') {
        const late = bytesMax < this.#messageBytesMax ? ' that was not whole in time, or where memory was short' : '';
        deadLetter(
          message,
          'chunk_too_large',
          `a GELF message of more than ${bytesMax} bytes${late}; this is its beginning`,
        );
      } else if (message.length > atOnceBytesMax) {
        this.#converting = this.#convert(message);
        return false;
      } else {
        const refusal = ENTRIES.append(run.writer, message);
        if (refusal === null) run.count += 1;
        else deadLetter(message, 'chunk_undecodable', `not a GELF message: ${refusal}`);
      }
    }
    return false;
  }

  async #convert(message: Buffer): Promise<void> {
    this.#converted = await this.#large.convert(message);
    this.#converting = null;
  }

  #takeConverted(run: ReadEntries, deadLetter: DeadLetterSink): void {
    const converted = this.#converted;
    if (!converted) return;
    this.#converted = null;
    if (converted.kind === 'entry') run.add(converted.bytes);
    else deadLetter(this.#frames.message, 'chunk_undecodable', `not a GELF message: ${converted.why}`);
  }
}
