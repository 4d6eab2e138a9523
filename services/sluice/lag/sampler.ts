// Samples the lag again and again in the background, so that a scrape reads the last sample and never waits for a
// broker.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { GroupLag, LagSource } from '#shared/queue/group-lag.ts';
import { DrainEstimate } from './drain.ts';
import type { LagTelemetry } from './telemetry.ts';

/** Slow samples must not keep the brokers busy: sampling takes at most this share of the time. */
const BUSY_SHARE_MAX = 0.25;

export interface LagSamplerOptions {
  readonly source: LagSource;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly telemetry: LagTelemetry;
  readonly signal: AbortSignal;
}

export class LagSampler {
  /** Why there is no lag; null after a sample that succeeded. */
  unreadyReason: string | null = 'the queue was not sampled yet';
  lag: GroupLag | null = null;
  drainSeconds = 0;
  readonly #options: LagSamplerOptions;
  readonly #drain = new DrainEstimate();

  constructor(options: LagSamplerOptions) {
    this.#options = options;
    options.telemetry.watch(this);
  }

  /** Resolves when the signal is aborted. */
  async run(): Promise<void> {
    const { clock, intervalMs, signal } = this.#options;
    while (!signal.aborted) {
      const sinceMs = clock.monotonicMs();
      await this.#sample();
      const tookMs = clock.monotonicMs() - sinceMs;
      const pauseMs = Math.max(intervalMs - tookMs, tookMs / BUSY_SHARE_MAX - tookMs);
      await clock.sleep(pauseMs, signal).catch(() => undefined);
    }
  }

  async #sample(): Promise<void> {
    try {
      const lag = await this.#options.source.sample();
      this.drainSeconds = this.#drain.next(lag);
      this.lag = lag;
      this.unreadyReason = null;
    } catch (error) {
      this.unreadyReason = reasonOf(error);
      this.#options.telemetry.sampleFailed(error);
    }
  }
}
