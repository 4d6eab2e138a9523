// Reads pieces of a file as the collector does: what is left of one comes again with the next.

import type { FileEntries } from '#forwarder/decode/files/file-entries.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

export interface ReadPieces {
  readonly run: Buffer;
  /** What is no line yet. */
  readonly rest: Buffer;
}

export function readPieces(entries: FileEntries, pieces: readonly Buffer[]): ReadPieces {
  const runs: Buffer[] = [];
  let rest = Buffer.alloc(0);
  for (const piece of [...pieces, Buffer.alloc(0)]) {
    rest = Buffer.concat([rest, piece]);
    for (let isFull = true; isFull;) {
      const writer = new MsgpackWriter();
      const taken = entries.take(writer, rest, 0, rest.length);
      runs.push(writer.take());
      rest = rest.subarray(taken.at);
      isFull = taken.isFull;
    }
  }
  return { run: Buffer.concat(runs), rest };
}
