// The metrics and log events of the lag exporter. Seconds are computed as of the scrape, so that the lag of a group
// that makes no progress is right at any moment. After sampling has failed for a while the group has no figures:
// readers would take an old figure for a new one.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { GaugeRow, Metrics } from '#shared/metrics.ts';
import { type GroupLag, lagRecords, lagSeconds } from '#shared/queue/group-lag.ts';
import { totalsOf } from './drain.ts';

/** Partitions that have series of their own, the lowest numbers first; sums and maxima are of all. */
const PARTITION_SERIES_MAX = 2000;
/** Older samples are not shown. */
const SAMPLE_AGE_MAX_MS = 60_000;

export interface LagSample {
  readonly lag: GroupLag;
  readonly drainSeconds: number;
}

export interface LagView {
  readonly lag: GroupLag | null;
  readonly drainSeconds: number;
  /** Of the groups that read topics of others. */
  readonly others?: readonly LagSample[];
  readonly unreadyReason: string | null;
}

interface LagGauge {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly rows: (lag: GroupLag, drainSeconds: number) => Iterable<GaugeRow>;
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
    this.#watchSampling(view);
    this.#watchPartitions(view);
    this.#watchGroup(view);
    this.#gauge(view, {
      name: 'topic_retention_seconds',
      help: 'After this time the queue may remove records that nobody has read.',
      labels: ['topic'],
      rows: (lag) => (lag.retentionMs === null ? [] : [[lag.retentionMs / 1000, lag.topic]]),
    });
  }

  #watchSampling(view: LagView): void {
    this.#metrics.gauge('lag_up', 'Whether the last sample of the queue succeeded.', [], () => [
      [view.unreadyReason === null ? 1 : 0],
    ]);
    this.#metrics.gauge('lag_sample_age_seconds', 'Time since the last sample of the queue that succeeded.', [], () =>
      view.lag === null ? [] : [[this.#ageMs(view.lag) / 1000]],
    );
  }

  #watchPartitions(view: LagView): void {
    const labels = ['group', 'topic', 'partition'];
    this.#gauge(view, {
      name: 'group_lag_records',
      help: 'Records of the queue that the group has not committed.',
      labels,
      rows: (lag) => rowsOf(lag, lagRecords),
    });
    this.#gauge(view, {
      name: 'group_lag_seconds',
      help: 'Age of the oldest record that the group has not committed; 0 when caught up.',
      labels,
      rows: (lag) => rowsOf(this.#asOfNow(lag), (partition, { atMs }) => lagSeconds(partition, atMs)),
    });
  }

  #watchGroup(view: LagView): void {
    const ofGroup = (name: string, help: string, value: (lag: GroupLag, drainSeconds: number) => number): void =>
      this.#gauge(view, {
        name,
        help,
        labels: ['group', 'topic'],
        rows: (lag, drainSeconds) => [[value(lag, drainSeconds), lag.group, lag.topic]],
      });
    ofGroup(
      'group_lag_records_sum',
      'Records of all partitions that the group has not committed.',
      (lag) => totalsOf(lag).records,
    );
    ofGroup(
      'group_lag_seconds_max',
      'Age of the oldest record of all partitions that is not committed.',
      (lag) => totalsOf(this.#asOfNow(lag)).seconds,
    );
    ofGroup(
      'group_drain_seconds',
      'Time until the group has caught up at its present rate; +Inf where the lag does not shrink.',
      (_, drainSeconds) => drainSeconds,
    );
    ofGroup(
      'group_committed_records',
      'Sum of the offsets that the group reads next: its rate is what is indexed.',
      (lag) => lag.partitions.reduce((sum, { next }) => sum + next, 0),
    );
    this.#gauge(view, {
      name: 'group_members',
      help: 'Members of the group that are connected.',
      labels: ['group'],
      rows: (lag) => (lag.members === null ? [] : [[lag.members, lag.group]]),
    });
  }

  /** A gauge without rows while there is no sample that is recent enough. */
  #gauge(view: LagView, { name, help, labels, rows }: LagGauge): void {
    this.#metrics.gauge(name, help, labels, () => {
      const { lag: own, drainSeconds, others = [] } = view;
      if (own === null) return [];
      return [{ lag: own, drainSeconds }, ...others].flatMap(({ lag, drainSeconds: seconds }) =>
        this.#ageMs(lag) > SAMPLE_AGE_MAX_MS ? [] : [...rows(lag, seconds)],
      );
    });
  }

  #ageMs({ atMs }: GroupLag): number {
    return Math.max(0, this.#clock.epochMs() - atMs);
  }

  #asOfNow(lag: GroupLag): GroupLag {
    return { ...lag, atMs: Math.max(lag.atMs, this.#clock.epochMs()) };
  }

  listening(address: string): void {
    this.#log.info('listening', { input: 'lag', address });
  }

  sampleFailed(error: unknown): void {
    this.#log.warn('lag_unknown', { what: reasonOf(error), effect: 'the next sample is tried anew' });
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
