// A connection of the syslog input: frames, each of which becomes an entry. A message of more than `messageBytesMax`
// goes on in parts, which the indexer joins. So does an unfinished message when memory is short.

import type { Clock } from '#shared/clock.ts';
import { SyslogEntries, type Part } from '../../decode/syslog/syslog-entries.ts';
import { type FrameKind, SyslogFrames } from '../../decode/syslog/syslog-frames.ts';
import type { TimeZone } from '../../decode/syslog/time-zone.ts';
import type { ReadEntries } from '../unacked/read-entries.ts';
import { hostOf } from './own-host.ts';
import type { StreamDecoder } from '../unacked/stream-decoder.ts';

/** A piece that is cut for want of memory holds the header at least. */
const PIECE_BYTES_MIN = 1024;
/** A message takes 1 to 2 µs. */
const MESSAGES_PER_TURN = 1024;

export interface SyslogDecoderOptions {
  readonly sender: string;
  readonly messageBytesMax: number;
  readonly zone: TimeZone;
  readonly clock: Clock;
  /** A name for the parts of a message that no other has. */
  readonly newPartId: () => string;
}

export class SyslogDecoder implements StreamDecoder {
  /** No message is too large for a turn: what is longer goes on in parts. */
  readonly converting = null;
  readonly hasRoom = true;
  readonly #frames: SyslogFrames;
  readonly #entries: SyslogEntries;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #newPartId: () => string;
  #part: Part | null = null;

  constructor({ sender, messageBytesMax, zone, clock, newPartId }: SyslogDecoderOptions) {
    this.#frames = new SyslogFrames({ pieceBytesMax: messageBytesMax, nulEnds: sender === 'unix' });
    this.#entries = new SyslogEntries(zone);
    this.#host = hostOf(sender);
    this.#clock = clock;
    this.#newPartId = newPartId;
  }

  get heldBytes(): number {
    return this.#frames.heldBytes;
  }

  get memoryBytes(): number {
    return this.#frames.memoryBytes;
  }

  room(): Promise<void> {
    return Promise.resolve();
  }

  push(piece: Buffer): void {
    this.#frames.push(piece);
  }

  read(run: ReadEntries): boolean {
    return this.#read(run);
  }

  relieve(run: ReadEntries): boolean {
    return this.#read(run, PIECE_BYTES_MIN);
  }

  finish(): void {
    this.#frames.finish();
  }

  #read(run: ReadEntries, pieceBytesMax?: number): boolean {
    const frames = this.#frames;
    const receivedSeconds = Math.floor(this.#clock.epochMs() / 1000);
    for (let count = 0; count < MESSAGES_PER_TURN; count += 1) {
      const kind = frames.next(pieceBytesMax);
      if (kind === 'more') return true;
      this.#part = kind === 'whole' ? null : this.#nextPart(kind);
      const { bytes, start, end } = frames;
      this.#entries.append(run.writer, { bytes, start, end, receivedSeconds, host: this.#host, part: this.#part });
      run.count += 1;
    }
    return false;
  }

  #nextPart(kind: FrameKind): Part {
    const before = kind === 'first' ? null : this.#part;
    const id = before?.id ?? this.#newPartId();
    return { id, ordinal: (before?.ordinal ?? 0) + 1, last: kind === 'last' };
  }
}
