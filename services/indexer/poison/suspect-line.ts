// Where records wait that may have ended the indexers before us: each is tried out, one after another, and goes on with what was found.
// Those behind them in the same partition wait with them, for order; other partitions do not.
//
// Guarantees: records of a partition leave in the order in which they came; none of a lost assignment goes on.

import type { Assignment, RecordInHand } from '../in-hand.ts';
import type { Unreadable } from '../unpack.ts';
import type { RecordOpener, Verdict } from './opener.ts';

export interface SuspectLineOptions {
  readonly opener: RecordOpener;
  readonly telemetry: { recordPoisonous(record: { partition: number; offset: number }, verdict: Poison): void };
}

type Poison = Extract<Verdict, { kind: 'poison' }>;

/** Whom the line gives records to. */
export interface Beyond {
  /** The record may be opened, or is known to be none that can be: `poison`. */
  passOn(record: RecordInHand, poison: Unreadable | null): void;
  /** Nothing of the partition waits here any more. */
  free(partition: number): void;
}

export class SuspectLine {
  readonly #options: SuspectLineOptions;
  readonly #beyond: Beyond;
  #records: RecordInHand[] = [];
  /** By partition: how many of them wait. */
  readonly #waiting = new Map<number, number>();
  #trying: { readonly record: RecordInHand; readonly abort: AbortController } | null = null;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: SuspectLineOptions, beyond: Beyond) {
    this.#options = options;
    this.#beyond = beyond;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  holds(partition: number): boolean {
    return this.#waiting.has(partition);
  }

  /** Whether the record has to wait here. */
  isFor({ assignment, fetched }: RecordInHand): boolean {
    return assignment.suspicion.isSuspect(fetched) || this.holds(fetched.partition);
  }

  add(record: RecordInHand): void {
    this.#records.push(record);
    this.#count(record, 1);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** What was fetched under the assignment goes no further. */
  lost(assignment: Assignment): void {
    if (this.#trying?.record.assignment === assignment) this.#trying.abort.abort();
    const isLost = (record: RecordInHand): boolean => record.assignment === assignment;
    this.#giveUp(isLost);
  }

  /** Gives up what waits. */
  async stop(): Promise<void> {
    this.#trying?.abort.abort();
    this.#giveUp(() => true);
    await this.#running;
    await this.#options.opener[Symbol.asyncDispose]();
  }

  #giveUp(isGone: (record: RecordInHand) => boolean): void {
    const gone = this.#records.filter(isGone);
    this.#records = this.#records.filter((record) => !isGone(record));
    for (const record of gone) {
      this.#count(record, -1);
      record.giveUp();
    }
  }

  async #run(): Promise<void> {
    for (let record = this.#records[0]; record; record = this.#records[0]) {
      const poison = await this.#try(record);
      // It was given up meanwhile.
      if (record !== this.#records[0]) continue;
      this.#records.shift();
      this.#count(record, -1);
      this.#beyond.passOn(record, poison);
      if (!this.holds(record.fetched.partition)) this.#beyond.free(record.fetched.partition);
    }
    // In the same turn as the look at what waits: whoever comes next must start anew.
    this.#isRunning = false;
  }

  #count({ fetched: { partition } }: RecordInHand, more: 1 | -1): void {
    const waiting = (this.#waiting.get(partition) ?? 0) + more;
    if (waiting > 0) this.#waiting.set(partition, waiting);
    else this.#waiting.delete(partition);
  }

  async #try(record: RecordInHand): Promise<Unreadable | null> {
    const { assignment, fetched } = record;
    if (!assignment.suspicion.isSuspect(fetched)) return null;
    const abort = new AbortController();
    this.#trying = { record, abort };
    try {
      const verdict = await this.#options.opener.open(fetched, abort.signal);
      if (verdict.kind === 'well' || abort.signal.aborted) return null;
      this.#options.telemetry.recordPoisonous(fetched, verdict);
      return {
        kind: 'unreadable',
        reason: 'record_poisonous',
        error: `Cannot open the record: indexers did not get past it, and in a child process ${verdict.what}`,
        events: verdict.events,
      };
    } catch (error) {
      if (abort.signal.aborted) return null;
      throw error;
    } finally {
      this.#trying = null;
    }
  }
}
