// How many bytes of a source are read in a second, where its rule limits them: of a file and of what rotation has made
// of it together. Who is above the limit waits outside of the turns, so that it takes nothing from the others.

import type { Clock } from '#shared/clock.ts';
import { TokenBucket } from '../../intake/token-bucket.ts';
import type { FileTelemetry } from './telemetry.ts';

/** Beyond, those that are as new are forgotten: sources come and go. */
const BUCKETS_MAX = 20_000;

export interface SourceBudget {
  /** Takes what was read. */
  spend(bytes: number): void;
  /** How long nothing more may be read; 0: it may. */
  waitMs(): number;
}

export class SourceBudgets {
  readonly #clock: Clock;
  readonly #telemetry: FileTelemetry;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor({ clock, telemetry }: { clock: Clock; telemetry: FileTelemetry }) {
    this.#clock = clock;
    this.#telemetry = telemetry;
  }

  /** Null where the rule has no limit. */
  of(source: string, bytesPerSecond: number | undefined): SourceBudget | null {
    if (bytesPerSecond === undefined) return null;
    const clock = this.#clock;
    if (this.#buckets.size >= BUCKETS_MAX) this.#forgetUnused(bytesPerSecond);
    const bucket = this.#buckets.get(source) ?? new TokenBucket(bytesPerSecond, clock.monotonicMs());
    this.#buckets.set(source, bucket);
    return {
      spend: (bytes) => bucket.take(bytes, clock.monotonicMs()),
      waitMs: () => {
        const waitMs = bucket.waitMs(clock.monotonicMs());
        if (waitMs > 0) this.#telemetry.heldBack(source, waitMs, bytesPerSecond);
        return waitMs;
      },
    };
  }

  #forgetUnused(bytesPerSecond: number): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [source, bucket] of this.#buckets) if (bucket.has(bytesPerSecond, nowMs)) this.#buckets.delete(source);
  }
}
