// Brings parcels to the store: several requests in flight, each outcome settled as soon as it is known. Only what failed is sent again, under
// the same ids; what waits for another try holds no slot, so that one slow or refused index never delays the others.
//
//   submit ─► slot ─► there already? ─► store ─┬─ indexed, deduplicated ─► ledger
//               ▲                              ├─ retry ─► backoff ─────────────────────────────┐
//               │                              ├─ blocked, operator ─► the lane of its index ───┤
//               ├──────────────────────────────┼────────────────────────────────────────────────┘
//               └─ the store's own lane ◄──────┼─ the whole request is refused by the operator's fault: nothing else is sent
//                                              └─ refused, and again after a probe was taken ─► as text, then to the dead letters
//
// Guarantees: an event leaves the writer by the ledger only. After a timeout the same ids are sent again, never others. What is stopped
// by `stop` is abandoned: its offset stays, and it is read again.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Store } from '#shared/store/store.ts';
import type { Assignment } from '../in-hand.ts';
import type { EndingReason, Ledger } from '../ledger.ts';
import type { IndexerTelemetry } from '../telemetry.ts';
import { type BackoffLimits, backoffMs } from '#shared/backoff.ts';
import type { ConcurrencyLimit } from './concurrency.ts';
import { BulkAnswer } from './answer.ts';
import { HeldParcels } from './held-parcels.ts';
import { Lanes, type TryOutcome } from './lanes.ts';
import { LookBack } from './look-back.ts';
import { type RefusedItem, UNKNOWN_REFUSAL, refusedItem, requestVerdict, saidOf } from './outcomes.ts';
import { type Parcel, type Run, eventsOf, halves, mergedWithin, portion } from './parcel.ts';
import { Probe, type ProbeVerdict } from './probe.ts';
import { RequestSender } from './request-sender.ts';
import { SecondLook } from './second-look.ts';

/** What to do with documents that the store will never take as they are. */
export interface Refusals {
  /** The refused items again, their events kept as text under the same ids. What can't be read again is left out. */
  asText(parcel: Parcel): Promise<Parcel>;
  /** Resolves when the events lie with the dead letters; rejects only when `signal` is aborted. */
  bury(parcel: Parcel, items: readonly RefusedItem[], signal: AbortSignal): Promise<void>;
}

export interface BulkWriterOptions {
  readonly store: Pick<Store, 'bulk' | 'backingIndices' | 'idsIn' | 'remove' | 'probe'>;
  readonly refusals: Refusals;
  readonly ledger: Ledger;
  readonly limit: ConcurrencyLimit;
  readonly telemetry: IndexerTelemetry;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeoutMs: number;
  /** Size at which a body is sent; lowered here when the store finds it too large. */
  readonly bodyBytesMax: number;
  /** The most bytes of documents that may wait for another try before nothing more is taken. */
  readonly waitingBytesMax: number;
  /** See look-back.ts. */
  readonly clockSkewMs: number;
  readonly askForAll: boolean;
}

const PASSING: BackoffLimits = { baseMs: 100, capMs: 5000 };
const BODY_BYTES_MIN = 64 * 1024;
/** The lane of the whole store; no index has this name. */
const STORE = '';

export class BulkWriter {
  /** Size at which a body should be sent now. */
  bodyBytesMax: number;
  readonly #options: BulkWriterOptions;
  readonly #sender: RequestSender;
  readonly #secondLook: SecondLook;
  readonly #probe: Probe;
  readonly #held: HeldParcels;
  readonly #lanes: Lanes;
  /** What the last request met that brought no answer. */
  #failure: string | null = null;
  /** Items that wait for another try of their own. */
  #retrying = 0;
  readonly #stop = new AbortController();

