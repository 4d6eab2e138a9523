// How much of a source is read in a second: of a file and of what rotation has made of it together. Who is above a
// limit waits outside of the turns, so that it takes nothing from the others.
//
// Two limits. `max_bytes_per_second`, where its rule has one. And, for every source, lines that cost their writer next
// to nothing: a line costs the queue and the store some hundred bytes, however short it is, and a program that writes
// line feeds alone, or compresses them, must not fill the disk that all share.
//
//   thin     lines for which there are not 16 bytes each
//   packed   lines for which there is not a quarter of a byte each as written: compressed, or there already when the
//            file was said to be another one; five of them count as one
//   both     each counts as ten

import type { Clock } from '#shared/clock.ts';
import { TokenBucket } from '../../intake/token-bucket.ts';

/** Beyond, those that are as new are forgotten: sources come and go. */
const BUCKETS_MAX = 20_000;
/** So many bytes of a file may be a line; the limit of events in bodies is the same. */
const BYTES_PER_LINE = 16;
/** As the limit of small events has it: see admit/event-debts.ts. */
export const PACKED_PER_BYTE = 4;
const PACKED_PER_THIN = 5;
const THIN_AND_PACKED = 10;
/** Read for comparison alone, of all sources: some percent of a core. */
const COMPARED_PER_SECOND = 32 * 1024 * 1024;
/** Lines beyond that, of a source and of all. */
const EXCESS_PER_SECOND = 1000;
const EXCESS_OF_ALL_PER_SECOND = 5000;
/** 100,000 of a source, as a body may have. */
const EXCESS_BURST_SECONDS = 100;

/** So many a source has whatever others read. */
const EXCESS_OF_ITS_OWN = 10_000;

export interface SourceBudget {
  /** Takes what was read. `written`: bytes that were written for it; absent: all of them. */
  spend(bytes: number, lines: number, written?: number): void;
  /** Takes what was read for comparison alone. */
  compared(bytes: number): void;
  /** How long nothing more may be read, or compared; 0: it may. */
  waitMs(isComparing?: boolean): number;
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
  readonly #compared: TokenBucket;

  constructor({ clock, telemetry }: SourceBudgetsOptions) {
    this.#clock = clock;
    this.#telemetry = telemetry;
    this.#excessOfAll = new TokenBucket(EXCESS_OF_ALL_PER_SECOND, clock.monotonicMs(), EXCESS_BURST_SECONDS);
    this.#compared = new TokenBucket(COMPARED_PER_SECOND, clock.monotonicMs());
  }

  /** `bytesPerSecond`: of its rule. */
  of(source: string, bytesPerSecond: number | undefined): SourceBudget {
    const bytesBucket = bytesPerSecond === undefined ? null : this.#bytesOf(source, bytesPerSecond);
    return {
      spend: (bytes, lines, written = bytes) => {
        bytesBucket?.take(bytes, this.#clock.monotonicMs());
        const excess = excessOf(bytes, lines, written);
        if (excess > 0) this.#spendExcess(source, excess);
      },
      compared: (bytes) => this.#compared.take(bytes, this.#clock.monotonicMs()),
      waitMs: (isComparing = false) => {
        const nowMs = this.#clock.monotonicMs();
        if (isComparing) return this.#compared.waitMs(nowMs);
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

function excessOf(bytes: number, lines: number, written: number): number {
  const thin = lines - bytes / BYTES_PER_LINE;
  const packed = lines - written * PACKED_PER_BYTE;
  return Math.max(thin, packed / PACKED_PER_THIN, Math.min(thin, packed) * THIN_AND_PACKED);
}

function forgetUnused(buckets: Map<string, TokenBucket>, burst: number, nowMs: number): void {
  if (buckets.size < BUCKETS_MAX) return;
  for (const [source, bucket] of buckets) if (bucket.has(burst, nowMs)) buckets.delete(source);
}
