// The log and metrics of a primary: its workers, and how they share the work.

import type { Log } from '#shared/log.ts';
import type { CounterHandle, GaugeRow, Metrics } from '#shared/metrics.ts';
import type { Ended } from './worker-process.ts';

export class WorkersTelemetry {
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #restarts: CounterHandle;

  constructor(metrics: Metrics, log: Log) {
    this.#metrics = metrics;
    this.#log = log;
    this.#restarts = metrics.counter(
      'worker_restarts_total',
      'Workers that were started in the place of another: one that had ended by itself, or one that was replaced at SIGHUP.',
      ['reason'],
    );
  }

  /** `up`: workers that run now; `events`: how many each has received or consumed. */
  watch({ up, events }: { up: () => number; events: () => Iterable<GaugeRow> }): void {
    this.#metrics.gauge('workers', 'Workers that are up.', [], () => [[up()]]);
    this.#metrics.gauge(
      'worker_events',
      'Events that each worker has received or consumed since it was started: how the work is shared.',
      ['worker'],
      events,
    );
  }

  up(worker: number, pid: number): void {
    this.#log.info('worker_up', { worker, pid });
  }

  /** A worker ended that nobody had stopped. */
  ended(worker: number, { pid, code, signal }: Ended & { readonly pid: number }, againInMs: number): void {
    this.#restarts.add(1, 'ended');
    this.#log.error('worker_ended', { worker, pid, code, signal, again_in_ms: Math.round(againInMs) });
  }

  replacing(workers: number): void {
    this.#log.info('workers_replacing', { workers });
  }

  replaced(worker: number): void {
    this.#restarts.add(1, 'replaced');
    this.#log.info('worker_replaced', { worker });
  }

  replacementFailed(worker: number, { code, signal }: Ended): void {
    this.#log.error('worker_replacement_failed', { worker, code, signal, effect: 'those that run go on' });
  }

  killed(worker: number, limitMs: number): void {
    this.#log.error('worker_killed', {
      worker,
      limit_ms: limitMs,
      effect: 'what was left was not acked or not committed; it comes again',
    });
  }
}
