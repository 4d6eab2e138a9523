// A line that is a JSON object, or ends in one: its pairs, as msgpack in the line's buffer.

import { JsonReader } from '#shared/json/json-value.ts';
import type { Line } from './line.ts';
import { BRACE } from './scan.ts';

export class JsonLines {
  readonly #line: Line;
  readonly #reader: JsonReader;

  constructor(line: Line) {
    this.#line = line;
    this.#reader = new JsonReader(line.writer);
  }

  /** Whether bytes[start, end) is one object with a pair at least; if not, nothing of it stays. */
  read(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes[start] !== BRACE || end - start < 5) return false;
    // Most texts in braces that are no object end here.
    const last = bytes[end - 1]!;
    if (last !== 0x7d && last > 0x20) return false;
    const line = this.#line;
    const at = line.start();
    const reader = this.#reader;
    reader.setText(bytes, start, end);
    if (!reader.object(0) || reader.skipSpace() >= 0) {
      line.writer.truncate(at);
      return false;
    }
    line.indexMap(at);
    return line.keys.top > 0;
  }
}
