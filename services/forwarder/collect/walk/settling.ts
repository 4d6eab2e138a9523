// Files under a name that rotation gives, as long as they may still be written: a copy is told by its content when all
// of it is there.
//
// Guarantees: a file is settled when nothing was written to it for a while; one that was found not to be whole, when
// nothing was for longer: who compresses writes in large pieces, with pauses between them, and a busy disk makes pauses
// of its own. No file is waited for for ever. Clocks that jump make no file older: it is as old as the clock says, but
// no older than the newest file makes it; and one that was seen to grow is as old as that.

import type { Clock } from '#shared/clock.ts';

/** As a walk finds it. */
interface SeenFile {
  readonly identity: string;
  readonly size: number;
  readonly writtenMs: number;
  /** What its source is called. */
  readonly base: string;
}

/** Whoever makes a copy writes to it in shorter intervals. */
const SETTLE_MS = 1000;
/** Whoever compresses (`zstd -19`) does so in these, and so does who copies to a disk that is busy. */
const UNFINISHED_MS = 60_000;
/** No copy takes so long: the file has such a name, and is written. */
const ENDLESS_MS = 60_000;

/** A file that may still be written, as it was when it was first seen so. */
interface Unsettled {
  readonly source: string;
  readonly size: number;
  readonly writtenMs: number;
  readonly firstMs: number;
  /** Settled then, if nothing is written before. */
  readonly settledMs: number;
}

export class Settling {
  readonly #clock: Clock;
  readonly #unsettled = new Map<string, Unsettled>();
  readonly #settled = new Set<string>();
  /** Those that were not whole: the size with which they were waited for. */
  readonly #waitedFor = new Map<string, number>();
  /** By a monotonic clock: when they were last seen to have changed. */
  readonly #changedMs = new Map<string, number>();
  /** The time of the last write to any file, as the last walk over all found them. */
  newestMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of the files that may still be written. */
  *sources(): IterableIterator<string> {
    for (const { source } of this.#unsettled.values()) yield source;
  }

  /** Whether nobody writes to it any more, or it is one that is written for ever. */
  isSettled({ identity, size, writtenMs, base }: SeenFile, isFirstWalk: boolean): boolean {
    if (this.#settled.has(identity)) return true;
    const nowMs = this.#clock.monotonicMs();
    const before = this.#unsettled.get(identity);
    const isSame = before?.size === size && before.writtenMs === writtenMs;
    const isLongSince = this.#ageMs(writtenMs) > 2 * SETTLE_MS;
    if (before !== undefined && !isSame) this.#changedMs.set(identity, nowMs);
    const isEndless = before !== undefined && nowMs - before.firstMs >= ENDLESS_MS;
    const wasWaitedFor = this.#waitedFor.has(identity);
    if ((isFirstWalk && isLongSince && !wasWaitedFor) || (isSame && nowMs >= before.settledMs) || isEndless) {
      this.#unsettled.delete(identity);
      this.#settled.add(identity);
      return true;
    }
    const seen = { source: base, size, writtenMs, firstMs: before?.firstMs ?? nowMs, settledMs: nowMs + SETTLE_MS };
    if (!isSame) this.#unsettled.set(identity, seen);
    return false;
  }

  /** Of a file that is not whole, or a part of a copy: whether the rest may come. Then it is not settled. */
  mayGrow({ identity, size, writtenMs, base }: SeenFile): boolean {
    const nowMs = this.#clock.monotonicMs();
    const hasChanged = nowMs - (this.#changedMs.get(identity) ?? Number.NEGATIVE_INFINITY) < UNFINISHED_MS;
    const isLongSince = this.#ageMs(writtenMs) >= UNFINISHED_MS && !hasChanged;
    if (isLongSince || this.#waitedFor.get(identity) === size) return false;
    this.#waitedFor.set(identity, size);
    this.#settled.delete(identity);
    const seen = { source: base, size, writtenMs, firstMs: nowMs, settledMs: nowMs + UNFINISHED_MS };
    this.#unsettled.set(identity, seen);
    return true;
  }

  #ageMs(writtenMs: number): number {
    return Math.min(this.#clock.epochMs(), this.newestMs) - writtenMs;
  }

  /** Files that are gone need not be waited for. */
  keep(present: ReadonlySet<string>): void {
    for (const known of [this.#unsettled, this.#settled, this.#waitedFor, this.#changedMs])
      for (const identity of known.keys()) if (!present.has(identity)) known.delete(identity);
  }
}
