// Elasticsearch, as the bulk writer sees it: data streams of backing indices, `create` that is answered 409 where the
// write index has the id already, and only there: after a rollover the same id is taken again. It outlives all
// processes. What was written was written, whether or not the answer arrives.

import assert from 'node:assert/strict';
import { SluiceError } from '#shared/errors.ts';
import type { BackingIndex, BulkOutcome, BulkRequest, Store, StoredDocument, StoredPage } from '#shared/store/store.ts';
import type { Faults } from './faults.ts';
import type { SimProcess } from './machine/process.ts';
import type { Random } from './machine/random.ts';
import type { SimTime } from './machine/time.ts';
import type { Trace } from './trace.ts';

const CONFLICT = { status: 409, errorType: 'version_conflict_engine_exception' } as const;
const REJECTED: BulkOutcome = Object.freeze({ status: 429, errorType: 'es_rejected_execution_exception' });
const BLOCKED: BulkOutcome = Object.freeze({ status: 403, errorType: 'cluster_block_exception' });
const UNAVAILABLE: BulkOutcome = Object.freeze({ status: 503, errorType: 'unavailable_shards_exception' });
const REFUSED: BulkOutcome = Object.freeze({
  status: 400,
  errorType: 'document_parsing_exception',
  errorReason: 'failed to parse',
});

const NO_PIPELINE: BulkOutcome = Object.freeze({
  status: 400,
  errorType: 'illegal_argument_exception',
  errorReason: 'pipeline with id [missing] does not exist',
});

interface Action {
  readonly create: { readonly _index: string; readonly _id: string };
}

/** 2026-01-02 03:04:05 UTC. */
const ORIGIN_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

interface Backing extends BackingIndex {
  readonly ids: Set<string>;
}

/** Who sent a request, and until when an answer was waited for. */
export interface Sent {
  readonly by: Pick<SimProcess, 'name' | 'endedMs'>;
  readonly atMs: number;
  /** When its sender waited for an answer no longer. */
  givenUpMs: number;
}

/** A document, and the backing index that it was written to. */
export interface Written {
  readonly id: string;
  readonly json: string;
  readonly backing: string;
  readonly sent: Sent;
  readonly writtenMs: number;
}

interface StoreOptions {
  readonly time: SimTime;
  readonly random: Random;
  readonly faults: Faults;
  readonly trace: Trace;
  /** Told of every document that is written. */
  readonly written: (written: Written) => void;
  /** Told of every second copy that is deleted. */
  readonly removed: (id: string, backing: string) => void;
  readonly bulkTimeoutMs: number;
  /** Told of every request that is done only so much later. */
  readonly late: (sender: string, byMs: number) => void;
}

/** The state; each process has a client of its own. */
export class SimElasticsearch {
  isDown = false;
  isForbidden = false;
  /** As when the disk is full: nothing is written. */
  isBlocked = false;
  /** Somebody deleted the ingest pipeline: every document is refused, and none is to blame. */
  isWithoutPipeline = false;
  rollovers = 0;
  /** A body of more bytes is answered 413. */
  bodyBytesMax = Infinity;
  readonly options: StoreOptions;
  readonly #streams = new Map<string, Backing[]>();

  constructor(options: StoreOptions) {
    this.options = options;
  }

  write({ body, items }: BulkRequest, sent: Sent, refuse: () => BulkOutcome | null): BulkOutcome[] {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
    if (this.isWithoutPipeline) return items.map(() => NO_PIPELINE);
    return items.map((item) => {
      // The real one knows of no items, only of lines.
      const { create } = JSON.parse(bytes.toString('latin1', item.actionStart, item.docStart)) as Action;
      const json = bytes.toString('utf8', item.docStart, item.docEnd);
      const { ids, name: backing } = this.#writeIndex(create._index);
      if (ids.has(create._id)) return { ...CONFLICT, backing };
      if (this.isBlocked) return BLOCKED;
      if (json.includes('poison-always')) return REFUSED;
      if (json.includes('poison-once') && !json.includes('as_text')) return REFUSED;
      const refused = refuse();
      if (refused !== null) return refused;
      ids.add(create._id);
      this.options.written({
        id: create._id,
        json,
        backing,
        sent,
        writtenMs: this.options.time.nowMs,
      });
      return { status: 201, backing };
    });
  }

