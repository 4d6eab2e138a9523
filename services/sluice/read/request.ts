// What somebody asks of the read API, as the searching side takes it. It can be sent to another thread.

import type { Stage } from '#shared/store/query/stages.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import type { Where } from '#shared/store/where.ts';
import type { Followed } from '../search/follow/follower.ts';

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
  readonly query: Followed;
  /** Whether documents are as the store gives them, for `sluice` itself, and not their fields alone. */
  readonly isStored: boolean;
  /** How many that are there already come first. */
  readonly last: number;
  /** Behind this place of the store, in place of the last ones. */
  readonly after?: number | undefined;
}

/** Which store it is. */
export interface StoreRequest {
  readonly kind: 'store';
}

/** A page of documents as the store gives them: with their ids and places. `limit`: of one page at most. */
export interface DocumentsRequest {
  readonly kind: 'documents';
  readonly query: StoreQuery;
}

export interface CountsRequest {
  readonly kind: 'counts';
  readonly query: Omit<StoreQuery, 'limit'>;
  readonly everyMs: number | null;
}

export interface RowsRequest {
  readonly kind: 'rows';
  readonly query: Omit<StoreQuery, 'limit'>;
  readonly stages: readonly Stage[];
  readonly limit: number;
}

/** What `sluice` asks where it reads a store by the read API: the store's own questions. */
export type StoredRequest = StoreRequest | DocumentsRequest | CountsRequest | RowsRequest;
export type ReadRequest = SearchRequest | HistogramRequest | FieldsRequest | TailRequest | StoredRequest;
export type ReadKind = ReadRequest['kind'];
