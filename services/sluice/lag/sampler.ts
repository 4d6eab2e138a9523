// Samples the lag again and again in the background, so that a scrape reads the last sample and never waits for a
// broker.

import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { GroupLag, LagFailure, LagSource } from '#shared/queue/group-lag.ts';
import { GroupSamples } from './group-samples.ts';
import type { LagSample, LagTelemetry } from './telemetry.ts';

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
  /** Of the groups that read topics of others. */
  others: readonly LagSample[] = [];
  readonly #options: LagSamplerOptions;
  readonly #groups: GroupSamples;

  constructor(options: LagSamplerOptions) {
    this.#options = options;
    this.#groups = new GroupSamples(options.source);
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
      const { lag, drainSeconds } = await this.#groups.own();
      this.drainSeconds = drainSeconds;
      this.lag = lag;
      // Where some of these cannot be known, the others are, and that of the logs.
      const { samples, failures } = await this.#groups.others();
      const isFailed = ({ lag: { topic } }: LagSample): boolean =>
        failures.some((failure) => failure.topic === null || failure.topic === topic);
      this.others = [...samples, ...this.others.filter(isFailed)];
      this.unreadyReason = unknownReason(failures);
      if (this.unreadyReason !== null) this.#options.telemetry.sampleFailed(this.unreadyReason);
    } catch (error) {
      this.unreadyReason = reasonOf(error);
      this.#options.telemetry.sampleFailed(error);
    }
  }
}

/** A line, however many topics there are. */
function unknownReason([first, ...more]: readonly LagFailure[]): string | null {
  if (first === undefined) return null;
  return more.length === 0 ? reasonOf(first.error) : `${reasonOf(first.error)}; and so of ${more.length} more`;
}
