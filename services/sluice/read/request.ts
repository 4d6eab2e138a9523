// What somebody asks of the read API, as the searching side takes it. It can be sent to another thread.

import type { Stage } from '#shared/store/query/stages.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import type { Where } from '#shared/store/where.ts';

/** The documents that are meant. `tenant`: of the asker, where it is of one; nothing else is ever read for it. */
export interface Range extends Pick<StoreQuery, 'name' | 'tenant' | 'since' | 'until'> {
  readonly where: Where;
}

export type Format = 'json' | 'ndjson';

export interface SearchRequest {
  readonly kind: 'search';
  readonly range: Range;
  readonly stages: readonly Stage[];
  readonly order: 'newest' | 'oldest';
  /** Of documents or rows; Infinity: all. */
  readonly limit: number;
  /** Behind this document of the answer before. */
  readonly after?: StoreQuery['after'];
  readonly format: Format;
}

export interface HistogramRequest {
  readonly kind: 'histogram';
  readonly range: Range;
  /** Names of fields. */
  readonly by: readonly string[];
  readonly everyMs: number;
}

export interface FieldsRequest {
  readonly kind: 'fields';
  readonly range: Range;
  /** How many of the newest documents are looked at. */
  readonly sample: number;
}

export interface TailRequest {
  readonly kind: 'tail';
  readonly range: Range;
  /** How many that are there already come first. */
  readonly last: number;
  /** Behind this place of the store, in place of the last ones. */
  readonly after?: number | undefined;
}

export type ReadRequest = SearchRequest | HistogramRequest | FieldsRequest | TailRequest;
export type ReadKind = ReadRequest['kind'];