  /** Writes to a new index from here on, of each data stream. */
  rollOver(): void {
    this.rollovers++;
    for (const [name, indices] of this.#streams) indices.push(this.#newIndex(name));
  }

  indices(stream: string): BackingIndex[] {
    return (this.#streams.get(stream) ?? []).map(({ name, createdMs }) => ({ name, createdMs }));
  }

  idsIn(backing: string, ids: readonly string[]): Set<string> {
    const index = this.#backing(backing);
    return new Set(ids.filter((id) => index?.ids.has(id)));
  }

  remove(backing: string, ids: readonly string[]): void {
    for (const id of ids) if (this.#backing(backing)?.ids.delete(id)) this.options.removed(id, backing);
  }

  #backing(name: string): Backing | undefined {
    return [...this.#streams.values()].flat().find((index) => index.name === name);
  }

  #newIndex(stream: string): Backing {
    const name = `.ds-${stream}-${this.rollovers}`;
    return { name, createdMs: Math.floor(ORIGIN_MS + this.options.time.nowMs), ids: new Set() };
  }

  #writeIndex(name: string): Backing {
    const indices = this.#streams.get(name) ?? [];
    const last = indices.at(-1);
    if (last) return last;
    const first = this.#newIndex(name);
    this.#streams.set(name, [first]);
    return first;
  }
}

/** One process's way to it. */
export class SimStore implements Store {
  readonly kind = 'elasticsearch';
  readonly #server: SimElasticsearch;
  readonly #process: SimProcess;

  constructor(server: SimElasticsearch, process: SimProcess) {
    this.#server = server;
    this.#process = process;
  }

  setup(): Promise<string[]> {
    return Promise.resolve([]);
  }

  async ping(): Promise<void> {
    await this.#process.sleep(1);
    this.#checkUp();
  }

