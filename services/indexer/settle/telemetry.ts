// What the indexer tells of itself: named events, each with its counters and its log line. Only this file knows metrics
// and log. Events are told per record, per request, per assignment; never per event, and never with a payload.

import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import { LimitedLabel, type Metrics } from '#shared/metrics.ts';
import type { LogChange, LossReason } from '#shared/queue/queue.ts';
import type { Batch } from '#shared/record/record.ts';
import type { RequestVerdict } from './outcomes.ts';
import { HOLD_REASONS, type HoldReason } from '../commit/in-hand.ts';
import { type Harm, HARMS } from './harm.ts';
import { withoutValues } from './store-error.ts';
import { DEAD_LETTER_REASONS, type Ending, type EndingReason, type Ledger, type LedgerListener } from './ledger.ts';

/** Upper bounds in seconds. A log line should be found within a second; a lag after an outage is minutes or hours. */
const RECEIVE_SECONDS_BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];
const BULK_SECONDS_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

const LOSS_REASONS: readonly LossReason[] = ['topic_recreated', 'log_truncated', 'retention'];

/** A batch that took longer is worth being named. */
const EXEMPLAR_SECONDS_MIN = 1;
/** Tenants that are counted each by its name. */
const TENANTS_MAX = 100;

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
  readonly topic: string;
  readonly partitions: () => Iterable<PartitionAge>;
}

