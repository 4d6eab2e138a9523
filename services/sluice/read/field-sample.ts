// Which fields the newest documents have, how many have each, and which values are frequent in it: what a person needs
// to write a query, or a program to offer her words. Pure; bounded in fields, values, and their lengths.

import { leafText, type Document } from '#shared/store/query/document-values.ts';
import { fieldNamed, shortName } from '#shared/store/query/fields.ts';

export interface SampledField {
  /** As it is written in a query. */
  readonly name: string;
  /** Of those looked at. */
  readonly documents: number;
  /** The most frequent ones; none where there are too many. */
  readonly values: readonly { readonly value: string; readonly documents: number }[];
}

const FIELDS_MAX = 2000;
const DEPTH_MAX = 20;
/** Of a field. One with more has no frequent ones. */
const VALUES_MAX = 50;
const VALUES_SHOWN = 10;
const VALUE_LENGTH_MAX = 200;
/** Texts that people read have no values to choose from. */
const READ: ReadonlySet<string> = new Set(['message', 'event.original', 'error.message', 'error.stack_trace']);

interface Seen {
  documents: number;
  /** Null: there are too many, or they are too long. */
  values: Map<string, number> | null;
}

export class FieldSample {
  readonly #fields = new Map<string, Seen>();
  #documents = 0;
  #isCut = false;

  get documents(): number {
    return this.#documents;
  }

  /** Whether fields are left out. */
  get isCut(): boolean {
    return this.#isCut;
  }

  add(document: Document): void {
    this.#documents += 1;
    const found = new Map<string, Set<string>>();
    visit(document, '', 0, (path, value) => {
      const values = found.get(path);
      if (values !== undefined) values.add(value);
      else if (found.size < FIELDS_MAX) found.set(path, new Set([value]));
      else this.#isCut = true;
    });
    for (const [path, values] of found) this.#count(path, values);
  }

  /** Those that most documents have first. */
  fields(): SampledField[] {
    return [...this.#fields]
      .map(([name, { documents, values }]) => ({ name, documents, values: mostFrequent(values) }))
      .toSorted((a, b) => b.documents - a.documents || (a.name < b.name ? -1 : 1));
  }

  #count(path: string, values: ReadonlySet<string>): void {
    const name = shortName(fieldNamed(path));
    let seen = this.#fields.get(name);
    if (seen === undefined) {
      if (this.#fields.size >= FIELDS_MAX) {
        this.#isCut = true;
        return;
      }
      seen = { documents: 0, values: READ.has(name) ? null : new Map() };
      this.#fields.set(name, seen);
    }
    seen.documents += 1;
    for (const value of values) {
      if (seen.values === null) return;
      seen.values.set(value, (seen.values.get(value) ?? 0) + 1);
      if (value.length > VALUE_LENGTH_MAX || seen.values.size > VALUES_MAX) seen.values = null;
    }
  }
}

function mostFrequent(values: ReadonlyMap<string, number> | null): SampledField['values'] {
  return [...(values ?? [])]
    .map(([value, documents]) => ({ value, documents }))
    .toSorted((a, b) => b.documents - a.documents || (a.value < b.value ? -1 : 1))
    .slice(0, VALUES_SHOWN);
}

function visit(value: unknown, path: string, depth: number, found: (path: string, value: string) => void): void {
  const text = leafText(value);
  if (text !== null) {
    found(path, text);
    return;
  }
  if (typeof value !== 'object' || value === null || depth > DEPTH_MAX) return;
  if (Array.isArray(value)) for (const one of value) visit(one, path, depth + 1, found);
  else
    for (const [name, inner] of Object.entries(value))
      visit(inner, path === '' ? name : `${path}.${name}`, depth + 1, found);
}
