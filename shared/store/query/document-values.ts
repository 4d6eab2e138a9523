// The values of a field in a document, as Elasticsearch finds them by it: those of arrays one by one, none that is
// null, none that is longer than its mapping indexes. Pure. A number is as it was written: documents come from
// parseExactJson.

import { exactNumberText } from '../exact-json.ts';
import type { Field } from '../where.ts';

export type Document = Readonly<Record<string, unknown>>;

/** As `ignore_above` of the mapping. */
const KEYWORD_MAX = 1024;
const ATTRIBUTE_MAX = 8191;

/** Of all fields that a name means. */
export function namedValues(document: Document, field: Field): string[] {
  const values = valuesOf(document, field);
  return field.also === undefined ? values : [...values, ...valuesOf(document, field.also)];
}

/** Texts, numbers and booleans, as text. */
export function valuesOf(document: Document, field: Field): string[] {
  const values: string[] = [];
  const max = valueLengthMax(field);
  const found = (leaf: string) => {
    if (leaf.length <= max) values.push(leaf);
  };
  if (field.kind !== 'flattened') visitKey(document, field.path, found);
  else
    for (const root of inPath(document, field.root))
      if (field.key === '') visitAll(root, found);
      else visitKey(root, field.key, found);
  return values;
}

/** Longer values are kept and not found. */
export function valueLengthMax({ kind }: Field): number {
  return kind === 'keyword' ? KEYWORD_MAX : kind === 'flattened' ? ATTRIBUTE_MAX : Infinity;
}

/** The values at a path of keys, whose dots stand between keys or are part of one. */
function visitKey(value: unknown, key: string, found: (leaf: string) => void): void {
  if (Array.isArray(value)) for (const element of value) visitKey(element, key, found);
  if (!isFields(value)) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === key) visitLeaves(inner, found);
    if (key.startsWith(name) && key[name.length] === '.') visitKey(inner, key.slice(name.length + 1), found);
  }
}

function visitLeaves(value: unknown, found: (leaf: string) => void): void {
  if (Array.isArray(value)) for (const element of value) visitLeaves(element, found);
  const text = leafText(value);
  if (text !== null) found(text);
}

/** All values below, at whatever key. */
function visitAll(value: unknown, found: (leaf: string) => void): void {
  const text = leafText(value);
  if (text !== null) found(text);
  else if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) visitAll(inner, found);
}

/** A text, number or boolean as text; null for all else. */
export function leafText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return exactNumberText(value);
}

function inPath(document: Document, path: string): unknown[] {
  let value: unknown = document;
  for (const name of path.split('.')) {
    if (!isFields(value)) return [];
    value = Object.hasOwn(value, name) ? value[name] : undefined;
  }
  return value === undefined ? [] : [value];
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}
