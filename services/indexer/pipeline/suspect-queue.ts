// Where records wait that may have ended the indexers before us: each is tried out, one after another, and goes on with
// what was found. Those behind them in the same partition wait with them, for order; other partitions do not.
//
//   budget     ├── tried ──┤ waits │ waits │ no room: not taken; its partition is read again when nothing waits here
//
// Guarantees: records of a partition leave in the order in which they came; none of a lost assignment goes on. What
// waits stays within a budget of its own, but for one record. A try goes on when its assignment is lost, unless its
// partition goes elsewhere or another record is tried: one that takes minutes is done although the group is assigned
// anew more often.

import type { ByteBudget } from '#shared/byte-budget.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { Assignment, RecordInHand } from '../commit/in-hand.ts';
import type { Unreadable } from '../unpack/unpack.ts';
import type { RecordOpener, OpeningResult } from '../poison/opener.ts';

export interface SuspectQueueOptions {
  readonly opener: RecordOpener;
  /** Of what waits here. */
  readonly suspectBudget: ByteBudget;
  readonly telemetry: { recordPoisonous(record: { partition: number; offset: number }, result: Poison): void };
}

type Poison = Extract<OpeningResult, { kind: 'poison' }>;

/** Where records go that have waited. */
export interface Downstream {
  /**
   * The record may be opened, or is known to be none that can be: `poison`. Its bytes are counted elsewhere from here
   * on.
   */
  forward(record: RecordInHand, poison: Unreadable | null): void;
  /** Nothing waits here any more of one partition at least. */
  unblocked(): void;
}

/** What is being found of a record, or was found last. */
interface Try {
  readonly fetched: FetchedRecord;
  readonly abort: AbortController;
  /** Null where it was aborted. */
  readonly result: Promise<OpeningResult | null>;
}

export class SuspectQueue {
  readonly #options: SuspectQueueOptions;
  readonly #downstream: Downstream;
  #records: RecordInHand[] = [];
  /** By partition: how many of them wait. */
  readonly #waiting = new Map<number, number>();
  /** Partitions of which records found no room. */
  readonly #refused = new Set<number>();
  #try: Try | null = null;
  /** The record that is waited for was given up. */
  #interrupted: PromiseWithResolvers<null> = Promise.withResolvers();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: SuspectQueueOptions, downstream: Downstream) {
    this.#options = options;
    this.#downstream = downstream;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  /** Whether records of the partition wait here, or for room here. */
  isWaitedFor(partition: number): boolean {
    return this.#waiting.has(partition) || this.#refused.has(partition);
  }

  /** Whether a record has to wait here. */
  isFor(assignment: Assignment, fetched: FetchedRecord): boolean {
    return assignment.suspicion.isSuspect(fetched) || this.#waiting.has(fetched.partition);
  }

  /**
   * Where it has none, the partition waits until nothing waits here, and so do all who come after it: nobody is passed
   * by for ever.
   */
  hasRoomFor({ partition }: FetchedRecord, bytes: number): boolean {
    const { bytesHeld, bytesMax } = this.#options.suspectBudget;
    if (this.isEmpty || (this.#refused.size === 0 && bytesHeld + bytes <= bytesMax)) return true;
    this.#refused.add(partition);
    return false;
  }

  add(record: RecordInHand): void {
    this.#records.push(record);
    this.#count(record, 1);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** An assignment begins: what is not suspect under it, or not of it, need not be known any more. */
  assigned({ suspicion }: Assignment): void {
    if (this.#try && this.#try.fetched !== this.#records[0]?.fetched && !suspicion.isSuspect(this.#try.fetched))
      this.#try.abort.abort();
  }

  /** What was fetched under the assignment goes no further. */
  lost(assignment: Assignment): void {
    for (const partition of assignment.partitions.keys()) this.#refused.delete(partition);
    this.#giveUp((record) => record.assignment === assignment);
    // Partitions of other assignments may have waited for room that only records of this one took.
    if (!this.isEmpty || this.#refused.size === 0) return;
    this.#refused.clear();
    this.#downstream.unblocked();
  }

  /** Gives up what waits. */
  async stop(): Promise<void> {
    this.#try?.abort.abort();
    this.#giveUp(() => true);
    await this.#running;
    await this.#try?.result.catch(() => undefined);
    await this.#options.opener[Symbol.asyncDispose]();
  }

  #giveUp(isGone: (record: RecordInHand) => boolean): void {
    const [first] = this.#records;
    const gone = this.#records.filter(isGone);
    this.#records = this.#records.filter((record) => !isGone(record));
    for (const record of gone) {
      this.#count(record, -1);
      record.giveUp();
    }
    if (first === this.#records[0]) return;
    this.#interrupted.resolve(null);
    this.#interrupted = Promise.withResolvers();
  }

  async #run(): Promise<void> {
    for (let record = this.#records[0]; record; record = this.#records[0]) {
      const poison = await this.#poisonOf(record);
      // It was given up meanwhile.
      if (record !== this.#records[0]) continue;
      this.#records.shift();
      this.#count(record, -1);
      this.#downstream.forward(record, poison);
      if (this.isEmpty) this.#refused.clear();
      if (!this.isWaitedFor(record.fetched.partition)) this.#downstream.unblocked();
    }
    // In the same turn as the check of what waits: whoever comes next must start anew.
    this.#isRunning = false;
  }

  #count({ fetched: { partition } }: RecordInHand, more: 1 | -1): void {
    const waiting = (this.#waiting.get(partition) ?? 0) + more;
    if (waiting > 0) this.#waiting.set(partition, waiting);
    else this.#waiting.delete(partition);
  }

  /** Null where there is none, and where the record was given up. */
  async #poisonOf({ assignment, fetched }: RecordInHand): Promise<Unreadable | null> {
    if (!assignment.suspicion.isSuspect(fetched)) return null;
    const result = await Promise.race([this.#resultOf(assignment, fetched), this.#interrupted.promise]);
    if (result === null) return null;
    this.#try = null;
    if (result.kind === 'well') return null;
    this.#options.telemetry.recordPoisonous(fetched, result);
    return {
      kind: 'unreadable',
      reason: 'record_poisonous',
      error: `Cannot open the record: indexers did not get past it, and in a child process ${result.what}`,
      events: result.events,
    };
  }

  /** Of the try that was started, if it is of this record; else of another one, when that is over. */
  async #resultOf({ suspicion }: Assignment, fetched: FetchedRecord): Promise<OpeningResult | null> {
    const started = this.#try;
    if (started && !started.abort.signal.aborted && isSame(started.fetched, fetched)) return started.result;
    started?.abort.abort();
    // One call at a time.
    await started?.result.catch(() => undefined);
    if (this.#records[0]?.fetched !== fetched) return null;
    const abort = new AbortController();
    const hasFailed = suspicion.hasFailed(fetched.partition);
    const result = this.#options.opener.open(fetched, abort.signal, hasFailed).catch((error: unknown) => {
      if (abort.signal.aborted) return null;
      throw error;
    });
    // Nobody may wait for it any more.
    result.catch(() => undefined);
    this.#try = { fetched, abort, result };
    return result;
  }
}

/** Whether it is a record that was fetched once more. An offset alone may be of another log. */
function isSame(one: FetchedRecord, other: FetchedRecord): boolean {
  return (
    one.partition === other.partition &&
    one.offset === other.offset &&
    one.timestampMs === other.timestampMs &&
    Buffer.compare(one.value, other.value) === 0
  );
}