export class IndexerTelemetry implements LedgerListener {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  readonly #consumed;
  readonly #indexed;
  readonly #deduplicated;
  readonly #deadLettered;
  readonly #abandoned;
  readonly #dropped;
  readonly #bulkSeconds;
  readonly #bulkItems;
  readonly #bulkFailures;
  readonly #secondCopies;
  readonly #secondLookFailures;
  readonly #receiveSeconds;
  readonly #rebalances;
  readonly #recordsLost;
  readonly #logChanges;
  readonly #recordsPoisonous;
  readonly #openingChildFailures;
  readonly #tenantIndexed;
  readonly #tenants = new LimitedLabel(TENANTS_MAX);

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    this.#log = log;
    this.#metrics = metrics;
    this.#clock = clock;
    this.#consumed = metrics.counter('events_consumed_total', 'Events that were taken from the queue and opened.');
    this.#indexed = metrics.counter('events_indexed_total', 'Events that the store took.');
    this.#deduplicated = metrics.counter(
      'events_deduplicated_total',
      'Events that the store had already, under the same name.',
    );
    this.#deadLettered = metrics.counter(
      'events_dead_lettered_total',
      'Events that can never be indexed and lie with the dead letters.',
      ['reason'],
    );
    // Each from 0 on: a rate does not see the first value of a row.
    for (const reason of DEAD_LETTER_REASONS) this.#deadLettered.add(0, reason);
    this.#abandoned = metrics.counter(
      'events_abandoned_total',
      'Events that were left to be read again, by this indexer or another.',
      ['reason'],
    );
    this.#dropped = metrics.counter('events_dropped_total', 'Events that were given up.', ['stage', 'reason']);
    this.#bulkSeconds = metrics.histogram(
      'bulk_seconds',
      'Time from a bulk request to its answer.',
      BULK_SECONDS_BOUNDS,
    );
    this.#bulkItems = metrics.counter('bulk_items_total', 'Items of bulk requests by their status.', ['status']);
    this.#bulkFailures = metrics.counter(
      'bulk_failures_total',
      'Bulk requests that failed as a whole, by the code of the error; their documents are sent again.',
      ['reason'],
    );
    this.#secondCopies = metrics.counter(
      'second_copies_total',
      'Documents that were found in two backing indices after a rollover, and what became of the newer copy.',
      ['copy'],
    );
    this.#secondLookFailures = metrics.counter(
      'second_look_failures_total',
      'Looks for second copies in a data stream that failed; nothing they concern is committed before one succeeds.',
    );
    this.#receiveSeconds = metrics.histogram(
      'receive_to_indexed_seconds',
      'Time from the receipt of a batch at the edge to the answer of the store; once for each batch and request.',
      RECEIVE_SECONDS_BOUNDS,
    );
    this.#rebalances = metrics.counter('rebalances_total', 'Assignments of partitions that were lost.');
    this.#recordsLost = metrics.counter(
      'records_lost_total',
      'Records of the queue that were gone before they were read: beside the ledger, which counts what was read.',
      ['reason'],
    );
    this.#logChanges = metrics.counter(
      'log_changes_total',
      'Logs of partitions that lost their beginning unread, lost their end, or gave way to a topic that was made anew.',
      ['reason'],
    );
    for (const reason of LOSS_REASONS) {
      this.#recordsLost.add(0, reason);
      this.#logChanges.add(0, reason);
    }
    this.#recordsPoisonous = metrics.counter(
      'records_poisonous_total',
      'Records that went to the dead letters since they end the process that opens them, by how they did.',
      ['how'],
    );
    for (const harm of HARMS) this.#recordsPoisonous.add(0, harm);
    this.#openingChildFailures = metrics.counter(
      'opening_child_failures_total',
      'Times that no child process could be started to open suspect records; these wait.',
    );
    this.#tenantIndexed = metrics.counter(
      'tenant_events_indexed_total',
      'Events of a tenant that the store took; the first hundred tenants by name.',
      ['tenant'],
    );
  }

  watch({ ledger, writer, limit, topic, partitions }: IndexerView): void {
    const metrics = this.#metrics;
    metrics.gauge('bulk_inflight', 'Bulk requests without an answer.', [], () => [[limit.inUse]]);
    metrics.gauge('bulk_concurrency_limit', 'Bulk requests that may be in flight.', [], () => [[limit.limit]]);
    metrics.gauge(
      'bulk_items_waiting',
      'Documents that wait: for another try (the store is busy or away), for their index, or for the store to accept our requests.',
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
      () => Array.from(partitions(), (age) => [age.oldestUncommittedSeconds, topic, String(age.partition)] as const),
    );
    metrics.gauge(
      'indexer_lag_records',
      'Records that are not committed, of each partition owned, up to its end as of the last fetch.',
      ['topic', 'partition'],
      () => Array.from(partitions(), (age) => [age.lagRecords, topic, String(age.partition)] as const),
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
      'Partitions owned whose next records are opened in a child process first, since indexers began there again and again without getting on.',
      [],
      () => [[[...partitions()].filter(({ isSuspect }) => isSuspect).length]],
    );
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

  consumed(events: number): void {
    this.#consumed.add(events);
  }

  ended(events: number, ending: Ending, reason: EndingReason | null): void {
    if (ending === 'indexed') this.#indexed.add(events);
    else if (ending === 'deduplicated') this.#deduplicated.add(events);
    else if (ending === 'dead_lettered') this.#deadLettered.add(events, reason ?? 'unknown');
    else if (ending === 'abandoned') this.#abandoned.add(events, reason ?? 'unknown');
    else this.#dropped.add(events, 'indexer', reason ?? 'unknown');
  }

  /** So many events of a batch were indexed; it came in the record `from`. */
  indexed({ receivedMs, tenant }: Batch, events: number, from: { partition: number; offset: number }): void {
    const nowMs = this.#clock.epochMs();
    const seconds = Math.max(0, nowMs - receivedMs) / 1000;
    this.#receiveSeconds.observe(seconds);
    if (seconds >= EXEMPLAR_SECONDS_MIN) {
      const about = { partition: String(from.partition), offset: String(from.offset) };
      this.#receiveSeconds.exemplify(seconds, nowMs, about);
    }
    if (tenant !== null) this.#tenantIndexed.add(events, this.#tenants.of(tenant));
  }

  bulkAnswered(seconds: number, items: ReadonlyMap<string, number>): void {
    this.#bulkSeconds.observe(seconds);
    for (const [status, count] of items) this.#bulkItems.add(count, status);
    const failureStore = items.get('failure_store');
    if (failureStore) {
      this.#log.warn('failure_store_used', {
        documents: failureStore,
        what: 'Elasticsearch put documents into the failure store of the data stream',
        effect: 'they are tried once more as text, then they go to the dead letters',
        todo: 'look there for the reason, then see `sluice dead-letters list`',
      });
    }
  }

  bulkFailed(error: Error, verdict: RequestVerdict, attempt: number): void {
    this.#bulkFailures.add(1, error instanceof SluiceError ? error.code : 'unknown');
    const fields = { what: reasonOf(error), attempt, effect: 'nothing is lost: the same documents are sent again' };
    if (verdict === 'operator') {
      this.#log.error('store_refuses_requests', {
        ...fields,
        todo: 'mend the credentials or the privileges; the indexer goes on by itself',
      });
    } else if (verdict === 'again') this.#log.warn('bulk_failed', fields);
    else this.#log.warn('bulk_split', { what: fields.what, verdict });
  }

  /**
   * The store refused a request and, after it, a probe in which nothing can be wrong: nothing is sent but one try now
   * and then.
   */
  requestsBlocked(says: string): void {
    this.#log.error('store_refuses_requests', {
      what: says,
      effect: 'nothing is lost: the same documents are sent again, slowly; none goes to the dead letters',
      todo: 'mend what refuses every request: a parameter, a proxy, the version of Elasticsearch',
    });
  }

  /** Documents were in two backing indices; the newer copies are deleted, or cannot be. */
  secondCopies(index: string, documents: number, error: unknown): void {
    this.#secondCopies.add(documents, error === null ? 'deleted' : 'kept');
    if (error === null) this.#log.info('second_copies_deleted', { index, documents });
    else {
      this.#log.error('second_copies_kept', {
        index,
        documents,
        what: reasonOf(error),
        effect: 'these documents are there twice',
        todo: 'give the indexer the privilege "delete" on the data stream',
      });
    }
  }

  /** Second copies of these documents cannot be looked for now, so their offsets wait. */
  secondLookFailed(dataStream: string, documents: number, error: unknown): void {
    this.#secondLookFailures.add(1);
    this.#log.error('second_look_failed', {
      stream: dataStream,
      documents,
      what: reasonOf(error),
      effect: 'nothing is lost: documents are written, but their offsets are not committed before it works',
      todo: 'mend the privileges "read" and "view_index_metadata", or the backing index that cannot be read; the indexer goes on by itself',
    });
  }

  /** An index takes nothing: what is for it waits, and nothing else does. */
  indexBlocked(index: string, says: string): void {
    this.#log.error('index_refuses_documents', {
      index,
      what: says,
      effect: 'nothing is lost: they are kept and tried again slowly',
      todo: 'mend privileges, the template, its pipelines, the disk or the limits of the cluster; the indexer goes on by itself',
    });
  }

  indexUnblocked(index: string): void {
    this.#log.info('index_takes_documents_again', { index });
  }

  rewritten(items: number, error: string): void {
    this.#log.info('documents_kept_as_text', { items, why: withoutValues(error) });
  }

  deadLettered(events: number, reason: string, error: string, from: string): void {
    this.#log.warn('events_dead_lettered', {
      events,
      reason,
      error: withoutValues(error),
      from,
      todo: 'see `sluice dead-letters list`',
    });
  }

  deadLettersFailed(error: unknown): void {
    this.#log.error('dead_letters_unavailable', {
      what: reasonOf(error),
      effect: 'their offsets are not committed until it works',
    });
  }

  partitionHeld(partition: number, offset: number, reason: HoldReason, error: string): void {
    this.#log.error('partition_held', {
      partition,
      offset,
      reason,
      what: error,
      effect: 'nothing is lost: this partition is not read any further, the others are',
      todo: 'mend it and restart the indexer; SLUICE_INDEXER_UNKNOWN_VERSION=dead-letter gives such records up',
    });
  }

  /** So many assignments of the partition began at the offset and did not move it. */
  partitionSuspect(partition: number, offset: number, tries: number): void {
    this.#log.warn('partition_suspect', {
      partition,
      offset,
      tries,
      what: 'indexers began here again and again without getting on: a record may end them',
      effect: 'its next records are opened in a child process first, one by one: slower for a while, nothing else',
    });
  }

  partitionTrusted(partition: number): void {
    this.#log.info('partition_trusted', { partition });
  }

  recordPoisonous(
    { partition, offset }: { readonly partition: number; readonly offset: number },
    { harm, what, events }: { readonly harm: Harm; readonly what: string; readonly events: number },
  ): void {
    this.#recordsPoisonous.add(1, harm);
    this.#log.error('record_poisonous', {
      partition,
      offset,
      events,
      how: harm,
      what: withoutValues(what),
      effect: 'it goes to the dead letters, whole; the partition goes on behind it',
      todo: 'keep it (`sluice dead-letters show ID --raw`) and report it: no record should do this',
    });
  }

  openingChildFailed(error: unknown): void {
    this.#openingChildFailures.add(1);
    this.#log.error('opening_child_failed', {
      what: reasonOf(error),
      effect: 'suspect partitions wait, the others go on; it is tried again',
      todo: 'give the machine memory, or the service the right to start processes (pids limit, seccomp)',
    });
  }

  assigned(partitions: number, assignment: number): void {
    this.#log.info('partitions_assigned', { partitions, assignment });
  }

  revoked(assignment: number): void {
    this.#rebalances.add(1);
    this.#log.info('partitions_revoked', { assignment });
  }

  /** A partition's log is not what it was. */
  logChanged({ partition, reason, from, next, losses }: LogChange): void {
    this.#logChanges.add(1, reason);
    this.#log.warn('log_changed', { reason, partition, from, next, effect: 'reading goes on there' });
    for (const loss of losses) {
      const records = loss.to - loss.from;
      this.#recordsLost.add(records, loss.reason);
      this.#log.error('records_lost', {
        reason: loss.reason,
        partition,
        from: loss.from,
        to: loss.to,
        records,
        exact: loss.isExact,
        todo: 'see SluiceRecordsLost in docs/operations.md',
      });
    }
  }

  commitFailed(error: unknown): void {
    this.#log.warn('commit_failed', { what: reasonOf(error), effect: 'it is tried again' });
  }

  consumerFailed(error: unknown): void {
    this.#log.error('consumer_failed', { what: reasonOf(error), effect: 'it is built anew' });
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
