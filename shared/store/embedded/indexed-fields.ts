// What the embedded store looks at in a document: its time, its place in the order, and where it comes from. The
// document itself is kept as it came. Pure.
//
// Refuses what Elasticsearch's mapping refuses: text that is no JSON object, and a `@timestamp` that is missing or
// outside 1970–2262. And what is so deep that whoever reads it would run out of stack.

import { parseExactJson } from '../exact-json.ts';
import { isDeeperThan } from '../json-depth.ts';
import { clampInstant, INSTANT_MAX, INSTANT_MIN, parseInstant } from '../instant.ts';

export interface IndexedFields {
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  readonly sequence: number;
  readonly ingestedMs: number;
  /** When it arrived, in nanoseconds since the epoch, where `time` is the line's own. */
  readonly created: bigint | null;
  readonly containerId: string;
  readonly containerName: string;
  readonly service: string;
  readonly pod: string;
  readonly tag: string;
  readonly tenant: string;
}

type Fields = Record<string, unknown>;

/** As the mapping's `ignore_above`. */
const KEYWORD_MAX = 1024;
/** Elasticsearch takes 20 by its settings; a third of what a stack has room for. */
const LEVELS_MAX = 1000;

/** The reason as a string where the document is refused. */
export function indexedFields(json: string): IndexedFields | string {
  if (isDeeperThan(json, LEVELS_MAX)) return `the document has more than ${LEVELS_MAX} levels`;
  const document = parseObject(json);
  if (document === null) return 'the document is not a JSON object';
  const timestamp = document['@timestamp'];
  const time = typeof timestamp === 'string' ? parseInstant(timestamp) : null;
  if (time === null) return 'the document has no @timestamp that can be read';
  if (time < INSTANT_MIN || time > INSTANT_MAX) return 'its @timestamp is before 1970 or after 2262';
  const event = objectIn(document, 'event');
  const container = objectIn(document, 'container');
  const kubernetes = objectIn(document, 'kubernetes');
  const sequence = event?.['sequence'];
  const created = event?.['created'];
  return {
    time,
    sequence: typeof sequence === 'number' && Number.isSafeInteger(sequence) ? sequence : 0,
    ingestedMs: millisecondsOf(event?.['ingested']) ?? Number(time / 1_000_000n),
    created: typeof created === 'string' ? arrivalOf(created) : null,
    containerId: keyword(container?.['id']),
    containerName: keyword(container?.['name']),
    service: keyword(objectIn(document, 'service')?.['name']),
    pod: keyword(objectIn(kubernetes, 'pod')?.['name']),
    tag: keyword(objectIn(document, 'fluentd')?.['tag']),
    tenant: keyword(objectIn(document, 'tenant')?.['id']),
  };
}

function arrivalOf(text: string): bigint | null {
  const created = parseInstant(text);
  return created === null ? null : clampInstant(created);
}

function millisecondsOf(value: unknown): number | null {
  if (typeof value === 'number') return Math.min(Math.max(Math.trunc(value), 0), Number.MAX_SAFE_INTEGER);
  const ns = typeof value === 'string' ? parseInstant(value) : null;
  return ns === null ? null : Number(ns / 1_000_000n);
}

function parseObject(json: string): Fields | null {
  try {
    const value = parseExactJson(json);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

const keyword = (value: unknown): string => (typeof value === 'string' && value.length <= KEYWORD_MAX ? value : '');

function objectIn(fields: Fields | null, name: string): Fields | null {
  const value = fields?.[name];
  return isObject(value) ? value : null;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
