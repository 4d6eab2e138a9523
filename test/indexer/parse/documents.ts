// Writes entries with the real writer and gives back what a store would see, for the tests of this folder.

import assert from 'node:assert/strict';
import { encode } from '@msgpack/msgpack';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter, type Written } from '#indexer/parse/document/document.ts';
import type { JoinedMark } from '#indexer/parse/document/joined-mark.ts';
import type { Batch } from '#shared/record/record.ts';

export const batch: Batch = {
  id: Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'),
  first: 0,
  count: 1,
  tag: 'app.web',
  input: 'forward',
  tenant: null,
  receivedMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  seq: 1_767_323_045_678_000,
  sender: '10.0.0.1',
  version: 2,
  chain: null,
};
const ingestedMs = Date.UTC(2026, 0, 2, 3, 4, 6, 120);

const body = new BulkBody();
/** The tenant whose records may name their own. */
export const TRUSTED = 'platform';
const writer = new DocumentWriter(body, { trusted: new Set([TRUSTED]) });

export interface Options {
  readonly batch?: Batch;
  readonly index?: number;
  readonly partial?: boolean;
  readonly lines?: number;
  readonly asText?: boolean;
}

const joinedOf = ({ partial = false, lines = 1 }: Options): JoinedMark | null =>
  partial || lines > 1 ? { partial, lines } : null;

/** What `write` says, without its document. */
export function outcomeOf(entry: Uint8Array, options: Options = {}): Written {
  const { index = 0 } = options;
  const joined = joinedOf(options);
  writer.startBatch(options.batch ?? batch, ingestedMs);
  if (options.asText) return writer.writeAsText(entry, 0, entry.length, index, joined);
  return writer.write(entry, 0, entry.length, index, joined);
}

/** The document's text. The entry must be one. */
export function textOf(entry: Uint8Array, options: Options = {}): string {
  // Bytes around the entry, so that a position is never the same in both.
  const framed = Buffer.concat([Buffer.from([0xc0, 0xc0, 0xc0]), entry, Buffer.from([0xc1])]);
  writer.startBatch(options.batch ?? batch, ingestedMs);
  const place = [3, 3 + entry.length, options.index ?? 0, joinedOf(options)] as const;
  const written = options.asText ? writer.writeAsText(framed, ...place) : writer.write(framed, ...place);
  assert.equal(written, 'ok');
  const request = body.request();
  const [item] = request.items;
  assert(item);
  const text = Buffer.from(request.body.subarray(item.docStart, item.docEnd)).toString();
  body.release(request);
  return text;
}

export function documentOf(entry: Uint8Array, options: Options = {}): Record<string, unknown> {
  const document: Record<string, unknown> = JSON.parse(textOf(entry, options));
  return document;
}

/** [time, record] */
export function entryOf(record: unknown, time: unknown = 1_767_323_045): Buffer {
  return Buffer.from(encode([time, record], { useBigInt64: true }));
}

/** Bytes from hex digits; blanks are for the reader. */
export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(/\s/g, ''), 'hex');
}
