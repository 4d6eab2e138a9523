// What can go wrong, each with its own probability, drawn for each seed: in one run nothing of a kind happens, in
// another it happens all the time. Counted as it strikes; all of it ends when `end` is called, so that what is left can
// drain.

import type { Random } from './machine/random.ts';
import type { Trace } from './trace.ts';

/** At most so often, where it is asked for: at each request, each write, or each second of a process (`…/s`). */
const KINDS = {
  // Between senders and forwarders.
  connection_cut: 0.05,
  connection_delayed: 0.1,
  partial_write: 0.5,
  ack_lost: 0.25,
  answer_lost: 0.1,
  // Appends to Kafka.
  produce_delayed: 0.2,
  produce_failed: 0.2,
  produce_refused: 0.03,
  produce_timeout_after: 0.2,
  produce_late: 0.1,
  produce_partial: 0.1,
  kafka_down: 0.06,
  // The disks of the spools.
  disk_failed: 0.1,
  disk_full: 0.03,
  // The group, its commits and its fetches.
  rebalance: 0.1,
  consumer_crash: 0.03,
  commit_failed: 0.3,
  commit_answer_lost: 0.15,
  commit_delayed: 0.2,
  fetch_failed: 0.05,
  stale_batch: 0.5,
  // The store, by request.
  store_refused_connection: 0.15,
  store_reset_after: 0.15,
  store_reset_before: 0.1,
  store_timeout_written: 0.1,
  store_timeout_unwritten: 0.1,
  store_timeout_late: 0.1,
  store_timeout_too_late: 0.02,
  store_slow: 0.3,
  store_429: 0.15,
  store_500: 0.15,
  store_413: 0.1,
  store_400: 0.05,
  store_answer_cut: 0.05,
  // The store, by item.
  item_429: 0.3,
  item_503: 0.1,
  // For a while.
  store_down: 0.04,
  store_unauthorized: 0.02,
  index_blocked: 0.06,
  pipeline_missing: 0.1,
  rollover: 0.4,
  // Processes.
  forwarder_killed: 0.04,
  forwarder_stopped: 0.03,
  indexer_killed: 0.05,
  indexer_stopped: 0.04,
  // At a request that is done late: its sender stops, another takes over, and the data stream rolls over before it is
  // done.
  stopped_midway: 0.9,
  process_stalled: 0.05,
  clock_jumped: 0.1,
  indexer_added: 0.05,
  drain_job: 0.05,
  // The brokers remove what may be unread.
  retention: 0.06,
  // A record that was fetched says an offset far behind its own.
  offset_forged: 0.02,
} as const satisfies Record<string, number>;

export type FaultName = keyof typeof KINDS;

const faultNames: readonly FaultName[] = Object.keys(KINDS).filter((name): name is FaultName => name in KINDS);

/** Of the seeds, how many have a kind at all. */
const SHARE = 0.5;

export class Faults {
  readonly counts = new Map<FaultName, number>();
  readonly #probabilities = new Map<FaultName, number>();
  readonly #random: Random;
  readonly #trace: Trace;
  #isOver = false;

  constructor(random: Random, trace: Trace) {
    this.#random = random;
    this.#trace = trace;
    for (const name of faultNames) {
      if (random.chance(SHARE)) this.#probabilities.set(name, KINDS[name] * random.next());
    }
  }

  /** Whether it strikes here and now. */
  strikes(name: FaultName, who: string): boolean {
    const probability = this.#isOver ? 0 : (this.#probabilities.get(name) ?? 0);
    if (probability === 0 || !this.#random.chance(probability)) return false;
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    this.#trace.note(who, `FAULT ${name}`);
    return true;
  }

  /** Whether there is such a thing in this run. */
  has(name: FaultName): boolean {
    return this.#probabilities.has(name);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  end(): void {
    this.#isOver = true;
  }
}