  async bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    const { faults, random, trace, time, bulkTimeoutMs } = this.#server.options;
    const who = this.#process.name;
    if (faults.strikes('store_refused_connection', who)) {
      await this.#process.sleep(1, signal);
      throw new SluiceError('store_unavailable', 'Cannot write: connect ECONNREFUSED');
    }
    const sent: Sent = { by: this.#process, atMs: time.nowMs, givenUpMs: Infinity };
    // From here on it is the server's: it does what it was sent, whether or not the client still lives.
    const slowMs = faults.strikes('store_slow', who) ? random.between(200, 2800) : random.between(2, 20);
    const { promise, resolve, reject } = Promise.withResolvers<BulkOutcome[]>();
    const aborted = (): void => {
      sent.givenUpMs = time.nowMs;
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', aborted, { once: true });
    const answer = (action: () => void): void => void this.#process.later(random.between(1, 5), action);
    const fail = (error: SluiceError): void => answer(() => reject(error));

    if (faults.strikes('store_timeout_unwritten', who)) return promise;
    // As late as can be looked for, or later than that.
    const lateMs = this.#lateMs(who);
    if (lateMs !== null) {
      this.#server.options.late(who, lateMs);
      time.after(lateMs, () => {
        trace.note('store', `late: ${request.items.length} from ${who}`);
        if (!this.#server.isDown) this.#server.write(request, sent, () => null);
      });
      return promise;
    }
    if (faults.strikes('store_reset_before', who)) {
      // The node that the connection led to is gone; what it had passed on is done by others.
      time.after(slowMs + random.between(0, bulkTimeoutMs), () => {
        if (!this.#server.isDown) this.#server.write(request, sent, () => null);
      });
      time.after(slowMs, () => {
        // Its sender may have given it up before.
        sent.givenUpMs = Math.min(sent.givenUpMs, time.nowMs);
        fail(new SluiceError('store_timeout', 'Cannot write: ECONNRESET'));
      });
      return promise;
    }
    time.after(slowMs, () => {
      try {
        this.#checkUp();
        const whole = this.#refusedWhole(request, who);
        if (whole) throw whole;
      } catch (error) {
        assert(error instanceof SluiceError);
        return fail(error);
      }
      const outcomes = this.#server.write(request, sent, () => this.#refusedItem(who));
      trace.note('store', `${who}: ${outcomes.map(({ status }) => status).join(' ')}`);
      if (faults.strikes('store_timeout_written', who)) return;
      if (faults.strikes('store_reset_after', who))
        return fail(new SluiceError('store_timeout', 'Cannot write: ECONNRESET'));
      if (faults.strikes('store_answer_cut', who)) outcomes.pop();
      answer(() => resolve(outcomes));
    });
    return promise.finally(() => signal?.removeEventListener('abort', aborted));
  }

  async backingIndices(stream: string): Promise<readonly BackingIndex[]> {
    await this.#process.sleep(2);
    this.#checkUp();
    return this.#server.indices(stream);
  }

  async idsIn(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>> {
    await this.#ask(signal);
    return this.#server.idsIn(backing, ids);
  }

  async remove(backing: string, ids: readonly string[], signal?: AbortSignal): Promise<void> {
    await this.#ask(signal);
    this.#server.remove(backing, ids);
    // It is done, and perhaps nobody hears of it.
    await this.#ask(signal);
  }

  async probe(_stream: string, signal?: AbortSignal): Promise<BulkOutcome> {
    await this.#ask(signal);
    if (this.#server.isWithoutPipeline) return NO_PIPELINE;
    return this.#server.isBlocked ? BLOCKED : { status: 201 };
  }

  async *pages(): AsyncGenerator<StoredPage> {
    yield* [];
  }

  search(): Promise<StoredDocument[]> {
    return Promise.resolve([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #ask(signal?: AbortSignal): Promise<void> {
    await this.#process.sleep(this.#server.options.random.between(1, 8), signal);
    this.#checkUp();
    if (this.#server.options.faults.strikes('store_500', this.#process.name))
      throw new SluiceError('store_unavailable', 'Cannot ask: 500');
  }

  #lateMs(who: string): number | null {
    const { faults, random, bulkTimeoutMs } = this.#server.options;
    if (faults.strikes('store_timeout_late', who)) return random.between(100, 2 * bulkTimeoutMs);
    return faults.strikes('store_timeout_too_late', who) ? 2 * bulkTimeoutMs + random.between(0, 5000) : null;
  }

  #checkUp(): void {
    if (this.#server.isDown) throw new SluiceError('store_unavailable', 'Cannot write: connect ECONNREFUSED');
    if (this.#server.isForbidden) throw new SluiceError('store_unauthorized', 'Cannot write: 401');
  }

  #refusedWhole({ body, items }: BulkRequest, who: string): SluiceError | null {
    const { faults } = this.#server.options;
    if (body.length > this.#server.bodyBytesMax && items.length > 1)
      return new SluiceError('store_body_too_large', 'Cannot write: 413');
    if (faults.strikes('store_429', who)) return new SluiceError('store_overloaded', 'Cannot write: 429');
    if (faults.strikes('store_500', who)) return new SluiceError('store_unavailable', 'Cannot write: 500');
    // A single document that is too large or malformed is refused for good; that is for the poisoned ones.
    if (items.length < 2) return null;
    if (faults.strikes('store_413', who)) return new SluiceError('store_body_too_large', 'Cannot write: 413');
    if (faults.strikes('store_400', who)) return new SluiceError('store_body_refused', 'Cannot write: 400');
    return null;
  }

  #refusedItem(who: string): BulkOutcome | null {
    const { faults } = this.#server.options;
    if (faults.strikes('item_429', who)) return REJECTED;
    return faults.strikes('item_503', who) ? UNAVAILABLE : null;
  }
}
