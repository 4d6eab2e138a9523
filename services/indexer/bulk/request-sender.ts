// One try of one parcel: what is there already, or may be, is left out, the rest is sent, and second copies that it made are deleted. What comes back is
// an answer for every item, or why there is none.
//
//   slot ─► look back ─► _bulk ─► did it go where we thought? ─► answer
//
// Guarantees: an answer is given only when all of that is done; where one step fails there is none, and the same ids go again.

import type { Clock } from '#shared/clock.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { BulkOutcome, Store } from '#shared/store/store.ts';
import type { IndexerTelemetry } from '../telemetry.ts';
import { BulkAnswer } from './answer.ts';
import type { ConcurrencyLimit } from './concurrency.ts';
import { type LookBack, THERE } from './look-back.ts';
import { isOverload } from './outcomes.ts';
import { type Parcel, portion } from './parcel.ts';
import type { SecondLook } from './second-look.ts';

export interface RequestSenderOptions {
  readonly store: Pick<Store, 'bulk'>;
  readonly lookBack: LookBack;
  readonly secondLook: SecondLook;
  readonly limit: ConcurrencyLimit;
  readonly telemetry: IndexerTelemetry;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

export class RequestSender {
  readonly #options: RequestSenderOptions;
  readonly #sending = new Map<AbortController, Promise<unknown>>();

  constructor(options: RequestSenderOptions) {
    this.#options = options;
  }

  /** Gives up all that is on its way. */
  abort(): void {
    for (const request of this.#sending.keys()) request.abort();
  }

  /** Resolves when all that is on its way now has its answer, or none. */
  async settled(): Promise<void> {
    await Promise.all(this.#sending.values());
  }

  /** The caller holds a slot, which is given back here. */
  async send(parcel: Parcel): Promise<BulkAnswer | Error> {
    const { clock, timeoutMs } = this.#options;
    const request = new AbortController();
    const timeout = clock.timer(timeoutMs, () => request.abort());
    const sent = this.#try(parcel, request.signal);
    this.#sending.set(request, sent);
    try {
      return await sent;
    } finally {
      timeout[Symbol.dispose]();
      this.#sending.delete(request);
    }
  }

  async #try(parcel: Parcel, signal: AbortSignal): Promise<BulkAnswer | Error> {
    const { limit, clock, timeoutMs, telemetry, lookBack, secondLook } = this.#options;
    try {
      const { told, known } = await lookBack.find(parcel, signal);
      const rest = told.size > 0 ? without(parcel, told) : parcel;
      const startMs = clock.monotonicMs();
      let outcomes = rest ? await this.#bulk(rest, signal) : [];
      const tookMs = clock.monotonicMs() - startMs;
      if (rest) outcomes = await lookBack.settle(rest, outcomes, known, signal);
      const answer = new BulkAnswer(told.size > 0 ? withTold(parcel, told, outcomes) : outcomes);
      secondLook.keep(parcel, answer);
      telemetry.bulkAnswered(tookMs / 1000, answer.statuses);
      limit.release({ roundTripMs: rest && !answer.overloaded ? tookMs : null, overloaded: answer.overloaded });
      return answer;
    } catch (error) {
      const failure = signal.aborted
        ? new SluiceError('store_timeout', `Cannot write: the store gave no answer in ${timeoutMs} ms`, {
            cause: error,
          })
        : error instanceof Error
          ? error
          : new Error(reasonOf(error));
      if (failure instanceof SluiceError && failure.code === 'store_timeout') void secondLook.keepUnanswered(parcel);
      limit.release({ roundTripMs: null, overloaded: isOverload(failure) });
      return failure;
    }
  }

  async #bulk({ request }: Parcel, signal: AbortSignal): Promise<readonly BulkOutcome[]> {
    const outcomes = await this.#options.store.bulk(request, signal);
    if (outcomes.length === request.items.length) return outcomes;
    throw new SluiceError('store_timeout', 'Cannot read the answer to a bulk request: it has another number of items');
  }
}

/** The parcel without these items; null where none is left. */
function without(parcel: Parcel, told: ReadonlyMap<number, BulkOutcome>): Parcel | null {
  const rest = [...parcel.request.items.keys()].filter((number) => !told.has(number));
  return rest.length > 0 ? portion(parcel, rest) : null;
}

/** The outcomes of all items, of which some were told without being sent. */
function withTold(parcel: Parcel, told: ReadonlyMap<number, BulkOutcome>, sent: readonly BulkOutcome[]): BulkOutcome[] {
  const rest = sent.values();
  return Array.from(parcel.request.items, (_, number) => told.get(number) ?? rest.next().value ?? THERE);
}
