// Finds out what is in the store although a bulk request would not see it: an id dedupes in one backing index only, so after a rollover a
// repeat of what was written before would be taken as new. Batches that the edge received before the rollover (by clocks that
// may differ by the allowed skew) are asked for; all others, nearly always all, cost nothing but a look every 30 s.
//
//   received   ──────────────────────────|── rollover ──|─────────────►
//                   asked for            |   + skew     |  never written to an older index
//
// What was seen less than 30 s ago is looked at anew where a repeat is likely: for what a request without an answer may have written, at the
// moment of its repeat, and under a new assignment.

import type { Clock } from '#shared/clock.ts';
import type { Store } from '#shared/store/store.ts';
import type { Parcel } from './parcel.ts';

const LOOK_INTERVAL_MS = 30_000;
const NONE: ReadonlySet<number> = new Set();

export interface PresenceOptions {
  readonly store: Pick<Store, 'rolledOverMs' | 'presentIds'>;
  readonly clock: Clock;
  /** How far the clocks of edge and store may be apart. */
  readonly clockSkewMs: number;
  /** Asks for every document: for a replay, of which much may be there. */
  readonly askForAll: boolean;
}

interface Look {
  readonly atMs: number;
  /** What was received before is to be asked for. */
  readonly beforeMs: Promise<number>;
}

interface Question {
  readonly numbers: number[];
  readonly ids: string[];
  sinceMs: number;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #looks = new Map<string, Look>();
  #assignment = -1;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Numbers of the items that are in the store already; those that a bulk request sees may be missing. Rejects with store_* errors. */
  async find(parcel: Parcel, signal: AbortSignal): Promise<ReadonlySet<number>> {
    const assignment = parcel.runs.at(-1)?.record.assignment.number ?? -1;
    if (parcel.unanswered || assignment !== this.#assignment) this.#looks.clear();
    this.#assignment = assignment;
    const beforeMs = await this.#beforeMsOf(parcel);
    const questions = this.#questions(parcel, beforeMs);
    if (questions.size === 0) return NONE;
    const found = new Set<number>();
    for (const [index, { numbers, ids, sinceMs }] of questions) {
      const present = await this.#options.store.presentIds(index, ids, { sinceMs, signal });
      for (const [i, id] of ids.entries()) if (present.has(id)) found.add(numbers[i] ?? -1);
    }
    return found;
  }

  async #beforeMsOf({ request }: Parcel): Promise<Map<string, number>> {
    const beforeMs = new Map<string, number>();
    let last = '';
    for (const { index } of request.items) {
      if (index === last) continue;
      last = index;
      if (!beforeMs.has(index)) beforeMs.set(index, await this.#look(index));
    }
    return beforeMs;
  }

  #questions(parcel: Parcel, beforeMs: ReadonlyMap<string, number>): Map<string, Question> {
    const questions = new Map<string, Question>();
    const latest = Math.max(...beforeMs.values());
    let number = 0;
    for (const { batch, count } of parcel.runs) {
      const { receivedMs } = batch;
      const next = number + count;
      if (receivedMs >= latest) number = next;
      for (; number < next; number++) {
        const item = parcel.request.items[number];
        if (!item || receivedMs >= (beforeMs.get(item.index) ?? 0)) continue;
        let question = questions.get(item.index);
        if (!question) questions.set(item.index, (question = { numbers: [], ids: [], sinceMs: Infinity }));
        question.numbers.push(number);
        question.ids.push(item.id);
        question.sinceMs = Math.min(question.sinceMs, receivedMs - this.#options.clockSkewMs);
      }
    }
    return questions;
  }

  #look(index: string): Promise<number> {
    const { clock, store, askForAll, clockSkewMs } = this.#options;
    const nowMs = clock.monotonicMs();
    const known = this.#looks.get(index);
    if (known && nowMs - known.atMs < LOOK_INTERVAL_MS) return known.beforeMs;
    const beforeMs = store.rolledOverMs(index).then((ms) => {
      if (ms === null) return -Infinity;
      return askForAll ? Infinity : ms + clockSkewMs;
    });
    const look = { atMs: nowMs, beforeMs };
    this.#looks.set(index, look);
    // A look that failed is no look.
    beforeMs.catch(() => this.#looks.get(index) === look && this.#looks.delete(index));
    return beforeMs;
  }
}
