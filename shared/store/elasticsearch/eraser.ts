// Erases documents from Elasticsearch: a scroll over what a query finds, and bulk requests that delete by index and id.
// That needs nothing but `read` and `delete`, and works on servers that have no `_delete_by_query`, which is a module.
//
//   _search?scroll ─► _index and _id of 1,000 ─► _bulk of deletes ─► deleted | gone already | refused: told by index
//
// A document that another request has changed or deleted meanwhile is no conflict: deletes are by name.

import { SluiceError } from '#shared/errors.ts';
import type { EraseQuery, EraseStep, StoreEraser } from '../erase.ts';
import { openSearchQuery } from '../opensearch/query.ts';
import type { StoredDocument } from '../store.ts';
import { bulkOutcomes, isObject, requestFailure } from './bulk-answer.ts';
import { Connection, type ConnectionOptions, type HttpRequest } from './connection.ts';
import { filterQuery } from './query.ts';
import { REFRESH_INTERVAL_MS } from './refresh-interval.ts';
import { ElasticsearchStore } from './store.ts';
import { STREAM_PATTERNS } from './template.ts';

const TIMEOUT_MS = 60_000;
const STEP = 1000;
const SCROLL = '5m';
const EXAMPLES = 3;
/** A refresh takes a moment itself. */
const REFRESH_TAKES_MS = 500;
const PATTERNS = STREAM_PATTERNS.join(',');
const OPEN_ONLY = 'ignore_unavailable=true&allow_no_indices=true';
/** Settings by which an index takes no deletes, and what they mean. */
const BLOCKS: readonly (readonly [setting: string, meaning: string])[] = [
  ['index.verified_before_close', 'is closed'],
  ['index.frozen', 'is frozen'],
  ['index.blocks.write', 'may not be written to (index.blocks.write)'],
  ['index.blocks.read_only', 'is read-only (index.blocks.read_only)'],
  ['index.blocks.read_only_allow_delete', 'is read-only (index.blocks.read_only_allow_delete)'],
];
const SETTINGS = ['index.creation_date', ...BLOCKS.map(([setting]) => setting)].join(',');

interface Hit {
  readonly index: string;
  readonly id: string;
}

interface EraserOptions extends Omit<ConnectionOptions, 'timeoutMsMax'> {
  readonly bulkTimeoutMs: number;
  readonly retentionMs: number;
  readonly refreshIntervalMs?: number | undefined;
}

export class ElasticsearchEraser implements StoreEraser {
  readonly foundAfterMs: number;
  readonly #connection: Connection;
  readonly #store: ElasticsearchStore;

  constructor(options: EraserOptions) {
    this.#connection = new Connection({ ...options, timeoutMsMax: TIMEOUT_MS });
    this.#store = new ElasticsearchStore(options);
    this.foundAfterMs = (options.refreshIntervalMs ?? REFRESH_INTERVAL_MS) + REFRESH_TAKES_MS;
  }

