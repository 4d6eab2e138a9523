// When the lines of a stack trace were written: the document has the first one's time, and for the others how much
// later they came, so that `sluice logs -t` can say what `docker logs -t` says. Pure.

import { entryTimeAt } from '#shared/record/entry-time.ts';
import { viewOf } from '../json/json-buffer.ts';
import { Timestamp } from '../parse/timestamp.ts';

export interface TimedLine {
  /** [time, record] */
  readonly entry: Uint8Array;
  readonly batch: { readonly receivedMs: number };
}

const first = new Timestamp();
const later = new Timestamp();

/** Nanoseconds since the first one's time, for each line; undefined where all have the same. */
export function lineOffsets(lines: readonly [TimedLine, ...TimedLine[]]): readonly number[] | undefined {
  read(first, lines[0]);
  const offsets = lines.map((line) => {
    read(later, line);
    return later.nanosSince(first);
  });
  return offsets.some((offset) => offset !== 0) ? offsets : undefined;
}

function read(time: Timestamp, { entry, batch }: TimedLine): void {
  const kind = time.read(entry, viewOf(entry), entryTimeAt(entry, 0, entry.length));
  if (kind !== 'instant') time.setMs(batch.receivedMs);
}
