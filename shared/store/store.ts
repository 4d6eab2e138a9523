// The store behind the indexer and the reading commands. Two implementations pass one contract test:
// `elasticsearch` (store/elasticsearch) and `embedded` (store/embedded).
//
// Writing: documents arrive as JSON bytes with a name. A name that is there already is answered 409 and changes nothing.
// Reading: one small query form, for `sluice logs` and `sluice search`.

export interface Store extends AsyncDisposable {
  readonly kind: 'elasticsearch' | 'embedded';
  /** Makes templates, data streams, tables. May run any number of times. Tells what it did, a line each. */
  setup(): Promise<string[]>;
  /** Resolves when the store answers; rejects with a coded error that says why not. */
  ping(signal?: AbortSignal): Promise<void>;
  /**
   * Writes documents. An answer has one outcome per item, in order. A failure of the whole request rejects with a store_* error:
   * store_body_too_large (halve it), store_body_refused (bisect it), store_timeout (send the same again), ….
   */
  bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]>;
  search(query: StoreQuery, signal?: AbortSignal): Promise<StoredDocument[]>;
  /**
   * When the data stream began to write to the index that it writes to now, ms since the epoch by the store's clock; null where it has
   * no older one. A name is taken once in each index: what was written before is unseen by `bulk`, and known to `presentIds` only.
   */
  rolledOverMs(index: string): Promise<number | null>;
  /**
   * Which of the ids are in the data stream: all that `bulk` would not see, also those that no search finds yet, and perhaps some
   * that it would.
   */
  presentIds(index: string, ids: readonly string[], options: PresentIdsOptions): Promise<ReadonlySet<string>>;
}

export interface PresentIdsOptions {
  /** None of them was written before, by the store's clock: spares the look into older indices. */
  readonly sinceMs: number;
  readonly signal?: AbortSignal;
}

/** A `_bulk` body as bytes, and where each document lies in it. */
export interface BulkRequest {
  /** NDJSON: action line, document line, and so on; each ends with a newline. */
  readonly body: Uint8Array;
  readonly items: readonly BulkItem[];
}

export interface BulkItem {
  /** Data stream, such as "logs-sluice-default". */
  readonly index: string;
  /** `_id`: letters of base64url, or 32 hex digits, "-", index; see shared/record/identity.ts. */
  readonly id: string;
  /** Where the item's action line begins, its document begins, and its document ends (before the newline) in the body. */
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
}

export interface StoreQuery {
  /** `@timestamp` at or after, before: ISO 8601, up to nanoseconds. */
  readonly since?: string;
  readonly until?: string;
  /** `event.ingested` at or after, ms since the epoch: for following. */
  readonly ingestedSinceMs?: number;
  /** Matches container.name, container.id (also by prefix of at least 4), service.name, or fluentd.tag (`*` as a wildcard). */
  readonly name?: string;
  /**
   * Full text over `message` and the texts of `attributes`: all words must occur; "quoted" words in a row; a trailing `*` is a prefix.
   */
  readonly text?: string;
  readonly limit: number;
  /** Order by `@timestamp`, then `event.sequence`. `newest`: the last `limit`, newest first. */
  readonly order: 'oldest' | 'newest';
  /** Goes on after a document of the page before (its `sort`). */
  readonly after?: readonly (string | number)[];
}

export interface StoredDocument {
  readonly id: string;
  readonly index: string;
  /** The document's fields as stored. */
  readonly source: Record<string, unknown>;
  /** For `after`. */
  readonly sort: readonly (string | number)[];
}
