// A store in memory that answers bulk requests as Elasticsearch does, with faults at the places that a test names. It
// reads the body as the real one would, line by line, so that an item that does not lie where its extents say is seen.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { BackingIndex, BulkOutcome, BulkRequest, Store, StoredDocument, StoredPage } from '#shared/store/store.ts';

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
  /** What becomes of a probe; taken unless it says otherwise. */
  readonly probe?: (index: string) => BulkOutcome | SluiceError | null | undefined;
  /** Milliseconds that a request takes. */
  readonly latencyMs?: (number: number) => number;
}

/** Behind a data stream, the oldest first; `bulk` writes to the last. */
interface Backing extends BackingIndex {
  readonly ids: Set<string>;
  /** Nothing can be had out of it. */
  isClosed: boolean;
  /** Reads of it fail. */
  isUnreadable: boolean;
}

export class MemoryStore implements Store {
  readonly kind = 'elasticsearch';
  readonly documents = new Map<string, Record<string, unknown>>();
  requests = 0;
  probes = 0;
  /** Calls of `idsIn`. */
  questions = 0;
  /** Documents that were deleted. */
  removed = 0;
  /** Thrown by `remove` while set. */
  removalFails: SluiceError | null = null;
  inFlight = 0;
  inFlightMax = 0;
  /** Thrown by `ping` while set. */
  down: SluiceError | null = null;
  hooks: StoreHooks;
  readonly #clock: Clock;
  readonly #streams = new Map<string, Backing[]>();
  #rollovers = 0;

  constructor(clock: Clock, hooks: StoreHooks = {}) {
    this.#clock = clock;
    this.hooks = hooks;
  }

  setup(): Promise<string[]> {
    return Promise.resolve([]);
  }

  ping(): Promise<string> {
    return this.down ? Promise.reject(this.down) : Promise.resolve('in memory');
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

  async *pages(): AsyncGenerator<StoredPage> {
    yield* [];
  }

  search(): Promise<StoredDocument[]> {
    return Promise.resolve([]);
  }

  /** Documents that are there more than once, in several backing indices. */
  get doubled(): number {
    const all = [...this.#streams.values()].flat().flatMap(({ ids }) => [...ids]);
    return all.length - new Set(all).size;
  }

  backingIndices(stream: string): Promise<readonly BackingIndex[]> {
    return Promise.resolve((this.#streams.get(stream) ?? []).map(({ name, createdMs }) => ({ name, createdMs })));
  }

  idsIn(backing: string, ids: readonly string[]): Promise<ReadonlySet<string>> {
    this.questions++;
    const index = this.backing(backing);
    if (index?.isUnreadable) return Promise.reject(new SluiceError('store_index_unreadable', `Cannot read ${backing}`));
    if (index?.isClosed) return Promise.reject(new SluiceError('store_index_closed', `${backing} is closed`));
    return Promise.resolve(new Set(ids.filter((id) => index?.ids.has(id))));
  }

  remove(backing: string, ids: readonly string[]): Promise<void> {
    if (this.removalFails) return Promise.reject(this.removalFails);
    for (const id of ids) if (this.backing(backing)?.ids.delete(id)) this.removed++;
    return Promise.resolve();
  }

  probe(index: string): Promise<BulkOutcome> {
    this.probes++;
    const said = this.hooks.probe?.(index) ?? { status: 201 };
    return said instanceof Error ? Promise.reject(said) : Promise.resolve(said);
  }

  /** What was written so far is in an older index: `bulk` sees it no more. */
  rollOver(): void {
    this.#rollovers++;
    for (const [stream, indices] of this.#streams) indices.push(this.#newIndex(stream));
  }

  backing(name: string): Backing | undefined {
    return [...this.#streams.values()].flat().find((index) => index.name === name);
  }

  #newIndex(stream: string): Backing {
    const name = `.ds-${stream}-${String(this.#rollovers + 1).padStart(6, '0')}`;
    return { name, createdMs: this.#clock.epochMs(), ids: new Set(), isClosed: false, isUnreadable: false };
  }

  #writeIndex(stream: string): Backing {
    const last = this.#streams.get(stream)?.at(-1);
    if (last) return last;
    const first = this.#newIndex(stream);
    this.#streams.set(stream, [first]);
    return first;
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
      const { name: backing, ids } = this.#writeIndex(item.index);
      const errorType = 'version_conflict_engine_exception';
      if (ids.has(item.id)) return { status: 409, errorType, errorReason: 'document already exists', backing };
      const document: Record<string, unknown> = JSON.parse(line);
      const refused = this.hooks.item?.(item.id, document, item.index);
      if (refused && (refused.status >= 300 || refused.failureStore)) return { backing, ...refused };
      ids.add(item.id);
      this.documents.set(item.id, document);
      return { status: 201, ...refused, backing };
    });
  }
}

function hangUp(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
