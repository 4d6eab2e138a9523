// What is expected of a line, field by field: what is added to the document of an empty record. Times are within the
// day of the entry, which is 2026-01-02T03:04:05Z.

import assert from 'node:assert/strict';
import { levelSeverities, levelWords } from '#indexer/parse/line/level-words.ts';
import { documentOf, entryOf } from '../documents.ts';

export const sequence = 1_767_323_045_678_000;
export const ingested = '2026-01-02T03:04:06.120Z';
export const created = '2026-01-02T03:04:05.000Z';
export const plain = { '@timestamp': created, fluentd: { tag: 'app.web' } };

export interface Expected {
  readonly time?: string;
  readonly level?: (typeof levelWords)[number];
  /** Whether `event.original` has the line. */
  readonly original?: boolean;
  readonly log?: object;
  readonly [field: string]: unknown;
}

/** `record`: beside the line. */
export function check(
  line: string,
  { time, level, original = true, log = {}, ...rest }: Expected,
  record: object = {},
): void {
  const document = documentOf(entryOf({ log: line, ...record }));
  const severity = level === undefined ? {} : { severity: levelSeverities[levelWords.indexOf(level)] };
  const logs = { ...log, ...(level && { level }) };
  assert.deepEqual(
    document,
    {
      ...plain,
      ...(time !== undefined && { '@timestamp': time }),
      event: {
        ingested,
        sequence,
        ...severity,
        ...(time !== undefined && { created }),
        ...(original && { original: line }),
      },
      ...(Object.keys(logs).length > 0 && { log: logs }),
      ...rest,
    },
    line,
  );
}

/** The line is a message, byte for byte, and nothing else. */
export function isMessage(line: string): void {
  check(line, { message: line, original: false });
}
