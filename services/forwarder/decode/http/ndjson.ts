// NDJSON: one JSON object a line (LF or CRLF), blank lines ignored, the last line with or without its end.
// A body is taken whole or not at all; the refusal names the line and the offset.

import type { EntriesOptions, HttpEntries } from './http-entries.ts';
import { JsonEntries } from './json-entries.ts';

const LINE_FEED = 0x0a;

export function ndjsonEntries(body: Uint8Array, options: EntriesOptions): HttpEntries {
  const entries = new JsonEntries(body, options);
  let line = 0;
  let start = 0;
  while (start < body.length) {
    const feed = body.indexOf(LINE_FEED, start);
    const end = feed < 0 ? body.length : feed;
    line += 1;
    entries.setRange(start, end);
    if (entries.next() >= 0) {
      let refusal = entries.object();
      if (!refusal && entries.next() >= 0) refusal = entries.malformed('there is more after the object');
      if (refusal) return refusal.kind === 'malformed' ? { ...refusal, line } : refusal;
    }
    start = end + 1;
  }
  return entries.done();
}
