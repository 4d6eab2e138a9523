// The store without other software: compressed blocks in SQLite, in a worker thread, under `<data.dir>/store`.
//
// Guarantees: as database.ts says (what `bulk` resolved is on the disk); a document is found as soon as `bulk`
// resolves; documents that were written longer ago than the retention are deleted in small steps between the writes,
// whatever the wall clock says.

import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { startWorker, type WorkerThread } from '#shared/sqlite/worker-thread.ts';
import { allOf, PAGE_BYTES, pagesOf } from '../pages.ts';
import type {
  Arrived,
  Arriving,
  BackingIndex,
  BulkOutcome,
  BulkRequest,
  Store,
  StoredDocument,
  StoredPage,
  StoreQuery,
  StoreSpaceWatch,
  StoreUpkeep,
} from '../store.ts';
import { isIdBefore } from './blocks/parts/written-ids.ts';
import type { DatabaseOptions } from './database.ts';
import type { ErasedRows, EraseStart } from './erase-steps.ts';
import type { Documents, WriteResult } from './document-writes.ts';
import { type InspectionAsk, type InspectionThread, StoreFiles } from './inspect/store-files.ts';
import { arrivedIn } from './search/arrived.ts';
import { type Counted, type CountStart, storedDocument } from './search/row-page.ts';
import { spanCounts } from './search/span-counts.ts';
import type { StoreThread } from './store-thread.ts';
import { WakeUp } from '../wake-up.ts';
import { Upkeep } from './upkeep.ts';

export interface EmbeddedStoreOptions {
  readonly dataDir: string;
  readonly readOnly: boolean;
  readonly retentionMs: number;
  /** Combinations of container, service, pod and tag that a tenant may have. */
  readonly namesMax?: number;
  /** Of the files together; undefined: without a bound. */
  readonly bytesMax?: number | undefined;
  /**
   * Whether it deletes what is too old or too much; true if not given. For whoever writes beside a service, and may not
   * know what that one is to keep: false.
   */
  readonly deletes?: boolean;
  readonly clock: Clock;
  /** Something that an operator should know. */
  readonly warn?: (message: string) => void;
}

const NAMES_MAX = 10_000;

const CREATED: BulkOutcome = Object.freeze({ status: 201 });
const CONFLICT: BulkOutcome = Object.freeze({
  status: 409,
  errorType: 'version_conflict_engine_exception',
  errorReason: 'the document is there already',
});

export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  const database: DatabaseOptions = {
    folder: join(options.dataDir, 'store'),
    readOnly: options.readOnly,
    retentionMs: options.retentionMs,
    namesMax: options.namesMax ?? NAMES_MAX,
    bytesMax: options.bytesMax,
  };
  const worker = await startWorker<StoreThread>('store-thread', import.meta.url, database, {
    onNotice: (message) => options.warn?.(String(message)),
  });
  return new EmbeddedStore(worker, options);
}

export class EmbeddedStore implements Store {
  readonly kind = 'embedded';
  /** Absent where it is read only: another process writes. */
  readonly nextArrival?: () => Promise<void>;
  readonly #worker: WorkerThread<StoreThread>;
  readonly #options: EmbeddedStoreOptions;
  readonly #upkeep: Upkeep | null;
  readonly #arrivals = new WakeUp();
  #unnamed: (documents: number) => void = () => undefined;

  constructor(worker: WorkerThread<StoreThread>, options: EmbeddedStoreOptions) {
    this.#worker = worker;
    this.#options = options;
    this.#upkeep = options.readOnly ? null : new Upkeep(worker, options);
    if (!options.readOnly) this.nextArrival = () => this.#arrivals.next;
  }

