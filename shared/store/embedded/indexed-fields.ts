// What the embedded store looks at in a document: its time, its place in the order, where it comes from, and its words.
// The document itself is kept as it came. Pure.
//
// Refuses what Elasticsearch's mapping refuses: text that is no JSON object, and a `@timestamp` that is missing or
// outside 1970–2262.

import { foundPaths } from '../ecs-fields.ts';
import { parseExactJson } from '../exact-json.ts';
import { clampInstant, INSTANT_MAX, INSTANT_MIN, parseInstant } from '../instant.ts';
import { separateCjk, shortenWords } from '../words.ts';

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
  /** For the full-text index, CJK characters set apart. */
  readonly message: string;
  readonly attributes: string;
}

type Fields = Record<string, unknown>;

const POD_NAME = ['kubernetes', 'pod', 'name'];
const foundKeys = foundPaths.map((path) => path.split('.'));

/** As the mapping's `ignore_above`: longer values are kept but not found. */
const KEYWORD_MAX = 1024;
const ATTRIBUTE_MAX = 8191;
/** As `depth_limit` of a flattened field. */
const DEPTH_MAX = 20;
/**
 * Between two values of attributes, so that a phrase never runs over both: a word that nobody can search for (private
 * use).
 */
const VALUE_END = ' \uE000 ';

/** The reason as a string where the document is refused. */
export function indexedFields(json: string): IndexedFields | string {
  const document = parseObject(json);
  if (document === null) return 'the document is not a JSON object';
  const timestamp = document['@timestamp'];
  const time = typeof timestamp === 'string' ? parseInstant(timestamp) : null;
  if (time === null) return 'the document has no @timestamp that can be read';
  if (time < INSTANT_MIN || time > INSTANT_MAX) return 'its @timestamp is before 1970 or after 2262';
  const event = objectIn(document, 'event');
  const container = objectIn(document, 'container');
  const sequence = event?.['sequence'];
  const created = event?.['created'];
  const message = document['message'];
  return {
    time,
    sequence: typeof sequence === 'number' && Number.isSafeInteger(sequence) ? sequence : 0,
    ingestedMs: millisecondsOf(event?.['ingested']) ?? Number(time / 1_000_000n),
    created: typeof created === 'string' ? arrivalOf(created) : null,
    containerId: keyword(container?.['id']),
    containerName: keyword(container?.['name']),
    service: keyword(objectIn(document, 'service')?.['name']),
    pod: keyword(valueAt(document, POD_NAME)),
    tag: keyword(objectIn(document, 'fluentd')?.['tag']),
    tenant: keyword(objectIn(document, 'tenant')?.['id']),
    message: typeof message === 'string' ? separateCjk(shortenWords(message)) : '',
    attributes: attributeText(document),
  };
}

/** Words of the attributes, and of the fields that were taken from what a line says. */
function attributeText(document: Fields): string {
  const values: string[] = [];
  const { attributes } = document;
  if (isObject(attributes)) collectValues(attributes, values, 0);
  for (const path of foundKeys) {
    const value = valueAt(document, path);
    if (typeof value === 'string') values.push(shortenWords(value));
  }
  return separateCjk(values.join(VALUE_END));
}

function collectValues(value: unknown, values: string[], depth: number): void {
  if (typeof value === 'string') {
    if (value.length <= ATTRIBUTE_MAX) values.push(value);
  } else if (typeof value === 'number' || typeof value === 'boolean') {
    values.push(String(value));
  } else if (JSON.isRawJSON(value)) {
    values.push(value.rawJSON);
  } else if (typeof value === 'object' && value !== null && depth <= DEPTH_MAX) {
    for (const inner of Object.values(value)) collectValues(inner, values, depth + 1);
  }
}

function valueAt(document: Fields, path: readonly string[]): unknown {
  let value: unknown = document;
  for (const name of path) value = isObject(value) ? value[name] : undefined;
  return value;
}

function arrivalOf(text: string): bigint | null {
  const created = parseInstant(text);
  return created === null ? null : clampInstant(created);
}

function millisecondsOf(value: unknown): number | null {
  if (typeof value === 'number') return Math.trunc(value);
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

function objectIn(fields: Fields, name: string): Fields | null {
  const value = fields[name];
  return isObject(value) ? value : null;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
