// The store over Elasticsearch, or OpenSearch. Bulk bodies go out as they are; answers to single items come back as outcomes for the
// indexer's table; what concerns a whole request rejects with a store_* error. Nothing here tries twice: the bulk
// writer does.
//
// `create` with the document's own id makes every repeat harmless; documents are found about a second after they were
// written.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { exactNumberText, parseExactJson } from '../exact-json.ts';
import { formatInstant } from '../instant.ts';
import { openSearchBody, OPENSEARCH_TYPE } from '../opensearch/query.ts';
import { OpenSearchStreams } from '../opensearch/streams.ts';
import { allOf, PAGE_BYTES, pagesOf, type ReadPage } from '../pages.ts';
import type {
  BackingIndex,
  BulkOutcome,
  BulkRequest,
  Store,
  StoredDocument,
  StoredPage,
  StoreQuery,
} from '../store.ts';
import { BackingIndices } from './backing-indices.ts';
import { bulkOutcomes, isObject, requestFailure } from './bulk-answer.ts';
import { ANSWER_BYTES_MAX, AnswerTooLong, Connection, type ConnectionOptions, type HttpAnswer } from './connection.ts';
import { PageSize } from './page-size.ts';
import { searchBody } from './query.ts';
import { longestRefreshMs, REFRESH_INTERVAL_MS } from './refresh-interval.ts';
import { setUp } from './setup.ts';
import { ATTRIBUTE_NUMBERS, type IndexLayout, NUMBER_FIELDS, STREAM_PATTERNS } from './template.ts';

export interface ElasticsearchStoreOptions extends Omit<ConnectionOptions, 'timeoutMsMax'> {
  readonly bulkTimeoutMs: number;
  readonly retentionMs: number;
  /** What `setup` lays indices out as. */
  readonly layout?: IndexLayout;
  /** What is searched; every data stream of Sluice unless given. */
  readonly indexPatterns?: readonly string[];
}

const BULK_PATH = '/_bulk?filter_path=errors,items.*._index,items.*.status,items.*.error,items.*.failure_store';
const PING_TIMEOUT_MS = 5000;
const SEARCH_TIMEOUT_MS = 60_000;
const STREAM_TIMEOUT_MS = 30_000;
/** Of an answer with several documents. What is longer is asked for again in smaller pages. */
const PAGE_BYTES_MAX = 4 * PAGE_BYTES;
/** The answer was too much for the server: its memory is guarded by this. */
const TOO_MUCH = 'circuit_breaking_exception';

export class ElasticsearchStore implements Store {
  readonly kind = 'elasticsearch';
  readonly #connection: Connection;
  readonly #options: ElasticsearchStoreOptions;
  readonly #searchPath: string;
  readonly #settingsPath: string;
  readonly #backing: BackingIndices;
  readonly #pageSize = new PageSize();
  readonly #streams: OpenSearchStreams;
  #cheapOnly = false;