  /** The tables were made when the store was opened. */
  setup(): Promise<string[]> {
    const days = Math.round((this.#options.retentionMs / 86_400_000) * 10) / 10;
    return Promise.resolve([
      `embedded store in ${join(this.#options.dataDir, 'store')}: ready, keeps documents for ${days} days`,
    ]);
  }

  async ping(): Promise<string> {
    await this.#ask(this.#worker.call('ping', null));
    return 'embedded';
  }

  async bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    signal?.throwIfAborted();
    if (request.items.length === 0) return [];
    const bytes = request.body.length;
    const turn = this.#upkeep?.gate.enter(bytes) ?? null;
    if (turn !== null) await turn;
    try {
      signal?.throwIfAborted();
      const documents = documentsOf(request);
      const result = await this.#ask(this.#worker.call('write', documents, buffersOf(documents)));
      if (result.unnamed > 0) this.#unnamed(result.unnamed);
      this.#upkeep?.wrote(bytes, result.overBytes);
      this.#arrivals.wake();
      return outcomesOf(result);
    } finally {
      this.#upkeep?.gate.left(bytes);
    }
  }

  watchUnnamed(unnamed: (documents: number) => void): void {
    this.#unnamed = unnamed;
  }

  watchUpkeep(failed: (work: StoreUpkeep) => void): void {
    if (this.#upkeep !== null) this.#upkeep.failed = failed;
  }

  watchSpace(watch: StoreSpaceWatch): void {
    if (this.#upkeep !== null) this.#upkeep.watch = watch;
  }

  pages(query: StoreQuery, signal?: AbortSignal): AsyncGenerator<StoredPage, void, void> {
    return pagesOf(query, async (step) => {
      signal?.throwIfAborted();
      const { rows, bytes, isLast, next } = await this.#ask(
        this.#worker.call('page', { query: step, bytesMax: PAGE_BYTES }),
      );
      signal?.throwIfAborted();
      return { documents: rows.map(storedDocument), bytes, isLast, next };
    });
  }

  search(query: StoreQuery, signal?: AbortSignal): Promise<StoredDocument[]> {
    return allOf(this.pages(query, signal));
  }

  /** For eraser.ts. */
  async count(query: StoreQuery, signal?: AbortSignal): Promise<number> {
    let sum = 0;
    for (let rows: CountStart['rows'] = null; ;) {
      signal?.throwIfAborted();
      const { count, next }: Counted = await this.#ask(this.#worker.call('count', { query, rows }));
      sum += count;
      if (next === null) return sum;
      rows = next;
    }
  }

  counts(
    query: Omit<StoreQuery, 'limit'>,
    everyMs: number | null,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<number, number> | null> {
    return spanCounts(query, everyMs, (start) => {
      signal?.throwIfAborted();
      return this.#ask(this.#worker.call('count', start));
    });
  }

  arrived(query: Arriving, after: number | null, signal?: AbortSignal): Promise<Arrived> {
    signal?.throwIfAborted();
    const inOrder = (start: CountStart) => this.#ask(this.#worker.call('inOrder', start));
    return arrivedIn(query, after, { inOrder, documentOf: storedDocument });
  }

  /** For `sluice store`. */
  get files(): StoreFiles {
    const ask = <K extends keyof InspectionThread>(method: K, argument: Parameters<InspectionThread[K]>[0]) =>
      this.#ask(this.#worker.call(method, argument));
    // None of its answers is a promise, or moved.
    return new StoreFiles(ask as InspectionAsk);
  }

  /** Deletes the next documents of the query. */
  erase(start: EraseStart): Promise<ErasedRows> {
    return this.#ask(this.#worker.call('erase', start));
  }

  checkpoint(): Promise<void> {
    return this.#ask(this.#worker.call('checkpoint', null));
  }

  /** One table for all time: `bulk` sees every id itself. */
  backingIndices(): Promise<readonly BackingIndex[]> {
    return Promise.resolve([]);
  }

  idsIn(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set<string>());
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  /** Its table takes whatever is a document: what is refused here is the document's fault. */
  probe(): Promise<BulkOutcome> {
    return Promise.resolve(CREATED);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#upkeep?.[Symbol.asyncDispose]();
    await this.#worker[Symbol.asyncDispose]();
  }

  /** A dead worker rejects with an error of Node's; to callers that is a store that is not there. */
  async #ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      throw new SluiceError('store_unavailable', `Cannot use the embedded store: ${reasonOf(error)}`, { cause: error });
    }
  }
}

/** All in memory of their own. */
interface OwnDocuments extends Documents {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly bounds: Uint32Array<ArrayBuffer>;
  readonly streams: Uint16Array<ArrayBuffer>;
}

function buffersOf({ body, bounds, streams }: OwnDocuments): ArrayBuffer[] {
  return [body.buffer, bounds.buffer, streams.buffer];
}

/** A copy that can be moved to the worker; the caller's body stays as it is for another try. */
export function documentsOf(request: BulkRequest): OwnDocuments {
  const { items } = request;
  const bounds = new Uint32Array(items.length * 2);
  const streams = new Uint16Array(items.length);
  const streamNames: string[] = [];
  // Not `slice`: on a Buffer that makes a view.
  const body = new Uint8Array(request.body);
  let areWritten = true;
  let before = '';
  let i = 0;
  for (const { index, docStart, docEnd } of items) {
    bounds[i * 2] = docStart;
    bounds[i * 2 + 1] = docEnd;
    streams[i] = index === before ? (streams[i - 1] ?? 0) : streamIndex(streamNames, index);
    before = index;
    areWritten &&= isIdBefore(body, docStart);
    i += 1;
  }
  return { body, ids: areWritten ? null : items.map(({ id }) => id), bounds, streams, streamNames };
}

function streamIndex(names: string[], index: string): number {
  const known = names.lastIndexOf(index);
  return known >= 0 ? known : names.push(index) - 1;
}

function outcomesOf(result: WriteResult): BulkOutcome[] {
  const outcomes = Array.from(result.statuses, (status) => (status === 201 ? CREATED : CONFLICT));
  for (const { item, reason } of result.refused) {
    outcomes[item] = { status: 400, errorType: 'document_parsing_exception', errorReason: reason };
  }
  return outcomes;
}