  constructor(options: BulkWriterOptions) {
    const { clock, random, limit, ledger } = options;
    this.#options = options;
    this.bodyBytesMax = options.bodyBytesMax;
    const { signal } = this.#stop;
    const lookBack = new LookBack(options);
    this.#secondLook = new SecondLook({ ...options, lookBack, signal });
    this.#sender = new RequestSender({ ...options, lookBack, secondLook: this.#secondLook });
    this.#probe = new Probe({ ...options, signal });
    this.#held = new HeldParcels({ slots: () => limit.limit, asideBytesMax: options.waitingBytesMax });
    this.#lanes = new Lanes({
      clock,
      random,
      signal,
      attempt: (parcel, key) => this.#try(parcel, key),
      open: (parcels, key) => this.#open(parcels, key),
    });
    ledger.place(() => this.#held.events);
  }

  /** Why the store does not take all that it is sent; null while it does. */
  get trouble(): string | null {
    return this.#lanes.says(STORE) ?? this.#failure ?? this.#lanes.anySays;
  }

  /** Why what is written is not committed; null where nothing is in its way. */
  get commitTrouble(): string | null {
    return this.#secondLook.trouble;
  }

  /** Items that wait, by what they wait for: another try, their index, or the store. */
  get waiting(): { readonly retry: number; readonly index: number; readonly store: number } {
    const waiting = { retry: this.#retrying, index: 0, store: 0 };
    for (const [key, parcels] of this.#lanes.waiting()) {
      for (const { request } of parcels) waiting[key === STORE ? 'store' : 'index'] += request.items.length;
    }
    return waiting;
  }

  /** Takes a parcel over. Resolves when there is room for another one. */
  submit(parcel: Parcel): Promise<void> {
    this.#held.hold(parcel);
    void this.#deliver(parcel);
    return this.#held.room();
  }

  /** Resolves when every event that was submitted has its outcome. */
  idle(): Promise<void> {
    return this.#held.idle();
  }

  /** An assignment was lost: what waits is looked through. What is on its way is looked at when it is back. */
  lost(): void {
    this.#lanes.sift((parcel) => {
      const kept = this.#withoutLost(parcel);
      if (kept) this.#held.setAside(kept);
      return kept;
    });
  }

  /** Looks for what another, who had the partitions before, may have written beside us (second-look.ts). */
  async lookAgain(assignment: Assignment): Promise<void> {
    await this.#sender.settled();
    await this.#secondLook.done(assignment);
  }

  /** Gives up what is not done, at once. `idle` resolves soon after. */
  stop(): void {
    this.#stop.abort();
    this.#sender.abort();
    for (const parcel of this.#lanes.takeAll()) this.#abandon(parcel);
    this.#held.close();
  }

  /**
   * Sends a parcel until each of its items is settled, refused, or in line. `key`: the lane that this is a try of.
   * Resolves to what the try found.
   */
  async #deliver(submitted: Parcel, key: string | null = null): Promise<TryOutcome> {
    const { limit, telemetry, random } = this.#options;
    let parcel: Parcel | null = submitted;
    for (let attempt = 0; parcel !== null; attempt++) {
      await limit.acquire();
      // It may have waited for long, and is for nobody if its assignment was lost meanwhile.
      parcel = this.#withoutLost(parcel);
      if (parcel === null) {
        limit.release(null);
        break;
      }
      const storeSays = key === STORE ? null : this.#lanes.says(STORE);
      if (storeSays !== null || this.#stop.signal.aborted) {
        limit.release(null);
        this.#wait(STORE, parcel, storeSays ?? '');
        return 'open';
      }
      const answer = await this.#sender.send(parcel);
      if (answer instanceof BulkAnswer) {
        const { again, waiting } = this.#settle(parcel, answer);
        if (key !== null) {
          // A try ends with its answer, whatever is left to be done for its items.
          if (again !== null) void this.#deliverLater(again);
          if (!waiting.has(key)) return 'open';
          return answer.settled > 0 ? 'taken' : 'refused';
        }
        if (answer.settled > 0) attempt = Math.max(0, attempt - 1);
        parcel = again;
      } else {
        const verdict = requestVerdict(answer);
        const isStopped = this.#stop.signal.aborted;
        if (!isStopped) telemetry.bulkFailed(answer, verdict, attempt);
        if (verdict === 'operator' && !isStopped) {
          this.#wait(STORE, parcel, reasonOf(answer));
          return key === STORE ? 'refused' : 'open';
        }
        const blame = verdict === 'bisect' && !isStopped ? await this.#blameFor(parcel) : null;
        if (blame?.kind === 'index refuses') {
          const rest = this.#holdFirstIndex(parcel, blame.says);
          if (key !== null) {
            if (rest !== null) void this.#deliverLater(rest);
            return key === STORE ? 'open' : 'refused';
          }
          parcel = rest;
          continue;
        }
        if (blame?.kind === 'store refuses') {
          telemetry.requestsHeld(blame.says);
          this.#wait(STORE, parcel, blame.says);
          return key === STORE ? 'refused' : 'open';
        }
        if (verdict === 'halve' || blame?.kind === 'taken') {
          await this.#split(parcel, verdict === 'halve' ? 'halve' : 'bisect', answer);
          return 'open';
        }
        this.#failure = reasonOf(answer);
        parcel = this.#withOwnBytes(parcel);
      }
      if (parcel !== null) parcel = await this.#park(parcel, backoffMs(attempt, PASSING, random));
    }
    return 'open';
  }

  async #deliverLater(parcel: Parcel): Promise<void> {
    const rest = await this.#park(parcel, backoffMs(0, PASSING, this.#options.random));
    if (rest !== null) await this.#deliver(rest);
  }

  /** Its index, or its store, may have been mended between the refusal and the probe: only another refusal tells. */
  #deliverSuspect(parcel: Parcel): Promise<void> {
    return this.#deliverLater(this.#replace(parcel, { ...parcel, suspect: true }));
  }

  /** A request without an answer may still be read by somebody: its buffer is not to be used again. */
  #withOwnBytes(parcel: Parcel): Parcel {
    const { request, runs, asText, suspect = false } = parcel;
    return this.#replace(parcel, { request, runs, asText, suspect, unanswered: true });
  }

  #replace(parcel: Parcel, by: Parcel): Parcel {
    this.#held.hold(by);
    this.#held.release(parcel);
    return by;
  }

  /** Waits before another try. What was lost or stopped meanwhile is abandoned. */
  async #park(parcel: Parcel, ms: number): Promise<Parcel | null> {
    if (this.#stop.signal.aborted) return this.#abandon(parcel);
    const { length } = parcel.request.items;
    this.#retrying += length;
    this.#held.setAside(parcel);
    // Rejects when it is stopped, which is looked at below.
    await this.#options.clock.sleep(ms, this.#stop.signal).catch(() => undefined);
    this.#retrying -= length;
    this.#held.takeUp(parcel);
    return this.#stop.signal.aborted ? this.#abandon(parcel) : this.#withoutLost(parcel);
  }

  #wait(key: string, parcel: Parcel, says: string): void {
    if (this.#stop.signal.aborted) {
      this.#abandon(parcel);
      return;
    }
    // What waits for its index or its store, is not to blame for what comes next.
    const innocent = parcel.suspect ? this.#replace(parcel, { ...parcel, suspect: false }) : parcel;
    this.#held.setAside(innocent);
    this.#lanes.wait(key, innocent, says);
  }

  /** A probe found that the index of the first item takes nothing: what is for it waits, the rest of the request is given back. */
  #holdFirstIndex(parcel: Parcel, says: string): Parcel | null {
    const [[index, numbers] = ['', []], ...others] = byIndex(parcel, [...parcel.request.items.keys()]);
    const held = this.#part(parcel, numbers);
    const rest = others.flatMap(([, ofIndex]) => ofIndex).sort((a, b) => a - b);
    const left = rest.length > 0 ? this.#part(parcel, rest) : null;
    this.#held.release(parcel);
    if (this.#lanes.says(index) === null) this.#options.telemetry.indexHeld(index, says);
    this.#wait(index, held, says);
    return left;
  }

  /** Sends the first in the line of a lane. */
  async #try(waiting: Parcel, key: string): Promise<TryOutcome> {
    if (this.#probe.isRefused(key)) {
      const { kind, says } = await this.#probe.ask(key);
      if (kind !== 'taken') {
        this.#wait(key, waiting, kind === 'index refuses' ? says : (this.#lanes.says(key) ?? says));
        return 'refused';
      }
    }
    this.#held.takeUp(waiting);
    const outcome = await this.#deliver(waiting, key);
    const says = this.#lanes.says(key);
    if (outcome !== 'open' && key !== STORE && says !== null) this.#options.telemetry.indexHeld(key, says);
    return outcome;
  }

  #open(parcels: readonly Parcel[], key: string): void {
    if (key !== STORE) this.#options.telemetry.indexOpened(key);
    for (const { parcel, of } of mergedWithin(parcels, this.bodyBytesMax)) {
      this.#held.hold(parcel);
      for (const part of of) if (part !== parcel) this.#held.release(part);
      this.#held.takeUp(parcel);
      void this.#deliver(parcel);
    }
  }

  /** Tells the ledger what is done, sends what is refused its way, puts in line what waits for its index, and gives back what goes again. */
  #settle(parcel: Parcel, answer: BulkAnswer): { again: Parcel | null; waiting: ReadonlySet<string> } {
    const { ledger, telemetry } = this.#options;
    const again = answer.again.length > 0 ? this.#part(parcel, answer.again) : null;
    const waiting = byIndex(parcel, answer.held);
    const partOf = ([index, numbers]: [string, number[]]) => ({ index, part: this.#part(parcel, numbers), numbers });
    const lines = Array.from(waiting, partOf);
    const refused = Array.from(byIndex(parcel, answer.refused), partOf);
    this.#held.release(parcel);
    parcel.release?.();
    this.#failure = null;
    answer.settle(parcel, ledger, (run, events) => telemetry.indexed(run.batch, events, run.record.fetched));
    for (const { index, part, numbers } of lines) {
      const says = saidOf(answer.outcomes[numbers[0] ?? 0]);
      if (this.#lanes.says(index) === null) telemetry.indexHeld(index, says);
      this.#wait(index, part, says);
    }
    for (const { index, part, numbers } of refused) void this.#judge(index, part, numbers, answer);
    return { again, waiting: new Set(waiting.keys()) };
  }

  /** Items of an index were refused: who is to blame for it? Where the index took another one in the same answer, they are. */
  async #judge(index: string, parcel: Parcel, numbers: readonly number[], answer: BulkAnswer): Promise<void> {
    const items = numbers.map((number) => refusedItem(answer.outcomes[number]));
    if (answer.hasTaken(numbers)) return this.#refuse(parcel, items);
    const { kind, says } = await this.#blameFor(parcel, index);
    if (kind === 'taken') return parcel.suspect ? this.#refuse(parcel, items) : this.#deliverSuspect(parcel);
    if (this.#stop.signal.aborted) return void this.#abandon(parcel);
    if (kind === 'unknown') return this.#deliverLater(parcel);
    const key = kind === 'index refuses' ? index : STORE;
    if (key === STORE) this.#options.telemetry.requestsHeld(says);
    else if (this.#lanes.says(index) === null) this.#options.telemetry.indexHeld(index, says);
    this.#wait(key, parcel, says);
  }

  /** What a probe meets that begins now. The parcel waits aside. */
  async #blameFor(parcel: Parcel, index = parcel.request.items[0]?.index ?? ''): Promise<ProbeVerdict> {
    this.#held.setAside(parcel);
    const verdict = await this.#probe.ask(index);
    this.#held.takeUp(parcel);
    return verdict;
  }

  /** A whole request that is too large, or of which something unknown is wrong: in parts, down to the one item. */
  async #split(parcel: Parcel, verdict: 'halve' | 'bisect', error: Error): Promise<void> {
    const { length } = parcel.request.body;
    if (parcel.request.items.length === 1) {
      if (verdict === 'bisect' && !parcel.suspect) return void this.#deliverSuspect(parcel);
      const reason = verdict === 'halve' ? 'document_too_large' : 'document_refused';
      return this.#refuse(parcel, [{ reason, error: reasonOf(error) }]);
    }
    if (verdict === 'halve') this.bodyBytesMax = Math.max(BODY_BYTES_MIN, Math.min(this.bodyBytesMax, length >> 1));
    const parts = halves(parcel);
    for (const part of parts) this.#held.hold(part);
    this.#held.release(parcel);
    for (const part of parts) void this.#deliver(part);
  }

  /** All items of the parcel were refused: once as text, then to the dead letters. */
  async #refuse(parcel: Parcel, items: readonly RefusedItem[]): Promise<void> {
    const isLast = (item: RefusedItem): boolean => parcel.asText || item.reason === 'document_too_large';
    const numbers = Map.groupBy(items.keys(), (number) => isLast(items[number] ?? UNKNOWN_REFUSAL));
    const last = numbers.get(true) ?? [];
    const first = numbers.get(false) ?? [];
    const parts = [last, first].map((chosen) => (chosen.length > 0 ? this.#part(parcel, chosen) : null));
    this.#held.release(parcel);
    const [toBury, toRewrite] = parts;
    const itemsOf = (chosen: readonly number[]) => chosen.map((number) => items[number] ?? UNKNOWN_REFUSAL);
    if (toBury) void this.#bury(toBury, itemsOf(last));
    if (toRewrite) await this.#rewrite(toRewrite, itemsOf(first));
  }

  async #rewrite(parcel: Parcel, items: readonly RefusedItem[]): Promise<void> {
    const again = await this.#options.refusals.asText(parcel);
    // Here, and in `bury`, the events are read from the queue's record again: what is not there can't be written.
    if (eventsOf(again.runs) !== eventsOf(parcel.runs)) return this.#bury(parcel, items);
    this.#options.telemetry.rewritten(items.length, items[0]?.error ?? '');
    await this.#deliver(this.#replace(parcel, again));
  }

  async #bury(parcel: Parcel, items: readonly RefusedItem[]): Promise<void> {
    // Dead letters that cannot be held now must not take the place of documents that can.
    this.#held.setAside(parcel);
    try {
      await this.#options.refusals.bury(parcel, items, this.#stop.signal);
    } catch {
      this.#abandon(parcel);
      return;
    }
    this.#held.release(parcel);
    let item = 0;
    for (const run of parcel.runs) {
      for (let i = 0; i < run.count; i++) {
        const { reason } = items[item++] ?? UNKNOWN_REFUSAL;
        if (run.parts) for (const part of run.parts) this.#options.ledger.settleEvent(part, 'dead_lettered', reason);
        else this.#options.ledger.settle(run.record, 1, 'dead_lettered', reason);
      }
    }
  }

  /** Leaves out what was fetched under an assignment that is lost. */
  #withoutLost(parcel: Parcel): Parcel | null {
    if (!parcel.runs.some((run) => run.record.assignment.void)) return parcel;
    const kept: number[] = [];
    let item = 0;
    for (const run of parcel.runs) {
      for (let i = 0; i < run.count; i++, item++) if (!run.record.assignment.void) kept.push(item);
    }
    const rest = kept.length > 0 ? this.#part(parcel, kept) : null;
    this.#held.release(parcel);
    for (const run of parcel.runs) if (run.record.assignment.void) this.#end(run, 'assignment_lost');
    return rest;
  }

  #abandon(parcel: Parcel): null {
    this.#held.release(parcel);
    for (const run of parcel.runs) this.#end(run, 'shutdown');
    return null;
  }

  #end(run: Run, reason: EndingReason): void {
    const { ledger } = this.#options;
    if (run.parts) for (const part of run.parts) ledger.settleEvent(part, 'abandoned', reason);
    else ledger.settle(run.record, run.count, 'abandoned', reason);
  }

  /** A portion of the parcel, held beside it. */
  #part(parcel: Parcel, chosen: readonly number[]): Parcel {
    const part = portion(parcel, chosen);
    this.#held.hold(part);
    return part;
  }
}

/** Numbers of the items of each index, of those that are named. */
function byIndex({ request }: Parcel, numbers: readonly number[]): Map<string, number[]> {
  return Map.groupBy(numbers, (number) => request.items[number]?.index ?? '');
}
