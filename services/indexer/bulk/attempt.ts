// One request to the store for one batch, and what came back. What is known to be stored already is left out, the rest
// is sent, and second copies that it made are deleted. The result is an outcome for every item, or why there is none.
//
//   slot ─► look back ─► _bulk ─► did it go where we thought? ─► outcomes
//
// Guarantees: there are outcomes only when all of that is done. Where one step fails there are none, and the same ids
// go again. The slot of the request is free when the result is there.

import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { BulkOutcome, Store } from '#shared/store/store.ts';
import type { BulkTelemetry } from '../settle/bulk-telemetry.ts';
import { BulkAnswer } from './answer.ts';
import { type BulkBatch, numbersOf, subset } from '../settle/bulk-batch.ts';
import type { ConcurrencyLimit } from './concurrency.ts';
import { ALREADY_STORED, type LookBack } from './look-back.ts';
import { isOverload } from '../settle/outcomes.ts';
import type { SecondLook } from './second-copies.ts';

export interface AttemptsOptions {
  readonly store: Pick<Store, 'bulk'>;
  readonly lookBack: LookBack;
  readonly secondLook: SecondLook;
  readonly limit: ConcurrencyLimit;
  readonly telemetry: BulkTelemetry;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

export type AttemptResult =
  { readonly kind: 'answered'; readonly answer: BulkAnswer } | { readonly kind: 'failed'; readonly error: Error };

export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #inFlight = new Map<AbortController, Promise<unknown>>();

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  /** Gives up every request in flight. */
  abort(): void {
    for (const request of this.#inFlight.keys()) request.abort();
  }

  /** Resolves when every request that is in flight now has its result. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight.values());
  }

  /** The caller holds a slot, which is given back here. */
  async send(batch: BulkBatch): Promise<AttemptResult> {
    const { clock, timeoutMs } = this.#options;
    const request = new AbortController();
    const timeout = clock.timer(timeoutMs, () => request.abort());
    const sent = this.#try(batch, request.signal);
    this.#inFlight.set(request, sent);
    try {
      return await sent;
    } finally {
      timeout[Symbol.dispose]();
      this.#inFlight.delete(request);
    }
  }

  async #try(batch: BulkBatch, signal: AbortSignal): Promise<AttemptResult> {
    const { limit, clock, telemetry, lookBack, secondLook } = this.#options;
    try {
      const { decided, known } = await lookBack.find(batch, signal);
      const rest = decided.size > 0 ? without(batch, decided) : batch;
      const startMs = clock.monotonicMs();
      let outcomes = rest ? await this.#bulk(rest, signal) : [];
      const tookMs = clock.monotonicMs() - startMs;
      if (rest) outcomes = await lookBack.settle(rest, outcomes, known, signal);
      const answer = new BulkAnswer(decided.size > 0 ? withDecided(batch, decided, outcomes) : outcomes);
      secondLook.keep(batch, answer);
      telemetry.bulkAnswered(tookMs / 1000, answer.statuses);
      limit.release({ roundTripMs: rest && !answer.overloaded ? tookMs : null, overloaded: answer.overloaded });
      return { kind: 'answered', answer };
    } catch (thrown) {
      const error = this.#failureOf(thrown, signal);
      if (error instanceof SluiceError && error.code === 'store_timeout') void secondLook.keepUnanswered(batch);
      limit.release({ roundTripMs: null, overloaded: isOverload(error) });
      return { kind: 'failed', error };
    }
  }

  async #bulk({ request }: BulkBatch, signal: AbortSignal): Promise<readonly BulkOutcome[]> {
    const outcomes = await this.#options.store.bulk(request, signal);
    if (outcomes.length === request.items.length) return outcomes;
    throw new SluiceError('store_timeout', 'Cannot read the answer to a bulk request: it has another number of items');
  }

  #failureOf(thrown: unknown, signal: AbortSignal): Error {
    if (signal.aborted) {
      const message = `Cannot write: the store gave no answer in ${this.#options.timeoutMs} ms`;
      return new SluiceError('store_timeout', message, { cause: thrown });
    }
    return thrown instanceof Error ? thrown : new Error(reasonOf(thrown));
  }
}

/** The batch without these items; null where none is left. */
function without(batch: BulkBatch, decided: ReadonlyMap<number, BulkOutcome>): BulkBatch | null {
  const rest = numbersOf(batch.request).filter((number) => !decided.has(number));
  return rest.length > 0 ? subset(batch, rest) : null;
}

/** The outcomes of all items, of which some are known without being sent. */
function withDecided(
  batch: BulkBatch,
  decided: ReadonlyMap<number, BulkOutcome>,
  sent: readonly BulkOutcome[],
): BulkOutcome[] {
  const rest = sent.values();
  return Array.from(
    { length: batch.request.items.length },
    (_, number) => decided.get(number) ?? rest.next().value ?? ALREADY_STORED,
  );
}
