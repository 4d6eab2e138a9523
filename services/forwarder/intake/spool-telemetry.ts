// What the forwarder reports of its spool: its part of the ledger, its gauges, and its log lines: when it is entered
// and left, when it is full or cannot be written, what was found in it, and what was given up.

import type { Clock } from '#shared/clock.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import type { SpoolFigures } from '#shared/queue/spooled/open-spool.ts';
import type { SpoolObserver } from '#shared/queue/spooled/local/spool-observer.ts';
import type { ForwarderTelemetry } from './telemetry.ts';

export interface SpoolTelemetryOptions {
  readonly telemetry: ForwarderTelemetry;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  readonly figures: () => SpoolFigures;
}

/** Registers the gauges, and gives what the spool tells its events to. */
export function observeSpool({ telemetry, metrics, log, clock, figures }: SpoolTelemetryOptions): SpoolObserver {
  metrics.gauge('spool_bytes', 'Bytes of the spool on the device, the WAL included.', [], () => [[figures().bytes]]);
  metrics.gauge('spool_limit_bytes', 'Bytes that the spool may take.', [], () => [[figures().bytesMax]]);
  metrics.gauge('events_spooled', 'Events that the spool holds and the queue does not.', [], () => [
    [figures().events],
  ]);
  metrics.gauge('spool_oldest_seconds', 'Age of the oldest record in the spool; 0 where it is empty.', [], () => {
    const { oldestMs } = figures();
    return [[oldestMs === null ? 0 : Math.max(0, (clock.epochMs() - oldestMs) / 1000)]];
  });
  metrics.gauge(
    'spools_left',
    'Spools in the data folder that no process holds, and that wait to be taken over; ' +
      'their events are in no other metric.',
    [],
    () => [[figures().left]],
  );
  const ledger = telemetry.spool(() => figures().events);
  return {
    ...ledger,
    found(events) {
      ledger.found(events);
      log.info('spool_found', { events });
    },
    deadLettered(events, reason) {
      ledger.deadLettered(events, reason);
      log.error('spooled_events_dead_lettered', { events, reason });
    },
    dropped(events, reason) {
      ledger.dropped(events, reason);
      log.error('spooled_events_dropped', { events, reason });
    },
    entered: (reason) => log.warn('spool_entered', { reason }),
    left: ({ events, ms }) => log.info('spool_left', { events, seconds: Math.round(ms / 1000) }),
    failing: (reason) => log.error('spool_failing', { reason }),
    stuck: (reason) => log.warn('spool_waits', { reason }),
  };
}
