// What a record says beside its text, in short: all lines of one stack trace come with the same, for only the first
// one's record is kept. So nothing that a sender says of a line is lost, and containers, files, streams, hosts and
// requests never mix. Times, and places in a file or the journal, may differ, and so may the order of keys. Pure.

import { hash } from 'node:crypto';
import { containerChildren, containerHeaderSize, isMap } from '#shared/msgpack/extents.ts';
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

/** Maps that are nested deeper count with the order of their keys. */
const DEPTH_MAX = 8;

/** Of the record at `recordAt`, without the value at `textAt`; and of the metadata at `metadataAt`, unless it is 0. */
export function restOf(bytes: Uint8Array, recordAt: number, textAt: number, metadataAt: number): string {
  table.index(bytes, recordAt, bytes.length, keys);
  const left = new Set([textAt]);
  for (let number = 0; number < leafs.length; number += 1)
    if (table.values[number] !== 0) left.add(table.values[number]!);
  const pieces: Uint8Array[] = [];
  const rest: Rest = { bytes, left };
  if (metadataAt !== 0) addValue(rest, metadataAt, 0, pieces);
  addValue(rest, recordAt, 0, pieces);
  return hash('sha256', Buffer.concat(pieces), 'base64url');
}

interface Rest {
  readonly bytes: Uint8Array;
  /** Where the values are that do not count. */
  readonly left: ReadonlySet<number>;
}

/** Adds what counts of the value at `at`, and returns where it ends. */
function addValue(rest: Rest, at: number, depth: number, pieces: Uint8Array[]): number {
  const { bytes, left } = rest;
  const type = bytes[at]!;
  if (left.has(at) || !isMap(type) || depth >= DEPTH_MAX) {
    const end = pastValue(bytes, at, bytes.length);
    if (!left.has(at)) pieces.push(bytes.subarray(at, end));
    return end;
  }
  const pairs: Uint8Array[] = [];
  let next = at + containerHeaderSize(type);
  pieces.push(bytes.subarray(at, next));
  for (let count = containerChildren(bytes, at, type) / 2; count > 0; count -= 1) {
    const valueAt = pastValue(bytes, next, bytes.length);
    const pair = [bytes.subarray(next, valueAt)];
    next = addValue(rest, valueAt, depth + 1, pair);
    pairs.push(Buffer.concat(pair));
  }
  // Programs in Go write the keys of a map in another order each time: Docker's driver for Forward does.
  pairs.sort(Buffer.compare);
  for (const pair of pairs) pieces.push(pair);
  return next;
}
