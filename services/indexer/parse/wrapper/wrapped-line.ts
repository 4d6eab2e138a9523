// What was read of a line that a container runtime, or the journal, put around the text of a program: where that text
// lies, when and on which stream it was written, and whether the line goes on in the next one. One object serves all
// lines.

import type { Timestamp } from '../timestamp.ts';
import { readText } from '../record-time.ts';
import { type StreamName, streamNameOf } from './stream-name.ts';

/** As the time of an entry can hold them. */
const SECONDS_END = 2 ** 32;

export class WrappedLine implements Pick<Timestamp, 'setInstant'> {
  /** The text is bytes[start, end). */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  /** Null where the line tells none. */
  stream: StreamName | null = null;
  seconds = 0;
  nanos = 0;
  /** Whether the next line of the same source and stream is a part of the same line. */
  goesOn = false;
  /** Pairs beside the text and the stream, as msgpack, and how many they are. */
  pairs: Uint8Array = new Uint8Array(0);
  pairsCount = 0;
  /** Whether the record itself is the line, with its stream and time as keys. */
  isRecord = false;

  setText(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.pairsCount = 0;
    this.isRecord = false;
  }

  setInstant(seconds: number, nanos: number): boolean {
    if (!(seconds >= 0 && seconds < SECONDS_END)) return false;
    this.seconds = seconds;
    this.nanos = nanos;
    return true;
  }

  /** Reads the time in bytes[start, end); false where that is none. */
  readTime(bytes: Uint8Array, start: number, end: number): boolean {
    return readText(bytes, start, end, this);
  }

  /** Whether bytes[start, end) names a stream. */
  readStream(bytes: Uint8Array, start: number, end: number): boolean {
    this.stream = streamNameOf(bytes, start, end);
    return this.stream !== null;
  }
}
