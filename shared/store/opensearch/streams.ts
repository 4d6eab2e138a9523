// Sees to it that documents go to data streams and nowhere else. Elasticsearch is told so with each bulk request
// (`require_data_stream`); OpenSearch knows no such word, and where the template is missing, it would make a plain
// index with whatever fields come, in which no name is looked for after a rollover.
//
// So each data stream is made by name before the first document goes to it, which fails where the template is missing.
// Items for one that cannot be made get the outcome that Elasticsearch gives (404), and are not sent.
//
// Guarantee: a document that went to an index which is no data stream is no success: the request rejects, for as long
// as that index is there.

import { SluiceError } from '#shared/errors.ts';
import type { BulkItem, BulkItems, BulkOutcome, BulkRequest } from '../store.ts';

type Send = (request: BulkRequest) => Promise<BulkOutcome[]>;

interface StreamRequest {
  readonly method: 'GET' | 'PUT';
  readonly path: string;
  readonly signal?: AbortSignal | undefined;
}

export type AskOfStream = (request: StreamRequest) => Promise<{ readonly status: number; readonly text: string }>;

const BACKING = '.ds-';

export class OpenSearchStreams {
  readonly #ask: AskOfStream;
  readonly #there = new Set<string>();

  constructor(ask: AskOfStream) {
    this.#ask = ask;
  }

  /** An outcome for each item, in order. */
  async bulk(request: BulkRequest, send: Send, signal?: AbortSignal): Promise<BulkOutcome[]> {
    const missing = await this.#missing(request.items, signal);
    if (missing.size === 0) return this.#checked(request.items, await send(request));
    const all = request.items.map(({ index }) => index);
    const numbers = [...all.keys()].filter((number) => !missing.has(all[number] ?? ''));
    const part = partOf(request, numbers);
    const outcomes = numbers.length === 0 ? [] : this.#checked(part.items, await send(part));
    const byNumber = new Map(numbers.map((number, at) => [number, outcomes[at]]));
    return all.map((index, number) => byNumber.get(number) ?? missing.get(index) ?? NOT_FOUND);
  }

  /** What items for data streams that cannot be made are answered, by name. */
  async #missing(items: BulkItems, signal?: AbortSignal): Promise<Map<string, BulkOutcome>> {
    const missing = new Map<string, BulkOutcome>();
    let last = '';
    for (const { index } of items) {
      if (index === last) continue;
      last = index;
      if (this.#there.has(index) || missing.has(index)) continue;
      const outcome = await this.#make(index, signal);
      if (outcome === null) this.#there.add(index);
      else missing.set(index, outcome);
    }
    return missing;
  }

  /** Null where it is there. */
  async #make(stream: string, signal?: AbortSignal): Promise<BulkOutcome | null> {
    const path = `/_data_stream/${stream}`;
    // First a look: who may write to it need not have the right to make one.
    if ((await this.#ask({ method: 'GET', path, signal })).status === 200) return null;
    const made = await this.#ask({ method: 'PUT', path, signal });
    if (made.status === 200 || made.text.includes('resource_already_exists_exception')) return null;
    if (made.status === 429 || made.status >= 500)
      throw new SluiceError(
        'store_unavailable',
        `Cannot make the data stream ${stream}: OpenSearch answered ${made.status}`,
      );
    return {
      status: made.status === 401 || made.status === 403 ? made.status : 404,
      errorType: 'index_not_found_exception',
      errorReason: `there is no data stream ${stream}, and none can be made: run \`sluice setup\``,
    };
  }

  #checked(items: BulkItems, outcomes: BulkOutcome[]): BulkOutcome[] {
    let last: BulkOutcome | null = null;
    for (const [number, outcome] of outcomes.entries()) {
      // Nearly always one for all.
      if (outcome === last) continue;
      last = outcome;
      const { status, backing } = outcome;
      const index = items.at(number)?.index ?? '';
      if (status === 404) this.#there.delete(index);
      if (backing === undefined || backing.startsWith(BACKING) || (status >= 400 && status !== 409)) continue;
      this.#there.delete(index);
      throw new SluiceError(
        'store_refused',
        `Cannot write to ${index}: it is an index, and no data stream; run \`sluice setup\`, then delete that index: ` +
          'what was written to it is written again',
      );
    }
    return outcomes;
  }
}

const NOT_FOUND: BulkOutcome = { status: 404, errorType: 'index_not_found_exception' };

/** A request with just these items. */
function partOf({ body, items }: BulkRequest, numbers: readonly number[]): BulkRequest {
  const pieces: Uint8Array[] = [];
  const kept: BulkItem[] = [];
  let length = 0;
  for (const number of numbers) {
    const item = items.at(number);
    if (item === undefined) continue;
    const { index, id, actionStart, docStart, docEnd } = item;
    const shift = length - actionStart;
    // With the newline at its end.
    const piece = body.subarray(actionStart, docEnd + 1);
    pieces.push(piece);
    length += piece.length;
    kept.push({ index, id, actionStart: length - piece.length, docStart: docStart + shift, docEnd: docEnd + shift });
  }
  return { body: Buffer.concat(pieces, length), items: kept };
}
