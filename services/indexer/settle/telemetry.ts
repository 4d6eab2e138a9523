// What the indexer says of itself: named events, each with its counters and its log line, in three groups by who
// reports them. Only these files know metrics and log. This one has the start, the stop and what is asked for at each
// scrape.

import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { HOLD_REASONS, type HoldReason } from '../commit/in-hand.ts';
import { BulkTelemetry } from './bulk-telemetry.ts';
import { ContentTelemetry } from './content-telemetry.ts';
import type { Ledger } from './ledger.ts';
import { LedgerTelemetry } from './ledger-telemetry.ts';
import { ReadingTelemetry } from './reading-telemetry.ts';
import type { TopicSlots } from './topic-slots.ts';

export interface PartitionAge {
  readonly partition: number;
  /** As far as it is known here: of records that nobody fetched it is the least it can be. */
  readonly oldestUncommittedSeconds: number;
  readonly lagRecords: number;
  /** Why it waits for an operator. */
  readonly held: HoldReason | null;
  /** Some of its records may have ended an indexer. */
  readonly isSuspect: boolean;
}

/** What is asked for at each scrape. */
export interface IndexerView {
  readonly ledger: Ledger;
  readonly writer: { readonly waiting: { readonly retry: number; readonly index: number; readonly store: number } };
  readonly limit: { readonly inUse: number; readonly limit: number };
  readonly partitions: () => Iterable<PartitionAge>;
}

export interface TelemetryOptions {
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly slots: TopicSlots;
}

export class IndexerTelemetry {
  readonly ledger: LedgerTelemetry;
  readonly bulk: BulkTelemetry;
  readonly reading: ReadingTelemetry;
  readonly contents: ContentTelemetry;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  readonly #slots: TopicSlots;

  constructor({ metrics, log, clock, slots }: TelemetryOptions) {
    this.#log = log;
    this.#metrics = metrics;
    this.#slots = slots;
    this.ledger = new LedgerTelemetry(metrics, log);
    this.bulk = new BulkTelemetry(metrics, log, clock);
    this.reading = new ReadingTelemetry(metrics, log, slots);
    this.contents = new ContentTelemetry(metrics, log);
    this.#clock = clock;
  }

  watch({ ledger, writer, limit, partitions }: IndexerView): void {
    const metrics = this.#metrics;
    const rowsOf = (valueOf: (age: PartitionAge) => number) =>
      Array.from(partitions(), (age) => {
        const { topic, partition } = this.#slots.placeOf(age.partition);
        return [valueOf(age), topic, String(partition)] as const;
      });
    metrics.gauge('bulk_inflight', 'Bulk requests without an answer.', [], () => [[limit.inUse]]);
    metrics.gauge('bulk_concurrency_limit', 'Bulk requests that may be in flight.', [], () => [[limit.limit]]);
    metrics.gauge(
      'bulk_items_waiting',
      'Documents that wait: for another try (the store is busy or away), for their index, ' +
        'or for the store to accept our requests.',
      ['for'],
      () => Object.entries(writer.waiting).map(([what, items]) => [items, what] as const),
    );
    metrics.gauge('events_inflight', 'Events received and not yet answered for.', ['stage'], () => [
      [ledger.inFlight, 'indexer'],
    ]);
    metrics.gauge('ledger_imbalance', 'Events that the ledger cannot account for; always 0.', ['stage'], () => [
      [ledger.imbalance, 'indexer'],
    ]);
    metrics.gauge(
      'indexer_oldest_uncommitted_seconds',
      'Age of the oldest record that is not committed, of each partition owned; 0 when caught up.',
      ['topic', 'partition'],
      () => rowsOf((age) => age.oldestUncommittedSeconds),
    );
    metrics.gauge(
      'indexer_lag_records',
      'Records that are not committed, of each partition owned, up to its end as of the last fetch.',
      ['topic', 'partition'],
      () => rowsOf((age) => age.lagRecords),
    );
    metrics.gauge(
      'indexer_partitions_held',
      'Partitions owned that go no further until an operator has done something, by why.',
      ['reason'],
      () => {
        const reasons = Array.from(partitions(), ({ held }) => held);
        return HOLD_REASONS.map((reason) => [reasons.filter((held) => held === reason).length, reason] as const);
      },
    );
    metrics.gauge(
      'indexer_partitions_suspect',
      'Partitions owned whose next records are opened in a child process first, ' +
        'since indexers began there again and again without getting on.',
      [],
      () => [[[...partitions()].filter(({ isSuspect }) => isSuspect).length]],
    );
    this.contents.watch(metrics, this.#clock, partitions);
    metrics.gauge('indexer_partitions', 'Partitions owned.', [], () => [[[...partitions()].length]]);
  }

  /** `isUp`: whether the store takes what it is sent. */
  watchStore(isUp: () => boolean): void {
    this.#metrics.gauge('store_up', 'Whether the store takes what it is sent.', [], () => [[isUp() ? 1 : 0]]);
  }

  /** The bytes in hand, for who wonders why reading has stopped. */
  watchBytes(...budgets: ByteBudget[]): void {
    const what =
      'Bytes in hand of the indexer: fetched records with what each costs in memory, and their opened values.';
    this.#metrics.gauge('indexer_bytes', what, [], () => [
      [budgets.reduce((sum, { bytesHeld }) => sum + bytesHeld, 0)],
    ]);
  }

  storeUnreachable(error: unknown): void {
    this.#log.warn('store_unreachable', { what: reasonOf(error), effect: 'the indexer waits, and starts by itself' });
  }

  started(store: string, queue: string): void {
    this.#log.info('indexer_started', { store, queue });
  }

  stopped(ledger: Ledger): void {
    this.#log.info('indexer_stopped', { ...ledger.counts, in_flight: ledger.inFlight, imbalance: ledger.imbalance });
  }
}