  constructor(options: ElasticsearchStoreOptions) {
    this.#options = options;
    this.#connection = new Connection({ ...options, timeoutMsMax: Math.max(options.bulkTimeoutMs, SEARCH_TIMEOUT_MS) });
    this.#backing = new BackingIndices(this.#connection);
    this.#streams = new OpenSearchStreams((request) =>
      this.#connection.request({ ...request, timeoutMs: STREAM_TIMEOUT_MS }),
    );
    const patterns = (options.indexPatterns ?? STREAM_PATTERNS).join(',');
    const open = 'expand_wildcards=open,hidden&ignore_unavailable=true&allow_no_indices=true';
    this.#settingsPath = `/${patterns}/_settings/index.refresh_interval?flat_settings=true&${open}`;
    // The same copies of the shards each time: others may be a second ahead or behind, and pages must agree.
    const preference = `sluice-${randomUUID()}`;
    this.#searchPath = `/${patterns}/_search?ignore_unavailable=true&allow_no_indices=true&preference=${preference}`;
  }

  setup(): Promise<string[]> {
    return setUp(this.#connection, this.#options);
  }

  async ping(signal?: AbortSignal): Promise<string> {
    const { status, text } = await this.#connection.request({
      method: 'GET',
      path: '/',
      timeoutMs: PING_TIMEOUT_MS,
      signal,
    });
    if (status !== 200) throw requestFailure(status, text);
    const { name, version } = await this.#connection.product(signal);
    return `${name} ${version}`;
  }

  async bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    if (request.items.length === 0) return [];
    const { name } = await this.#connection.product(signal);
    if (name === 'Elasticsearch') return this.#send(`${BULK_PATH}&require_data_stream=true`, request, signal);
    return this.#streams.bulk(request, (part) => this.#send(BULK_PATH, part, signal), signal);
  }

  async #send(path: string, { body, items }: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    const answer = await this.#connection.request({
      method: 'POST',
      path,
      body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
      contentType: 'application/x-ndjson',
      timeoutMs: this.#options.bulkTimeoutMs,
      signal,
    });
    return bulkOutcomes(answer.status, answer.text, items.length);
  }

  pages(query: StoreQuery, signal?: AbortSignal): AsyncGenerator<StoredPage, void, void> {
    return pagesOf(query, async (step) => {
      for (;;) {
        const size = Math.min(step.limit, this.#pageSize.documents);
        const page = await this.#page(step, size, signal);
        if (page !== null) return page;
        if (!this.#pageSize.failed(size)) throw tooMuch();
      }
    });
  }

  search(query: StoreQuery, signal?: AbortSignal): Promise<StoredDocument[]> {
    return allOf(this.pages(query, signal));
  }

  /** Of the indices as they are; of what is configured, where this user may not ask. */
  async foundAfterMs(signal?: AbortSignal): Promise<number> {
    const { refreshIntervalMs = REFRESH_INTERVAL_MS } = this.#options.layout ?? {};
    const path = this.#settingsPath;
    const { status, text } = await this.#connection.request({
      method: 'GET',
      path,
      timeoutMs: PING_TIMEOUT_MS,
      signal,
    });
    return status === 200 ? longestRefreshMs(parseAnswer(text)) : refreshIntervalMs;
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
    const { id } = request.items.at(0) ?? { id: '' };
    // One that stays is found by nobody who asks for a time after 1970.
    if (outcome.status === 201 && !outcome.failureStore && outcome.backing !== undefined)
      await this.#backing.remove(outcome.backing, [id], signal).catch(() => undefined);
    return outcome;
  }

  /** Null where so many documents are too much at once. */
  async #page(query: StoreQuery, size: number, signal?: AbortSignal): Promise<ReadPage | null> {
    const { name } = await this.#connection.product(signal);
    const body = searchBody(query, { size, cheapOnly: this.#cheapOnly });
    const isOpenSearch = name === 'OpenSearch';
    const path = isOpenSearch ? this.#searchPath + OPENSEARCH_TYPE : this.#searchPath;
    const answer = await this.#searched(path, isOpenSearch ? openSearchBody(body) : body, size, signal);
    if (answer === null) return null;
    const { status, text } = answer;
    if (status === 200) {
      const page = pageOf(text, query, size);
      if (page !== null) this.#pageSize.answered(page.documents.length, page.bytes);
      return page;
    }
    if (!this.#cheapOnly && text.includes('allow_expensive_queries')) {
      this.#cheapOnly = true;
      return this.#page(query, size, signal);
    }
    if (size > 1 && text.includes(TOO_MUCH)) return null;
    const failure = requestFailure(status, text);
    // What is refused here is a query, not a bulk body.
    throw failure.code === 'store_body_refused' ? new SluiceError('store_refused', failure.message) : failure;
  }

  /** Null where the answer is too long. */
  async #searched(path: string, body: string, size: number, signal?: AbortSignal): Promise<HttpAnswer | null> {
    try {
      return await this.#connection.request({
        method: 'POST',
        path,
        body,
        timeoutMs: SEARCH_TIMEOUT_MS,
        answerBytesMax: size > 1 ? PAGE_BYTES_MAX : ANSWER_BYTES_MAX,
        signal,
      });
    } catch (error) {
      if (error instanceof AnswerTooLong) return null;
      // Whoever tries again asks for less.
      if (error instanceof SluiceError && error.code === 'store_timeout') this.#pageSize.failed(size);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

/** Null where the server could not do so much at once. */
function pageOf(text: string, { after = [], by }: StoreQuery, size: number): ReadPage | null {
  const answer = parseAnswer(text);
  // A part of the answer would look like the whole of it.
  if (answer === null || answer['timed_out'] === true || missingShards(answer) > 0) {
    if (size > 1 && text.includes(TOO_MUCH)) return null;
    throw new SluiceError('store_unavailable', 'Cannot search Elasticsearch: not all of its shards answered');
  }
  const found = isObject(answer['hits']) ? answer['hits']['hits'] : [];
  const hits: readonly unknown[] = Array.isArray(found) ? found : [];
  const documents: StoredDocument[] = [];
  let before = after;
  for (const hit of hits) {
    const document = documentOf(hit, before, by === 'arrival');
    if (document === null) continue;
    documents.push(document);
    before = document.sort;
  }
  return { documents, bytes: text.length, isLast: hits.length < size };
}

/** No document is so large that it could not be read alone, so another try would end the same way. */
function tooMuch(): SluiceError {
  return new SluiceError(
    'store_refused',
    `Cannot search Elasticsearch: its answer with a single document has more than ${ANSWER_BYTES_MAX} bytes; look at ` +
      'what stands between',
  );
}

/** `before`: the sort of the document before, whose ids go on where time and sequence are the same. */
function documentOf(hit: unknown, before: readonly (string | number)[], isByArrival: boolean): StoredDocument | null {
  if (!isObject(hit) || typeof hit['_id'] !== 'string' || !isObject(hit['_source']) || !Array.isArray(hit['sort']))
    return null;
  const [time, sequence] = isByArrival ? hit['sort'].toReversed() : hit['sort'];
  // OpenSearch gives nanoseconds since the epoch.
  const instant = typeof time === 'string' ? time : formatInstant(BigInt(exactNumberText(time) ?? String(time)));
  const index = typeof hit['_index'] === 'string' ? dataStreamOf(hit['_index']) : '';
  // Of no interest to anybody else: attributes has these numbers.
  delete hit['_source'][ATTRIBUTE_NUMBERS];
  delete hit['_source'][NUMBER_FIELDS];
  const ties = before[0] === instant && before[1] === sequence ? before.slice(2) : [];
  return { id: hit['_id'], index, source: hit['_source'], sort: [instant, Number(sequence), ...ties, hit['_id']] };
}

/**
 * A document of the beginning of time: it has no field that anything could be wrong with, and lies outside of all that
 * is looked at.
 */
function probeRequest(stream: string): BulkRequest {
  const id = `sluice-probe-${randomUUID()}`;
  const action = `${JSON.stringify({ create: { _index: stream, _id: id } })}\n`;
  const document = '{"@timestamp":"1970-01-01T00:00:00.000Z"}';
  const docStart = Buffer.byteLength(action);
  const item = { index: stream, id, actionStart: 0, docStart, docEnd: docStart + document.length };
  return { body: Buffer.from(`${action}${document}\n`), items: [item] };
}

/** `.ds-<data stream>-<date>-<generation>` → the data stream. OpenSearch puts no date. */
function dataStreamOf(index: string): string {
  return /^\.ds-(.+?)(?:-\d{4}\.\d{2}\.\d{2})?-\d{6,}$/.exec(index)?.[1] ?? index;
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

/** One that no node has ready counts as neither successful nor failed. */
function missingShards(answer: Record<string, unknown>): number {
  const shards = answer['_shards'];
  if (!isObject(shards)) return 0;
  const { total = 0, successful = total, failed = 0 } = shards;
  return Math.max(Number(failed), Number(total) - Number(successful));
}
