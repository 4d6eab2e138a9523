// How the queue is read, as metrics and log lines: assignments, logs that changed, commits, partitions that are held or
// suspect, and records that end whoever opens them. Reported per assignment, partition or record, never per event.

import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { LogChange, LossReason } from '#shared/queue/queue.ts';
import type { HoldReason } from '../commit/in-hand.ts';
import { type Harm, HARMS } from './harm.ts';
import { withoutValues } from './store-error.ts';
import type { TopicSlots } from './topic-slots.ts';

const LOSS_REASONS: readonly LossReason[] = ['topic_recreated', 'log_truncated', 'retention'];

export class ReadingTelemetry {
  readonly #log: Log;
  readonly #slots: TopicSlots;
  readonly #rebalances;
  readonly #recordsLost;
  readonly #logChanges;
  readonly #recordsPoisonous;
  readonly #openingChildFailures;

  constructor(metrics: Metrics, log: Log, slots: TopicSlots) {
    this.#log = log;
    this.#slots = slots;
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
    this.#log.warn('log_changed', { reason, ...this.#place(partition), from, next, effect: 'reading goes on there' });
    for (const loss of losses) {
      const records = loss.to - loss.from;
      this.#recordsLost.add(records, loss.reason);
      this.#log.error('records_lost', {
        reason: loss.reason,
        ...this.#place(partition),
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

  /** `topic`: where it is not Sluice's own. */
  consumerFailed(error: unknown, topic?: string): void {
    const place = topic === undefined ? {} : { topic };
    this.#log.error('consumer_failed', { ...place, what: reasonOf(error), effect: 'it is built anew' });
  }

  partitionHeld(partition: number, offset: number, reason: HoldReason, error: string): void {
    this.#log.error('partition_held', {
      ...this.#place(partition),
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
      ...this.#place(partition),
      offset,
      tries,
      what: 'indexers began here again and again without getting on: a record may end them',
      effect: 'its next records are opened in a child process first, one by one: slower for a while, nothing else',
    });
  }

  partitionTrusted(partition: number): void {
    this.#log.info('partition_trusted', this.#place(partition));
  }

  recordPoisonous(
    { partition, offset }: { readonly partition: number; readonly offset: number },
    { harm, what, events }: { readonly harm: Harm; readonly what: string; readonly events: number },
  ): void {
    this.#recordsPoisonous.add(1, harm);
    this.#log.error('record_poisonous', {
      ...this.#place(partition),
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

  /** A topic of others is read from now on. */
  sourceFound(topic: string, format: string): void {
    this.#log.info('source_found', { topic, format });
  }

  sourceMissing(topic: string): void {
    this.#log.warn('source_missing', { topic, effect: 'a service waits for it; a drain job leaves it out' });
  }

  topicsUnknown(error: unknown): void {
    this.#log.warn('topics_unknown', { what: reasonOf(error), effect: 'topics of others are looked for again' });
  }

  /** That of the logs goes without saying. */
  #place(number: number): { readonly topic?: string; readonly partition: number } {
    const { topic, partition } = this.#slots.placeOf(number);
    return number === partition ? { partition } : { topic, partition };
  }
}
