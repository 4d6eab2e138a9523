// The store over Elasticsearch. Bulk bodies go out as they are; answers to single items come back as outcomes for the indexer's
// table; what concerns a whole request rejects with a store_* error. Nothing here tries twice: the bulk writer does.
//
// `create` with the document's own id makes every repeat harmless; documents are found about a second after they were written.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { parseExactJson } from '../exact-json.ts';
import type { BackingIndex, BulkOutcome, BulkRequest, Store, StoredDocument, StoreQuery } from '../store.ts';
import { BackingIndices } from './backing-indices.ts';
import { bulkOutcomes, isObject, requestFailure } from './bulk-answer.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { searchBody } from './query.ts';
import { setUp } from './setup.ts';
import { STREAM_PATTERNS } from './template.ts';

export interface ElasticsearchStoreOptions extends Omit<ConnectionOptions, 'timeoutMsMax'> {
  readonly bulkTimeoutMs: number;
  readonly retentionMs: number;
  /** What is searched; every data stream of Sluice unless given. */
  readonly indexPatterns?: readonly string[];
}

const BULK_PATH =
  '/_bulk?require_data_stream=true&filter_path=errors,items.*._index,items.*.status,items.*.error,items.*.failure_store';
const PING_TIMEOUT_MS = 5000;
const SEARCH_TIMEOUT_MS = 60_000;
/** Hits of one request; a longer search is made of several. */
const PAGE = 1000;

export class ElasticsearchStore implements Store {
  readonly kind = 'elasticsearch';
  readonly #connection: Connection;
  readonly #options: ElasticsearchStoreOptions;
  readonly #searchPath: string;
  readonly #backing: BackingIndices;
  #cheapOnly = false;

  constructor(options: ElasticsearchStoreOptions) {
    this.#options = options;
    this.#connection = new Connection({ ...options, timeoutMsMax: Math.max(options.bulkTimeoutMs, SEARCH_TIMEOUT_MS) });
    this.#backing = new BackingIndices(this.#connection);
    const patterns = (options.indexPatterns ?? STREAM_PATTERNS).join(',');
    // The same copies of the shards each time: others may be a second ahead or behind, and pages must agree.
    const preference = `sluice-${randomUUID()}`;
    this.#searchPath = `/${patterns}/_search?ignore_unavailable=true&allow_no_indices=true&preference=${preference}`;
  }

