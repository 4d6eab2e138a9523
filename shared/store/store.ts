// The store behind the indexer and the reading commands. Two implementations pass one contract test:
// `elasticsearch` (store/elasticsearch) and `embedded` (store/embedded).
//
// Writing: documents arrive as JSON bytes with a name. A name that is there already is answered 409 and changes
// nothing. Reading: one small query form, for `sluice logs` and `sluice search`.

import type { Where } from './where.ts';

export interface Store extends AsyncDisposable {
  readonly kind: 'elasticsearch' | 'embedded';
  /** Makes templates, data streams, tables. May run any number of times. Tells what it did, a line each. */
  setup(): Promise<string[]>;
  /** Resolves to what answers, such as "Elasticsearch 9.5.3"; rejects with a coded error that says why none does. */
  ping(signal?: AbortSignal): Promise<string>;
  /**
   * Writes documents. An answer has one outcome per item, in order. A failure of the whole request rejects with a
   * store_* error: store_body_too_large (halve it), store_body_refused (bisect it), store_timeout (send the same
   * again), ….
   */
  bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]>;
  /**
   * Reads what a query finds in pages of bounded bytes, each asked for when it is wanted: a document may be as large as
   * the store takes. Empty pages are left out. Follows no change of the store: what is written meanwhile may be there
   * or not.
   */
  pages(query: StoreQuery, signal?: AbortSignal): AsyncIterable<StoredPage>;
  /** All of its pages at once. For small limits, and for tests. */
  search(query: StoreQuery, signal?: AbortSignal): Promise<StoredDocument[]>;
  /**
   * How many documents the query finds in each span of time, by its beginning in ms since the epoch; without a length
   * of spans, all at 0. `everyMs`: whole seconds. Null where it would not be sooner done than by reading all pages;
   * absent for a store that has no other way.
   */
  counts?(
    query: Omit<StoreQuery, 'limit'>,
    everyMs: number | null,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, number> | null>;
  /**
   * For whoever follows: the next documents of the query that came behind a place, in the order in which they came;
   * null: none, and the place of the last one there is. Absent for a store that does not know that order.
   */
  arrived?(query: Arriving, after: number | null, signal?: AbortSignal): Promise<Arrived>;
  /**
   * Beside `arrived`: resolves when something may have come since this was called. What others write beside whoever has
   * the store open may come without. Absent for a store that hears of nothing.
   */
  nextArrival?(): Promise<void>;
  /**
   * The indices behind a data stream, the oldest first; `bulk` writes to the last. Empty where nothing was written, and
   * for a store that takes a name once for all time. Elsewhere a name is taken once in each index: `bulk` sees the last
   * one only.
   */
  backingIndices(stream: string, signal?: AbortSignal): Promise<readonly BackingIndex[]>;
  /**
   * Which of the ids are in this backing index, also those that no search finds yet. None where the index is gone;
   * rejects where it is closed (store_index_closed) or cannot be read (store_index_unreadable).
   */
  idsIn(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>>;
  /** Deletes documents of a backing index. Those that are not there change nothing. */
  remove(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<void>;
  /**
   * Writes a document of ours with nothing but a time, the way `bulk` does, and deletes it again. What becomes of it,
   * no other document is to blame for. Rejects as `bulk` does.
   */
  probe(stream: string, signal?: AbortSignal): Promise<BulkOutcome>;
  /** How long a document may take until it is found; absent where it is found at once. */
  foundAfterMs?(signal?: AbortSignal): Promise<number>;
  /** For a store with tables of names: `unnamed` hears of documents whose names are only among their attributes. */
  watchUnnamed?(unnamed: (documents: number) => void): void;
  /** For a store that looks after its own files: `failed` hears of work that failed and is tried again. */
  watchUpkeep?(failed: (work: StoreUpkeep) => void): void;
  /** For a store with files of its own. */
  watchSpace?(watch: StoreSpaceWatch): void;
}

/** What searches need of a store. */
export type ReadableStore = Pick<Store, 'pages' | 'search' | 'counts' | 'arrived' | 'nextArrival'>;

/**
 * Small blocks become larger ones, old documents are deleted, and the oldest where there is too much, those of an
 * earlier version are converted.
 */
export type StoreUpkeep = 'merge' | 'expire' | 'bound' | 'convert';

/** What a store with files of its own has on the disk. */
export interface StoreSpace {
  /** Of pages in use. */
  readonly usedBytes: number;
  /** Of pages in the file that are used again before it grows. */
  readonly freeBytes: number;
  /** Of the log of changes, beside the file. */
  readonly walBytes: number;
  /** What all together may have; null: no bound. */
  readonly bytesMax: number | null;
  /** When the documents that go next were indexed, ms since the epoch; null where there are none. */
  readonly oldestMs: number | null;
}

/** Why the store deleted documents by itself. */
type DeletedFor = 'age' | 'size';

/** The oldest documents went, for there was more than the bound allows. */
export interface StoreBounded {
  readonly documents: number;
  readonly bytes: number;
  readonly bytesMax: number;
  /** When the last of them was indexed, ms since the epoch; null where that is not known. */
  readonly untilMs: number | null;
}

export interface StoreSpaceWatch {
  measured(space: StoreSpace): void;
  /** `bytes`: of the pages that they took. */
  deleted(why: DeletedFor, documents: number, bytes: number): void;
  /** Once for each time that the bound was passed; now and then where that lasts. */
  bounded(bounded: StoreBounded): void;
}

export interface BackingIndex {
  readonly name: string;
  /** When it was made, ms since the epoch by the store's clock; Infinity where that is not known. */
  readonly createdMs: number;
}

/** A `_bulk` body as bytes, and where each document lies in it. */
export interface BulkRequest {
  /** NDJSON: action line, document line, and so on; each ends with a newline. */
  readonly body: Uint8Array;
  readonly items: BulkItems;
}

/** An array is one. */
export interface BulkItems extends Iterable<BulkItem> {
  readonly length: number;
  at(number: number): BulkItem | undefined;
  map<T>(each: (item: BulkItem, number: number) => T): T[];
}

export interface BulkItem {
  /** Data stream, such as "logs-sluice-default". */
  readonly index: string;
  /** `_id`: letters of base64url, or 32 hex digits, "-", index; see shared/record/identity.ts. */
  readonly id: string;
  /**
   * Where the item's action line begins, its document begins, and its document ends (before the newline) in the body.
   */
  readonly actionStart: number;
  readonly docStart: number;
  readonly docEnd: number;
}

/** What became of one item. */
export interface BulkOutcome {
  readonly status: number;
  readonly errorType?: string;
  readonly errorReason?: string;
  /** The document went to the failure store: taken, but not where it belongs. */
  readonly failureStore?: boolean;
  /** The backing index that was written to, or that has the name already. */
  readonly backing?: string;
}

/**
 * Digits by which `container` of a query means one, as Docker shows them. A name such as "feed" would be the beginning
 * of others' ids.
 */
export const CONTAINER_ID_MIN = 12;

export interface StoreQuery {
  /** `@timestamp` at or after, before: ISO 8601, up to nanoseconds; see `by`. */
  readonly since?: string;
  readonly until?: string;
  /** `event.ingested` at or after, before, ms since the epoch: for following. The latter needs the former. */
  readonly ingestedSinceMs?: number;
  readonly ingestedUntilMs?: number;
  /**
   * Matches container.name, container.id (also by prefix of at least 4), service.name, kubernetes.pod.name, or
   * fluentd.tag (`*` as a wildcard).
   */
  readonly name?: string;
  /** Of this tenant alone. */
  readonly tenant?: string;
  /** Of containers of this name (`*` as a wildcard), or of this id, also by prefix of at least CONTAINER_ID_MIN. */
  readonly container?: string;
  /**
   * Full text over `message` and the texts of `attributes`: all words must occur; "quoted" words in a row; a trailing
   * `*` is a prefix.
   */
  readonly text?: string;
  /** In the language of queries (query/parser.ts). */
  readonly where?: Where;
  readonly limit: number;
  /** Order by `@timestamp`, then `event.sequence`. `newest`: the last `limit`, newest first. */
  readonly order: 'oldest' | 'newest';
  /**
   * A line may tell another time than that of its arrival. `arrival`: bounds go by `event.created` where there is one,
   * and the order by `event.sequence`, so that lines of one source stay in theirs. `arrival_time`: only the bounds do.
   */
  readonly by?: 'arrival' | 'arrival_time';
  /** Goes on after a document of the page before (its `sort`); without its end, at its time and sequence. */
  readonly after?: readonly (string | number)[];
}

/** What of a query does not say where it begins and how it goes on. */
export type Arriving = Omit<StoreQuery, 'limit' | 'order' | 'after' | 'ingestedSinceMs' | 'ingestedUntilMs'>;

export interface Arrived {
  readonly documents: readonly StoredDocument[];
  /** All up to there have been told. A store that was begun anew may be before the place that was asked for. */
  readonly place: number;
  /** Whether there was more by then. */
  readonly isMore: boolean;
}

/** At least one document; of several the bytes are bounded. */
export interface StoredPage {
  readonly documents: readonly StoredDocument[];
  /** About what they take, as JSON. */
  readonly bytes: number;
}

export interface StoredDocument {
  readonly id: string;
  readonly index: string;
  /** The document's fields as stored. */
  readonly source: Record<string, unknown>;
  /** The same as JSON on one line, from a store that has it so. */
  readonly text?: string;
  /** For `after`. */
  readonly sort: readonly (string | number)[];
}
