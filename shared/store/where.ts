// What a query says of a document, as a tree. Each store answers it in its own way, and matches.ts says what is right.
//
// A leaf knows where it stands in the text of the query, so that whoever finds fault with it can show the place.

import type { QueryTerm } from './query-text.ts';

export type FieldKind = 'keyword' | 'ip' | 'text' | 'date' | 'date_nanos' | 'integer' | 'double' | 'flattened';

export interface Field {
  /** In full, as it would have to be written: `attributes.status`. */
  readonly path: string;
  readonly kind: FieldKind;
  /** Of a flattened field: its own name, and the key inside, which is '' for all of its values. */
  readonly root: string;
  readonly key: string;
  /** Where the same name means another field too (fields.ts). A leaf of a tree is about `path` alone. */
  readonly also?: Field;
}

export type Where =
  | { readonly kind: 'all' }
  | { readonly kind: 'and' | 'or'; readonly nodes: readonly Where[] }
  | { readonly kind: 'not'; readonly node: Where }
  /** In the message, or in a text among the attributes. */
  | { readonly kind: 'words'; readonly term: QueryTerm }
  | FieldWhere;

export type FieldWhere = {
  readonly field: Field;
  /** Where the name of the field begins in the query. */
  readonly at: number;
} & (
  | { readonly kind: 'exists' }
  /** Words of a text field. */
  | { readonly kind: 'text'; readonly term: QueryTerm }
  /** A whole value. `number`: its code, if it is one. */
  | { readonly kind: 'equals'; readonly value: string; readonly number: string | null }
  /** A whole value in which runs of any characters stand between the pieces. */
  | { readonly kind: 'pattern'; readonly pieces: readonly string[] }
  /** Addresses as numbers (query/address.ts), both included. */
  | { readonly kind: 'addresses'; readonly first: bigint; readonly last: bigint }
  | { readonly kind: 'numbers'; readonly from?: NumberBound; readonly to?: NumberBound }
  /** ns since the epoch: at or after, and before. */
  | { readonly kind: 'times'; readonly since?: bigint; readonly until?: bigint }
);

export interface NumberBound {
  /** As it was written. */
  readonly text: string;
  readonly code: string;
  readonly inclusive: boolean;
}

/** The fields that are named in it; some more than once. */
export function fieldsOf(where: Where): Field[] {
  if ('field' in where) return [where.field];
  switch (where.kind) {
    case 'and':
    case 'or':
      return where.nodes.flatMap(fieldsOf);
    case 'not':
      return fieldsOf(where.node);
    case 'all':
    case 'words':
      return [];
  }
}
