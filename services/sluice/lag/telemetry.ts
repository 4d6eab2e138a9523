// What the exporter of the lag tells. Seconds are told as of the scrape, so that the lag of a group that stands still
// is right at any moment. After looks have failed for a while nothing is told of the group: an old figure would be
// taken for a new one.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { GaugeRow, Metrics } from '#shared/metrics.ts';
import { type GroupLag, lagRecords, lagSeconds } from '#shared/queue/group-lag.ts';
import { totalsOf } from './drain.ts';

/** Partitions that have series of their own, the lowest numbers first; sums and maxima are of all. */
const PARTITION_SERIES_MAX = 2000;
const TOLD_FOR_MS = 60_000;

export interface LagView {
  readonly lag: GroupLag | null;
  readonly drainSeconds: number;
  readonly unreadyReason: string | null;
}

export class LagTelemetry {
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #clock: Clock;

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    this.#metrics = metrics;
    this.#log = log;
    this.#clock = clock;
  }

  watch(view: LagView): void {
    const clock = this.#clock;
    const ageSeconds = ({ atMs }: GroupLag): number => Math.max(0, clock.epochMs() - atMs) / 1000;
    const told = (rows: (lag: GroupLag) => Iterable<GaugeRow>) => (): Iterable<GaugeRow> =>
      view.lag === null || ageSeconds(view.lag) * 1000 > TOLD_FOR_MS ? [] : rows(view.lag);
    const now = (lag: GroupLag): GroupLag => ({ ...lag, atMs: Math.max(lag.atMs, clock.epochMs()) });
    const gauge = (
      name: string,
      help: string,
      labels: readonly string[],
      rows: (lag: GroupLag) => Iterable<GaugeRow>,
    ) => this.#metrics.gauge(name, help, labels, told(rows));
    const ofGroup = ['group', 'topic'];
    const ofPartition = ['group', 'topic', 'partition'];

    this.#metrics.gauge('lag_up', 'Whether the last look at the queue worked.', [], () => [
      [view.unreadyReason === null ? 1 : 0],
    ]);
    this.#metrics.gauge('lag_sample_age_seconds', 'Time since the last look at the queue that worked.', [], () =>
      view.lag === null ? [] : [[ageSeconds(view.lag)]],
    );
    gauge('group_lag_records', 'Records of the queue that the group has not committed.', ofPartition, (lag) =>
      rowsOf(lag, lagRecords),
    );
    gauge(
      'group_lag_seconds',
      'Age of the oldest record that the group has not committed; 0 when caught up.',
      ofPartition,
      (lag) => rowsOf(now(lag), (partition, { atMs }) => lagSeconds(partition, atMs)),
    );
    gauge('group_lag_records_sum', 'Records of all partitions that the group has not committed.', ofGroup, (lag) => [
      [totalsOf(lag).records, lag.group, lag.topic],
    ]);
    gauge(
      'group_lag_seconds_max',
      'Age of the oldest record of all partitions that is not committed.',
      ofGroup,
      (lag) => [[totalsOf(now(lag)).seconds, lag.group, lag.topic]],
    );
    gauge(
      'group_drain_seconds',
      'Time until the group has caught up at its present rate; +Inf where the lag does not shrink.',
      ofGroup,
      (lag) => [[view.drainSeconds, lag.group, lag.topic]],
    );
    gauge(
      'group_committed_records',
      'Sum of the offsets that the group reads next: its rate is what is indexed.',
      ofGroup,
      (lag) => [[lag.partitions.reduce((sum, { next }) => sum + next, 0), lag.group, lag.topic]],
    );
    gauge('group_members', 'Members of the group that are connected.', ['group'], (lag) =>
      lag.members === null ? [] : [[lag.members, lag.group]],
    );
    gauge(
      'topic_retention_seconds',
      'After this time the queue may remove records that nobody has read.',
      ['topic'],
      (lag) => (lag.retentionMs === null ? [] : [[lag.retentionMs / 1000, lag.topic]]),
    );
  }

  listening(address: string): void {
    this.#log.info('listening', { input: 'lag', address });
  }

  sampleFailed(error: unknown): void {
    this.#log.warn('lag_unknown', { what: reasonOf(error), effect: 'the next look is tried anew' });
  }
}

function rowsOf(
  lag: GroupLag,
  value: (partition: GroupLag['partitions'][number], lag: GroupLag) => number,
): GaugeRow[] {
  return lag.partitions
    .slice(0, PARTITION_SERIES_MAX)
    .map((partition) => [value(partition, lag), lag.group, lag.topic, String(partition.partition)]);
}
