// The log and metrics of the read API: whom it refused, what was read, and how that ended. Never what was asked for,
// nor what was found.

import type { Clock } from '#shared/clock.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { GuardTelemetry } from '../admin/guard-telemetry.ts';
import type { ReadKind } from './request.ts';
import type { SlotKind } from './bounds/slots.ts';

/**
 * `refused`: the request was wrong, or may not; `busy`: too many are made at once; `left`: its reader went away before
 * the end, as every reader of a tail does; `unread`: its reader took nothing for long.
 */
export type ReadOutcome = 'done' | 'refused' | 'busy' | 'failed' | 'timeout' | 'left' | 'unread';

const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60] as const;

export class ReadTelemetry extends GuardTelemetry<'read'> {
  readonly #reads;
  readonly #seconds;
  readonly #metrics: Metrics;

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    super('read', metrics, log, clock);
    this.#metrics = metrics;
    this.#reads = metrics.counter('reads_total', 'Requests to the read API, by how they ended.', [
      'endpoint',
      'outcome',
    ]);
    this.#seconds = metrics.histogram('read_seconds', 'Time until a read was answered whole; not of tails.', SECONDS, [
      'endpoint',
    ]);
  }

  watch(taken: (kind: SlotKind) => number): void {
    this.#metrics.gauge('reads_open', 'Answers of the read API that are being made.', ['kind'], () => [
      [taken('searches'), 'searches'],
      [taken('tails'), 'tails'],
    ]);
  }

  answered(endpoint: ReadKind, outcome: ReadOutcome, seconds: number): void {
    this.#reads.add(1, endpoint, outcome);
    if (outcome === 'done' && endpoint !== 'tail') this.#seconds.observe(seconds, endpoint);
  }

  listening(address: string): void {
    this.log.info('listening', { input: 'read', address });
  }

  /** The default address has another owner. */
  notListening(reason: string): void {
    this.log.warn('read_api_off', {
      reason,
      what: 'nobody can search over HTTP; set SLUICE_READ_LISTEN to a free one',
    });
  }

  /** Something failed that is no reader's fault. */
  failed(endpoint: ReadKind, reason: string): void {
    this.log.warn('read_failed', { endpoint, reason });
  }

  damaged(message: string): void {
    this.log.warn('store_warning', { message });
  }
}