  setup(): Promise<string[]> {
    return setUp(this.#connection, { retentionMs: this.#options.retentionMs });
  }

  async ping(signal?: AbortSignal): Promise<void> {
    const { status, text } = await this.#connection.request({
      method: 'GET',
      path: '/',
      timeoutMs: PING_TIMEOUT_MS,
      signal,
    });
    if (status !== 200) throw requestFailure(status, text);
  }

  async bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    const { body, items } = request;
    if (items.length === 0) return [];
    const answer = await this.#connection.request({
      method: 'POST',
      path: BULK_PATH,
      body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
      contentType: 'application/x-ndjson',
      timeoutMs: this.#options.bulkTimeoutMs,
      signal,
    });
    return bulkOutcomes(answer.status, answer.text, items.length);
  }

  async search(query: StoreQuery, signal?: AbortSignal): Promise<StoredDocument[]> {
    const found: StoredDocument[] = [];
    let after = query.after;
    while (found.length < query.limit) {
      const size = Math.min(PAGE, query.limit - found.length);
      const page = await this.#page({ ...query, ...(after === undefined ? {} : { after }) }, size, signal);
      for (const document of page) found.push(document);
      after = page.at(-1)?.sort;
      if (page.length < size) break;
    }
    return found;
  }

  backingIndices(stream: string, signal?: AbortSignal): Promise<readonly BackingIndex[]> {
    return this.#backing.all(stream, signal);
  }

  idsIn(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>> {
    return this.#backing.idsIn(backing, ids, signal);
  }

  remove(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
    return this.#backing.remove(backing, ids, signal);
  }

  async probe(stream: string, signal?: AbortSignal): Promise<BulkOutcome> {
    const request = probeRequest(stream);
    const [outcome] = await this.bulk(request, signal);
    assert(outcome, 'an answer has an outcome for each item');
    const { id } = request.items[0] ?? { id: '' };
    // One that stays is found by nobody who asks for a time after 1970.
    if (outcome.status === 201 && !outcome.failureStore && outcome.backing !== undefined)
      await this.#backing.remove(outcome.backing, [id], signal).catch(() => undefined);
    return outcome;
  }

  async #page(query: StoreQuery, size: number, signal?: AbortSignal): Promise<StoredDocument[]> {
    const { status, text } = await this.#connection.request({
      method: 'POST',
      path: this.#searchPath,
      body: searchBody(query, { size, cheapOnly: this.#cheapOnly }),
      timeoutMs: SEARCH_TIMEOUT_MS,
      signal,
    });
    if (status === 200) return documentsOf(text, query.after ?? []);
    if (!this.#cheapOnly && text.includes('allow_expensive_queries')) {
      this.#cheapOnly = true;
      return this.#page(query, size, signal);
    }
    const failure = requestFailure(status, text);
    // What is refused here is a query, not a bulk body.
    throw failure.code === 'store_body_refused' ? new SluiceError('store_refused', failure.message) : failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

function documentsOf(text: string, after: readonly (string | number)[]): StoredDocument[] {
  const answer = parseAnswer(text);
  // A part of the answer would look like the whole of it.
  if (answer === null || answer['timed_out'] === true || failedShards(answer) > 0) {
    throw new SluiceError('store_unavailable', 'Cannot search Elasticsearch: not all of its shards answered');
  }
  const hits = isObject(answer['hits']) ? answer['hits']['hits'] : [];
  const documents: StoredDocument[] = [];
  let before = after;
  for (const hit of Array.isArray(hits) ? hits : []) {
    const document = documentOf(hit, before);
    if (document === null) continue;
    documents.push(document);
    before = document.sort;
  }
  return documents;
}

/** `before`: the sort of the document before, whose ids go on where time and sequence are the same. */
function documentOf(hit: unknown, before: readonly (string | number)[]): StoredDocument | null {
  if (!isObject(hit) || typeof hit['_id'] !== 'string' || !isObject(hit['_source']) || !Array.isArray(hit['sort']))
    return null;
  const [time, sequence] = hit['sort'];
  const index = typeof hit['_index'] === 'string' ? dataStreamOf(hit['_index']) : '';
  const ties = before[0] === time && before[1] === sequence ? before.slice(2) : [];
  return { id: hit['_id'], index, source: hit['_source'], sort: [String(time), Number(sequence), ...ties, hit['_id']] };
}

/** A document of the beginning of time: it has no field that anything could be wrong with, and lies outside of all that is looked at. */
function probeRequest(stream: string): BulkRequest {
  const id = `sluice-probe-${randomUUID()}`;
  const action = `${JSON.stringify({ create: { _index: stream, _id: id } })}\n`;
  const document = '{"@timestamp":"1970-01-01T00:00:00.000Z"}';
  const docStart = Buffer.byteLength(action);
  const item = { index: stream, id, actionStart: 0, docStart, docEnd: docStart + document.length };
  return { body: Buffer.from(`${action}${document}\n`), items: [item] };
}

/** `.ds-<data stream>-<date>-<generation>` → the data stream. */
function dataStreamOf(index: string): string {
  return /^\.ds-(.+)-\d{4}\.\d{2}\.\d{2}-\d{6,}$/.exec(index)?.[1] ?? index;
}

function parseAnswer(text: string): Record<string, unknown> | null {
  try {
    const answer = parseExactJson(text);
    return isObject(answer) ? answer : null;
  } catch (error) {
    throw new SluiceError('store_timeout', `Cannot read an answer of Elasticsearch: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function failedShards(answer: Record<string, unknown>): number {
  const shards = answer['_shards'];
  return isObject(shards) && typeof shards['failed'] === 'number' ? shards['failed'] : 0;
}
