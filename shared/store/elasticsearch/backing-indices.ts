// What lies behind a data stream: one index after another, each written to until the next one is made. An `_id` is
// taken once in each of them, so a repeat after a rollover is found only by asking the older ones, and a second copy is
// deleted where it lies.
//
//   .ds-logs-sluice-default-…-000001   -000002   -000003
//   |---------- written to ----------|---------|------ now ------►      end of one = creation of the next
//
// Asked by `_mget` on single indices, which (unlike a search) sees what was written a moment ago and not refreshed yet.
// Needs the privileges `read`, `view_index_metadata` and `delete` on the data stream.

import { SluiceError } from '#shared/errors.ts';
import type { BackingIndex } from '../store.ts';
import { bulkOutcomes, isObject, requestFailure } from './bulk-answer.ts';
import type { Connection, HttpRequest } from './connection.ts';

const TIMEOUT_MS = 30_000;
const IDS_MAX = 1000;
/** The store has too much to do; the index is as it should be. */
const BUSY = ['es_rejected_execution_exception', 'rejected_execution_exception', 'circuit_breaking_exception'];
const CLOSED = 'index_closed_exception';
const GONE = 'index_not_found_exception';

export class BackingIndices {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** See Store.backingIndices. */
  async all(stream: string, signal?: AbortSignal): Promise<BackingIndex[]> {
    const path = `/_data_stream/${stream}?filter_path=data_streams.indices.index_name`;
    const names = namesOf(await this.#ask({ method: 'GET', path, signal }));
    const settings = `/${stream}/_settings/index.creation_date?flat_settings=true`;
    // Of a single one nobody asks how old it is.
    const created = names.length < 2 ? null : await this.#ask({ method: 'GET', path: settings, signal });
    return names.map((name) => ({ name, createdMs: creationMs(created?.[name]) }));
  }

  /** See Store.idsIn. */
  async idsIn(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<Set<string>> {
    const present = new Set<string>();
    for (let at = 0; at < ids.length; at += IDS_MAX) {
      await this.#collect(backing, ids.slice(at, at + IDS_MAX), present, signal);
    }
    return present;
  }

  /** See Store.remove. */
  async remove(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
    for (let at = 0; at < ids.length; at += IDS_MAX) {
      await this.#delete(backing, ids.slice(at, at + IDS_MAX), signal);
    }
  }

  async #collect(index: string, ids: readonly string[], present: Set<string>, signal?: AbortSignal): Promise<void> {
    const path = `/${index}/_mget?_source=false&realtime=true&filter_path=docs.found,docs.error.type`;
    const answer = await this.#ask({ method: 'POST', path, body: JSON.stringify({ ids }), signal });
    const docs = answer?.['docs'];
    if (answer === null) return;
    if (!Array.isArray(docs) || docs.length !== ids.length) throw unreadable(path);
    for (const [i, doc] of docs.entries()) {
      const id = ids[i];
      if (!isObject(doc) || id === undefined) throw unreadable(path);
      if (doc['found'] === true) present.add(id);
      const type = isObject(doc['error']) ? String(doc['error']['type']) : '';
      if (type !== '' && type !== GONE) throw unasked(index, type);
    }
  }

  async #delete(index: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
    const path = `/${index}/_bulk?filter_path=errors,items.*.status,items.*.error`;
    const { status, text } = await this.#connection.request({
      method: 'POST',
      path,
      body: ids.map((id) => `${JSON.stringify({ delete: { _id: id } })}\n`).join(''),
      contentType: 'application/x-ndjson',
      timeoutMs: TIMEOUT_MS,
      signal,
    });
    for (const { status: itemStatus, errorType, errorReason } of bulkOutcomes(status, text, ids.length)) {
      // 404: it is gone already, or its index is.
      if (itemStatus === 200 || itemStatus === 404) continue;
      const isOurs = itemStatus === 401 || itemStatus === 403;
      throw new SluiceError(
        isOurs ? 'store_unauthorized' : 'store_unavailable',
        `Cannot delete second copies in ${index}: ${errorType ?? itemStatus} (${errorReason ?? 'no reason given'})`,
      );
    }
  }

  /** Null where what is asked for is not there. */
  async #ask(request: Omit<HttpRequest, 'timeoutMs'>): Promise<Record<string, unknown> | null> {
    const { status, text } = await this.#connection.request({ ...request, timeoutMs: TIMEOUT_MS });
    if (status === 404) return null;
    if (status !== 200) {
      const failure = requestFailure(status, text);
      // What is refused here is our question, not a bulk body.
      const isBody = failure.code === 'store_body_refused' || failure.code === 'store_body_too_large';
      throw isBody ? new SluiceError('store_refused', failure.message) : failure;
    }
    try {
      const answer: unknown = JSON.parse(text);
      if (isObject(answer)) return answer;
    } catch {
      // Said below.
    }
    throw unreadable(request.path);
  }
}

function namesOf(answer: Record<string, unknown> | null): string[] {
  const streams = answer?.['data_streams'];
  const [stream]: unknown[] = Array.isArray(streams) ? streams : [];
  const indices = isObject(stream) ? stream['indices'] : [];
  const names: string[] = [];
  for (const index of Array.isArray(indices) ? indices : []) {
    if (isObject(index) && typeof index['index_name'] === 'string') names.push(index['index_name']);
  }
  return names;
}

/** Of one that is gone meanwhile nothing is known. */
function creationMs(index: unknown): number {
  const settings = isObject(index) ? index['settings'] : undefined;
  const ms = isObject(settings) ? Number(settings['index.creation_date']) : Number.NaN;
  return Number.isFinite(ms) ? ms : Infinity;
}

function unasked(index: string, type: string): SluiceError {
  if (type === CLOSED) {
    return new SluiceError('store_index_closed', `Cannot ask Elasticsearch for ids in ${index}: it is closed; open it`);
  }
  const code = BUSY.includes(type) ? 'store_overloaded' : 'store_index_unreadable';
  return new SluiceError(code, `Cannot ask Elasticsearch for ids in ${index}: ${type}`);
}

function unreadable(path: string): SluiceError {
  return new SluiceError('store_unavailable', `Cannot read the answer of Elasticsearch to ${path.split('?', 1)[0]}`);
}
