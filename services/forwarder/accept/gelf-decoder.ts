// A connection of the GELF input: JSON texts, and of each an entry. What is none, or too long, is for the dead letters.

import { GelfEntries } from '../decode/gelf-entries.ts';
import { GelfFrames } from '../decode/gelf-frames.ts';
import type { EntryRun } from './entry-run.ts';
import type { Bury, StreamDecoder } from './stream-session.ts';

/** Where memory is short, a message may have as many bytes before it is given up. */
const SHORT_BYTES_MAX = 64 * 1024;
/** A message of the usual size takes about 10 µs. */
const MESSAGES_PER_TURN = 128;

/** One for all connections: it keeps as much as the last message took, which may be several times its bytes, and that message itself. */
const ENTRIES = new GelfEntries();

export class GelfDecoder implements StreamDecoder {
  readonly #messageBytesMax: number;
  readonly #frames: GelfFrames;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
    this.#frames = new GelfFrames(messageBytesMax);
  }

  get heldBytes(): number {
    return this.#frames.heldBytes;
  }

  get memoryBytes(): number {
    return this.#frames.memoryBytes;
  }

  push(piece: Buffer): void {
    this.#frames.push(piece);
  }

  read(run: EntryRun, bury: Bury): boolean {
    return this.#read(run, bury, this.#messageBytesMax);
  }

  relieve(run: EntryRun, bury: Bury): boolean {
    return this.#read(run, bury, Math.min(SHORT_BYTES_MAX, this.#messageBytesMax));
  }

  finish(): void {
    this.#frames.finish();
  }

  #read(run: EntryRun, bury: Bury, bytesMax: number): boolean {
    for (let count = 0; count < MESSAGES_PER_TURN; count += 1) {
      const kind = this.#frames.next(bytesMax);
      if (kind === 'more') return true;
      const { message } = this.#frames;
      if (kind === 'too_large') {
        const late = bytesMax < this.#messageBytesMax ? ' that was not whole in time, or where memory was short' : '';
        bury(message, 'chunk_too_large', `a GELF message of more than ${bytesMax} bytes${late}; this is its beginning`);
        continue;
      }
      const refusal = ENTRIES.append(run.writer, message);
      if (refusal === null) run.count += 1;
      else bury(message, 'chunk_undecodable', `not a GELF message: ${refusal}`);
    }
    return false;
  }
}
