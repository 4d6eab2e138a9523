// One process's way to the simulated Elasticsearch, with what goes wrong on it: requests are refused, slow, done
// without an answer, done late, or not at all.

import { SluiceError } from '#shared/errors.ts';
import type { BackingIndex, BulkOutcome, BulkRequest, Store, StoredDocument, StoredPage } from '#shared/store/store.ts';
import type { SimProcess } from '../machine/process.ts';
import { BLOCKED, NO_PIPELINE, type Sent, type SimElasticsearch } from './elasticsearch.ts';

const REJECTED: BulkOutcome = Object.freeze({ status: 429, errorType: 'es_rejected_execution_exception' });
const UNAVAILABLE: BulkOutcome = Object.freeze({ status: 503, errorType: 'unavailable_shards_exception' });

/** A bulk request under way, and how its sender gets an answer. */
interface Exchange {
  readonly request: BulkRequest;
  readonly sent: Sent;
  readonly slowMs: number;
  readonly resolve: (outcomes: BulkOutcome[]) => void;
  readonly reject: (error: unknown) => void;
}

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

  async ping(): Promise<string> {
    await this.#process.sleep(1);
    this.#checkUp();
    return 'simulated';
  }

  async bulk(request: BulkRequest, signal?: AbortSignal): Promise<BulkOutcome[]> {
    const { faults, random, time } = this.#server.options;
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
    const exchange = { request, sent, slowMs, resolve, reject };
    if (faults.strikes('store_timeout_unwritten', who)) return promise;
    if (this.#isWrittenLate(exchange) || this.#isReset(exchange)) return promise;
    time.after(slowMs, () => this.#write(exchange));
    return promise.finally(() => signal?.removeEventListener('abort', aborted));
  }

  /** As late as can be looked for, or later than that; nobody hears of it. */
  #isWrittenLate({ request, sent }: Exchange): boolean {
    const { time, trace, late } = this.#server.options;
    const who = this.#process.name;
    const lateMs = this.#lateMs(who);
    if (lateMs === null) return false;
    late(who, lateMs);
    time.after(lateMs, () => {
      trace.note('store', `late: ${request.items.length} from ${who}`);
      if (!this.#server.isDown) this.#server.write(request, sent, () => null);
    });
    return true;
  }

  /** The node that the connection led to is gone; what it had passed on is done by others. */
  #isReset({ request, sent, slowMs, reject }: Exchange): boolean {
    const { faults, random, time, bulkTimeoutMs } = this.#server.options;
    if (!faults.strikes('store_reset_before', this.#process.name)) return false;
    time.after(slowMs + random.between(0, bulkTimeoutMs), () => {
      if (!this.#server.isDown) this.#server.write(request, sent, () => null);
    });
    time.after(slowMs, () => {
      // Its sender may have given it up before.
      sent.givenUpMs = Math.min(sent.givenUpMs, time.nowMs);
      this.#answer(() => reject(new SluiceError('store_timeout', 'Cannot write: ECONNRESET')));
    });
    return true;
  }

  #write({ request, sent, resolve, reject }: Exchange): void {
    const { faults, trace } = this.#server.options;
    const who = this.#process.name;
    try {
      this.#checkUp();
      const whole = this.#refusedWhole(request, who);
      if (whole) throw whole;
    } catch (error) {
      this.#answer(() => reject(error));
      return;
    }
    const outcomes = this.#server.write(request, sent, () => this.#refusedItem(who));
    trace.note('store', `${who}: ${outcomes.map(({ status }) => status).join(' ')}`);
    if (faults.strikes('store_timeout_written', who)) return;
    if (faults.strikes('store_reset_after', who)) {
      this.#answer(() => reject(new SluiceError('store_timeout', 'Cannot write: ECONNRESET')));
      return;
    }
    if (faults.strikes('store_answer_cut', who)) outcomes.pop();
    this.#answer(() => resolve(outcomes));
  }

  #answer(action: () => void): void {
    this.#process.later(this.#server.options.random.between(1, 5), action);
  }

  async backingIndices(dataStream: string): Promise<readonly BackingIndex[]> {
    await this.#process.sleep(2);
    this.#checkUp();
    return this.#server.indices(dataStream);
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

  async probe(_dataStream: string, signal?: AbortSignal): Promise<BulkOutcome> {
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
