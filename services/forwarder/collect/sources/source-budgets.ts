// How much of a source is read in a second: of a file and of what rotation has made of it together. Who is above a
// limit waits outside of the turns, so that it takes nothing from the others.
//
// Two limits. `max_bytes_per_second`, where its rule has one. And, for every source, lines that are shorter than 16
// bytes on average: a line costs the queue and the store some hundred bytes, however short it is, and a program that
// writes line feeds alone must not fill the disk that all share.

import type { Clock } from '#shared/clock.ts';
import { TokenBucket } from '../../intake/token-bucket.ts';

/** Beyond, those that are as new are forgotten: sources come and go. */
const BUCKETS_MAX = 20_000;
/** So many bytes of a file may be a line; the limit of events in bodies is the same. */
const BYTES_PER_LINE = 16;
/** Lines beyond that, of a source and of all. */
const EXCESS_PER_SECOND = 1000;
const EXCESS_OF_ALL_PER_SECOND = 5000;
/** 100,000 of a source, as a body may have. */
const EXCESS_BURST_SECONDS = 100;

/** So many a source has whatever others read. */
const EXCESS_OF_ITS_OWN = 10_000;

export interface SourceBudget {
  /** Takes what was read. */
  spend(bytes: number, lines: number): void;
  /** How long nothing more may be read; 0: it may. */
  waitMs(): number;
}

export interface SourceBudgetsOptions {
  readonly clock: Clock;
  readonly telemetry: {
    heldBack(source: string, waitMs: number, limit: Readonly<Record<string, number>>): void;
  };
}

export class SourceBudgets {
  readonly #clock: Clock;
  readonly #telemetry: SourceBudgetsOptions['telemetry'];
  readonly #bytes = new Map<string, TokenBucket>();
  /** Of those that have read too many short lines lately. */
  readonly #excess = new Map<string, TokenBucket>();
  readonly #excessOfAll: TokenBucket;

  constructor({ clock, telemetry }: SourceBudgetsOptions) {
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#excessOfAll = new TokenBucket(EXCESS_OF_ALL_PER_SECOND, clock.monotonicMs(), EXCESS_BURST_SECONDS);
  }

  /** `bytesPerSecond`: of its rule. */
  of(source: string, bytesPerSecond: number | undefined): SourceBudget {
    const bytesBucket = bytesPerSecond === undefined ? null : this.#bytesOf(source, bytesPerSecond);
    return {
      spend: (bytes, lines) => {
        bytesBucket?.take(bytes, this.#clock.monotonicMs());
        const excess = lines - bytes / BYTES_PER_LINE;
        if (excess > 0) this.#spendExcess(source, excess);
      },
      waitMs: () => {
        const nowMs = this.#clock.monotonicMs();
        const bytesMs = bytesBucket?.waitMs(nowMs) ?? 0;
        const excessMs = this.#excessMs(source, nowMs);
        if (bytesMs > 0 && bytesMs >= excessMs && bytesPerSecond !== undefined)
          this.#telemetry.heldBack(source, bytesMs, { max_bytes_per_second: bytesPerSecond });
        else if (excessMs > 0)
          this.#telemetry.heldBack(source, excessMs, { short_lines_per_second: EXCESS_PER_SECOND });
        return Math.max(bytesMs, excessMs);
      },
    };
  }

  #bytesOf(source: string, bytesPerSecond: number): TokenBucket {
    forgetUnused(this.#bytes, bytesPerSecond, this.#clock.monotonicMs());
    const bucket = this.#bytes.get(source) ?? new TokenBucket(bytesPerSecond, this.#clock.monotonicMs());
    this.#bytes.set(source, bucket);
    return bucket;
  }

  #spendExcess(source: string, excess: number): void {
    const nowMs = this.#clock.monotonicMs();
    let bucket = this.#excess.get(source);
    if (bucket === undefined) {
      forgetUnused(this.#excess, EXCESS_PER_SECOND * EXCESS_BURST_SECONDS, nowMs);
      bucket = new TokenBucket(EXCESS_PER_SECOND, nowMs, EXCESS_BURST_SECONDS);
      this.#excess.set(source, bucket);
    }
    bucket.take(excess, nowMs);
    this.#excessOfAll.take(excess, nowMs);
  }

  /** Who has read few short lines waits for nobody who has read many. */
  #excessMs(source: string, nowMs: number): number {
    const bucket = this.#excess.get(source);
    if (bucket === undefined) return 0;
    if (bucket.has(EXCESS_PER_SECOND * EXCESS_BURST_SECONDS, nowMs)) {
      this.#excess.delete(source);
      return 0;
    }
    if (bucket.has(EXCESS_PER_SECOND * EXCESS_BURST_SECONDS - EXCESS_OF_ITS_OWN, nowMs)) return 0;
    return Math.max(bucket.waitMs(nowMs), this.#excessOfAll.waitMs(nowMs));
  }
}

function forgetUnused(buckets: Map<string, TokenBucket>, burst: number, nowMs: number): void {
  if (buckets.size < BUCKETS_MAX) return;
  for (const [source, bucket] of buckets) if (bucket.has(burst, nowMs)) buckets.delete(source);
}
