// A store in memory that answers bulk requests as Elasticsearch does, with faults at the places that a test names. It reads the body
// as the real one would, line by line, so that an item that does not lie where its extents say is seen.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import type { SluiceError } from '#shared/errors.ts';
import type { BulkOutcome, BulkRequest, Store, StoredDocument } from '#shared/store/store.ts';

export type StoreFault =
  /** The whole request fails; nothing is written. */
  | { readonly fail: SluiceError }
  /** It is written, and the answer is lost. */
  | { readonly failAfter: SluiceError }
  /** No answer at all, until the caller gives up; written or not, or a second after that, from the same bytes. */
  | { readonly hang: 'written' | 'unwritten' | 'late' };

export interface StoreHooks {
  /** Asked for each request, with its number from 0. */
  readonly request?: (request: BulkRequest, number: number) => StoreFault | null | undefined;
  /** Asked for each item that is not there yet; an outcome refuses it. */
  readonly item?: (id: string, document: Record<string, unknown>, index: string) => BulkOutcome | null | undefined;
  /** Milliseconds that a request takes. */
  readonly latencyMs?: (number: number) => number;
}

const CREATED: BulkOutcome = Object.freeze({ status: 201 });
const CONFLICT: BulkOutcome = Object.freeze({
  status: 409,
  errorType: 'version_conflict_engine_exception',
  errorReason: 'document already exists',
});

export class MemoryStore implements Store {
  readonly kind = 'elasticsearch';
  readonly documents = new Map<string, Record<string, unknown>>();
  /** Documents that were written once more, after a rollover. */
  doubled = 0;
  requests = 0;
  /** Calls of `presentIds`. */
  questions = 0;
  inFlight = 0;
  inFlightMax = 0;
  /** Thrown by `ping` while set. */
  down: SluiceError | null = null;
  hooks: StoreHooks;
  readonly #clock: Clock;
  /** Ids in the index that is written to now. */
  readonly #written = new Set<string>();
  #rolledOverMs: number | null = null;

  constructor(clock: Clock, hooks: StoreHooks = {}) {
    this.#clock = clock;
    this.hooks = hooks;
  }

  setup(): Promise<string[]> {
    return Promise.resolve([]);
  }

  ping(): Promise<void> {
    return this.down ? Promise.reject(this.down) : Promise.resolve();
  }

  async bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    const number = this.requests++;
    this.inFlightMax = Math.max(this.inFlightMax, ++this.inFlight);
    try {
      await this.#clock.sleep(this.hooks.latencyMs?.(number) ?? 1, signal);
      if (this.down) throw this.down;
      const fault = this.hooks.request?.(request, number);
      if (fault && 'fail' in fault) throw fault.fail;
      if (fault && 'hang' in fault && fault.hang !== 'written') {
        await hangUp(signal).finally(() => {
          if (fault.hang === 'late') this.#clock.timer(1000, () => this.#write(request));
        });
      }
      const outcomes = this.#write(request);
      if (fault && 'hang' in fault) await hangUp(signal);
      if (fault && 'failAfter' in fault) throw fault.failAfter;
      return outcomes;
    } finally {
      this.inFlight--;
    }
  }

  search(): Promise<StoredDocument[]> {
    return Promise.resolve([]);
  }

  rolledOverMs(): Promise<number | null> {
    return Promise.resolve(this.#rolledOverMs);
  }

  presentIds(_index: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    this.questions++;
    return Promise.resolve(new Set(ids.filter((id) => this.documents.has(id))));
  }

  /** What was written so far is in an older index: `bulk` sees it no more. */
  rollOver(): void {
    this.#rolledOverMs = this.#clock.epochMs();
    this.#written.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #write({ body, items }: BulkRequest): BulkOutcome[] {
    const text = Buffer.from(body).toString();
    assert(text.endsWith('\n'));
    const lines = text.slice(0, -1).split('\n');
    assert.equal(lines.length, 2 * items.length, 'an action line and a document for each item');
    return items.map((item, i) => {
      assert.deepEqual(JSON.parse(lines[2 * i] ?? ''), { create: { _index: item.index, _id: item.id } });
      const line = Buffer.from(body.subarray(item.docStart, item.docEnd)).toString();
      assert.equal(line, lines[2 * i + 1], 'the extents of an item are where its document is');
      if (this.#written.has(item.id)) return CONFLICT;
      const document: Record<string, unknown> = JSON.parse(line);
      const refused = this.hooks.item?.(item.id, document, item.index);
      if (refused && (refused.status >= 300 || refused.failureStore)) return refused;
      if (this.documents.has(item.id)) this.doubled++;
      this.#written.add(item.id);
      this.documents.set(item.id, document);
      return refused ?? CREATED;
    });
  }
}

function hangUp(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
