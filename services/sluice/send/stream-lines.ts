// Lines of a stream that nobody can read again, as runs of entries: the same lines as those of files, in the same parts
// where they are long. A line has the time at which its end was read, unless it begins with one.
//
// Guarantees: nothing is left out but line feeds, a carriage return before one, and NULs at the beginning of a line;
// of a line without an end no more than 64 KiB are kept; linear, however small the pieces are.

import { randomBytes } from 'node:crypto';
import { PART_BYTES } from '#forwarder/decode/files/file-entries.ts';
import { LineEntries } from '#forwarder/decode/files/line-entries.ts';
import { encodingOf } from '#forwarder/decode/files/file-encoding.ts';
import type { Clock } from '#shared/clock.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { CHAIN_BYTES } from '#shared/record/chain.ts';
import type { Run } from './forward-sender.ts';

const LINE_FEED = 0x0a;
const NO_HEAD = Buffer.alloc(0);

export interface StreamLinesOptions {
  /** Of every line, beside its text. */
  readonly fields: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly give: (run: Run) => void;
}

export class StreamLines {
  readonly #options: StreamLinesOptions;
  readonly #entries: LineEntries;
  readonly #writer = new MsgpackWriter();
  /** What is no line yet. */
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(options: StreamLinesOptions) {
    this.#options = options;
    const { fields } = options;
    const encoding = encodingOf(NO_HEAD, 'utf-8');
    // Random: it names the parts of a line.
    this.#entries = new LineEntries({ fields, encoding }, { offset: 0, chain: randomBytes(CHAIN_BYTES), crc32: 0 });
  }

  take(piece: Buffer): void {
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    if (this.#heldBytes <= PART_BYTES && !piece.includes(LINE_FEED)) return;
    const bytes = this.#takeHeld();
    this.#entries.defaultTime = this.#now();
    let at = 0;
    for (let isFull = true; isFull;) {
      const taken = this.#entries.take(this.#writer, bytes, at, bytes.length);
      ({ at, isFull } = taken);
      this.#give(taken.count);
    }
    let rest = bytes.subarray(at);
    if (rest.length > PART_BYTES) {
      // Only NULs can be so many, and nobody can write in their place.
      this.#entries.pass(rest);
      rest = NO_HEAD;
    }
    // A copy: what is kept of a large piece is small.
    this.#held = rest.length === 0 ? [] : [Buffer.from(rest)];
    this.#heldBytes = rest.length;
  }

  /** The stream is over: what it ends with is a line. */
  end(): void {
    const rest = this.#takeHeld();
    const at = rest.findIndex((byte) => byte !== 0);
    if (this.#entries.isAtLine && at < 0) return;
    this.#entries.defaultTime = this.#now();
    if (this.#entries.isAtLine) this.#entries.asLine(this.#writer, rest, at, rest.length);
    else this.#entries.asEnd(this.#writer, rest, 0, rest.length);
    this.#give(1);
  }

  #takeHeld(): Buffer {
    const bytes = Buffer.concat(this.#held);
    this.#held = [];
    this.#heldBytes = 0;
    return bytes;
  }

  #give(count: number): void {
    if (count > 0) this.#options.give({ entries: this.#writer.take(), count });
    this.#writer.reset();
  }

  #now(): { seconds: number; nanoseconds: number } {
    const nowMs = this.#options.clock.epochMs();
    return { seconds: Math.floor(nowMs / 1000), nanoseconds: (nowMs % 1000) * 1_000_000 };
  }
}
