// What a record says beside its text, in short: all lines of one stack trace come with the same, for only the first
// one's record is kept. So nothing that a sender says of a line is lost, and containers, files, streams, hosts and
// requests never mix. Times, and places in a file or the journal, may differ. Pure; linear.

import { hash } from 'node:crypto';
import { FieldTable, KeyStack, pastValue } from '../fields.ts';
import * as names from '../names.ts';

/** What differs from one line of a source to the next, by the names that collectors give it. */
const varying = [
  ...[...names.timeNames, ...names.lineTimeNames].map((number) => names.recordNames[number] ?? ''),
  // fluent-bit, of CRI; Filebeat, Vector; OpenTelemetry.
  'logtag', '_p', 'offset', 'log.offset', 'event.created', 'event.ingested', 'log.file.record_number',
  'log.file.record_offset', 'observed_timestamp',
  // The journal, and Docker's driver for it.
  '__CURSOR', '__SEQNUM', '__MONOTONIC_TIMESTAMP', '_SOURCE_MONOTONIC_TIMESTAMP', '_SOURCE_BOOTTIME_TIMESTAMP',
  'SYSLOG_TIMESTAMP', '_LINE_BREAK', 'CONTAINER_LOG_ORDINAL',
]; // prettier-ignore
const maps = varying.flatMap((name) => [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index)));
const leafs: readonly string[] = [...new Set(varying)];
const table = new FieldTable([...new Set([...leafs, ...maps])]);
const keys = new KeyStack();

/** Of the record at `recordAt`, without the value at `textAt`; and of the metadata at `metadataAt`, unless it is 0. */
export function restOf(bytes: Uint8Array, recordAt: number, textAt: number, metadataAt: number): string {
  const end = table.index(bytes, recordAt, bytes.length, keys);
  const left = [textAt];
  for (let number = 0; number < leafs.length; number += 1)
    if (table.values[number] !== 0) left.push(table.values[number]!);
  left.sort((a, b) => a - b);
  const pieces: Uint8Array[] = [];
  if (metadataAt !== 0) pieces.push(bytes.subarray(metadataAt, pastValue(bytes, metadataAt, bytes.length)));
  let at = recordAt;
  for (const value of left) {
    // Inside one that is left out.
    if (value < at) continue;
    pieces.push(bytes.subarray(at, value));
    at = pastValue(bytes, value, bytes.length);
  }
  pieces.push(bytes.subarray(at, end));
  return hash('sha256', Buffer.concat(pieces), 'base64url');
}
