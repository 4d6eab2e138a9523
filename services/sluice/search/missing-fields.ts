// Tells of fields that a query names and no document has: a slip of the keyboard finds nothing, and says nothing.

import type { Document } from '#shared/store/query/document-values.ts';
import { fieldNamed, fields, SHORT_NAMES, shortName, UNSEARCHED } from '#shared/store/query/fields.ts';
import type { Field, Where } from '#shared/store/where.ts';
import type { ReadableStore, StoreQuery } from '#shared/store/store.ts';

/** Whose fields are proposed. */
const SAMPLE = 500;
const SAMPLE_BYTES = 16 * 1024 * 1024;
const NAMES_MAX = 5000;
const DEPTH_MAX = 20;

type Range = Pick<StoreQuery, 'since' | 'until' | 'name' | 'tenant'>;

/** A line for each of them. Costs a search each, so it is for queries that found little. */
export async function missingFields(
  store: ReadableStore,
  named: readonly Field[],
  range: Range,
  signal: AbortSignal,
): Promise<string[]> {
  const lines: string[] = [];
  let names: readonly string[] | null = null;
  const asked = new Set<string>(UNSEARCHED);
  for (const field of named) {
    const alike = field.also === undefined ? [field] : [field, field.also];
    const isAsked = asked.has(field.path);
    for (const { path } of alike) asked.add(path);
    if (isAsked) continue;
    const nodes = alike.map((one): Where => ({ kind: 'exists', field: one, at: 0 }));
    const found = await store.search({ ...range, where: { kind: 'or', nodes }, order: 'newest', limit: 1 }, signal);
    if (found.length > 0) continue;
    names ??= await namesOf(store, range, signal);
    // A store without documents has no field at all.
    if (names.length === 0) return [];
    const name = shortName(field);
    const nearest = nearestName(name, names);
    // `Cart.java:12` of a stack trace reads as a field and its value.
    const advice = nearest === null ? 'put it in quotes if it is text' : `did you mean ${nearest}?`;
    lines.push(`nothing has the field ${name}; ${advice}`);
  }
  return lines;
}

/** Of the newest documents, as they would be written in a query. */
async function namesOf(store: ReadableStore, range: Range, signal: AbortSignal): Promise<string[]> {
  const names = new Set<string>();
  let left = SAMPLE_BYTES;
  for await (const { documents, bytes } of store.pages({ ...range, order: 'newest', limit: SAMPLE }, signal)) {
    for (const { source } of documents) addNames(source, names);
    left -= bytes;
    if (left <= 0) break;
  }
  return [...names];
}

function addNames(document: Document, names: Set<string>): void {
  const visit = (value: unknown, before: string, depth: number): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || depth > DEPTH_MAX) {
      if (names.size < NAMES_MAX) names.add(shortName(fieldNamed(before)));
      return;
    }
    for (const [name, inner] of Object.entries(value))
      visit(inner, before === '' ? name : `${before}.${name}`, depth + 1);
  };
  visit(document, '', 0);
}

/** The name that is most like this one; of a field of ours also by its short names. Null where none is. */
function nearestName(name: string, names: readonly string[]): string | null {
  let nearest: string | null = null;
  let least = Infinity;
  for (const candidate of names) {
    const spellings = [candidate, candidate.slice(candidate.lastIndexOf('.') + 1)];
    if (fields.has(candidate))
      for (const short of Object.keys(SHORT_NAMES)) if (fieldNamed(short).path === candidate) spellings.push(short);
    for (const spelling of spellings) {
      const distance = distanceOf(name.toLowerCase(), spelling.toLowerCase());
      if (distance < least) [nearest, least] = [candidate, distance];
    }
  }
  return nearest;
}

const LENGTH_MAX = 100;

/** Letters to change, at most a third of them; or those that were left out, as in `lvl`. Infinity: not alike. */
function distanceOf(name: string, other: string): number {
  if (name.length > LENGTH_MAX || other.length > LENGTH_MAX || name.length < 2) return Infinity;
  const edits = editsBetween(name, other);
  if (edits <= Math.floor((name.length + 1) / 3)) return edits;
  return isWithoutLetters(name, other) ? edits : Infinity;
}

function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? Infinity;
}

function isWithoutLetters(name: string, other: string): boolean {
  let at = 0;
  for (const letter of other) if (letter === name[at]) at++;
  return name[0] === other[0] && at === name.length && other.length <= 3 * name.length;
}