  async count(query: EraseQuery, signal?: AbortSignal): Promise<number> {
    const body = JSON.stringify({ query: await this.#queryOf(query, signal) });
    const answer = await this.#ask({ method: 'POST', path: `/${PATTERNS}/_count?${OPEN_ONLY}`, body, signal });
    requireAllShards(answer);
    return Number(answer['count'] ?? 0);
  }

  examples(query: EraseQuery, signal?: AbortSignal): Promise<StoredDocument[]> {
    return this.#store.search({ ...query, order: 'newest', limit: EXAMPLES }, signal);
  }

  async unreachable(signal?: AbortSignal): Promise<string[]> {
    const options = 'flat_settings=true&expand_wildcards=open,closed,hidden&allow_no_indices=true';
    const path = `/${PATTERNS}/_settings/${SETTINGS}?${options}`;
    const lines: string[] = [];
    for (const [index, about] of Object.entries(await this.#ask({ method: 'GET', path, signal }))) {
      const settings = isObject(about) && isObject(about['settings']) ? about['settings'] : {};
      const meaning = BLOCKS.find(([setting]) => settings[setting] === 'true')?.[1];
      if (meaning !== undefined)
        lines.push(`The index ${index} ${meaning}: nothing of it can be erased until that ends`);
    }
    return lines;
  }

  async *erase(query: EraseQuery, signal?: AbortSignal): AsyncGenerator<EraseStep, void, void> {
    const body = JSON.stringify({
      query: await this.#queryOf(query, signal),
      size: STEP,
      sort: ['_doc'],
      _source: false,
    });
    const path = `/${PATTERNS}/_search?scroll=${SCROLL}&${OPEN_ONLY}`;
    let page = await this.#page({ method: 'POST', path, body, signal });
    try {
      while (page.hits.length > 0) {
        yield await this.#delete(page.hits, signal);
        const next = JSON.stringify({ scroll: SCROLL, scroll_id: page.scrollId });
        page = await this.#page({ method: 'POST', path: '/_search/scroll', body: next, signal });
      }
    } finally {
      const end = JSON.stringify({ scroll_id: page.scrollId });
      await this.#ask({ method: 'DELETE', path: '/_search/scroll', body: end }).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    await this.#connection[Symbol.asyncDispose]();
  }

  async #queryOf(query: EraseQuery, signal?: AbortSignal): Promise<unknown> {
    const { name } = await this.#connection.product(signal);
    const filter = filterQuery(query, { cheapOnly: false });
    return name === 'OpenSearch' ? openSearchQuery(filter) : filter;
  }

  async #page(request: Omit<HttpRequest, 'timeoutMs'>): Promise<{ readonly hits: Hit[]; readonly scrollId: string }> {
    const answer = await this.#ask(request);
    requireAllShards(answer);
    const found: unknown = isObject(answer['hits']) ? answer['hits']['hits'] : [];
    const hits: Hit[] = [];
    for (const hit of Array.isArray(found) ? found : []) {
      if (isObject(hit)) hits.push({ index: String(hit['_index']), id: String(hit['_id']) });
    }
    const scrollId = answer['_scroll_id'];
    return { hits, scrollId: typeof scrollId === 'string' ? scrollId : '' };
  }

  async #delete(hits: readonly Hit[], signal?: AbortSignal): Promise<EraseStep> {
    const { status, text } = await this.#connection.request({
      method: 'POST',
      path: '/_bulk?filter_path=errors,items.*.status,items.*.error',
      body: hits.map(({ index, id }) => `${JSON.stringify({ delete: { _index: index, _id: id } })}\n`).join(''),
      contentType: 'application/x-ndjson',
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    let erased = 0;
    const refused = new Map<string, number>();
    for (const [i, outcome] of bulkOutcomes(status, text, hits.length).entries()) {
      if (outcome.status === 200) erased++;
      // Somebody else was faster, unless its index is gone: then it may lie in another by now.
      else if (outcome.status !== 404 || outcome.errorType !== undefined) {
        const { errorType = String(outcome.status), errorReason = 'no reason given' } = outcome;
        const why = `${hits[i]?.index}: ${errorType} (${errorReason})`;
        refused.set(why, (refused.get(why) ?? 0) + 1);
      }
    }
    return { erased, refused };
  }

  async #ask(request: Omit<HttpRequest, 'timeoutMs'>): Promise<Record<string, unknown>> {
    const { status, text } = await this.#connection.request({ ...request, timeoutMs: TIMEOUT_MS });
    if (status !== 200) {
      const failure = requestFailure(status, text);
      throw failure.code === 'store_body_refused' ? new SluiceError('store_refused', failure.message) : failure;
    }
    const answer: unknown = JSON.parse(text);
    return isObject(answer) ? answer : {};
  }
}

/** What a part of the shards says would look like the whole. */
function requireAllShards({ _shards: shards, timed_out: isOver }: Record<string, unknown>): void {
  const { total = 0, successful = total, failed = 0 } = isObject(shards) ? shards : {};
  // One that no node has ready counts as neither successful nor failed.
  if (Number(failed) > 0 || Number(successful) < Number(total) || isOver === true)
    throw new SluiceError('store_unavailable', 'Cannot search Elasticsearch: not all of its shards answered');
}
