// What the connections of one network hold of the reading gate, and which of them comes next.
//
// Guarantee: `add` takes constant time, and `next` as well but for those that it passes over: they go to the end of the
// queue, so that nobody is passed over again before all others were.

import type { Clock } from '#shared/clock.ts';
import { Heap } from '#shared/collections/heap.ts';

export interface GateMember {
  /** Waits for us (for room, for the thread pool), so that its silence is not its peer's. */
  readonly isWaiting: boolean;
  /** Bytes that were read from its peer, ever: frames that go to a file do not show in what it holds. */
  readonly bytesRead: number;
  /** Reads on, or stops, as `mayRead` tells. */
  flow(): void;
  /** Others wait for what it holds. */
  evict(why: GateEviction): void;
}

/** Its peer was slow; or it waited for us, and held more than others. */
export type GateEviction = 'slow_when_full' | 'waiting_when_full';

/** A frame that is older than this and came slower is let go first. */
const SLOW_AFTER_MS = 1000;
const SLOW_BYTES_PER_MS = 16;
/**
 * Those who wait for us may keep their network stopped so long, while they drain by less than a share of what it holds.
 */
const STUCK_AFTER_MS = 1000;
const DRAINED_SHARE = 1 / 16;

/** What one connection holds. */
export class GatePass {
  readonly member: GateMember;
  readonly network: GateNetwork;
  bytes = 0;
  /** Since when it has read freely what it holds beyond `freelyFrom`, monotonic. */
  freelySinceMs = 0;
  freelyFrom = 0;

  constructor(member: GateMember, network: GateNetwork) {
    this.member = member;
    this.network = network;
  }

  /** It reads freely from now on. */
  start(nowMs: number): void {
    this.freelySinceMs = nowMs;
    this.freelyFrom = this.bytes;
  }

  isSlow(nowMs: number): boolean {
    if (this.bytes === 0 || this.member.isWaiting) return false;
    return nowMs - this.freelySinceMs >= SLOW_AFTER_MS && this.rate(nowMs) < SLOW_BYTES_PER_MS;
  }

  rate(nowMs: number): number {
    return (this.bytes - this.freelyFrom) / Math.max(1, nowMs - this.freelySinceMs);
  }
}

export class GateNetwork {
  readonly name: string;
  readonly #clock: Clock;
  readonly passes = new Set<GatePass>();
  /** Those that hold anything; who has waited longest for a turn comes first. */
  readonly #queue = new Set<GatePass>();
  bytes = 0;
  /** It holds more than its share: its connections are read by turns. */
  isClosed = false;
  /** Those that hold nothing are still read then. */
  takesNew = true;
  #stuckSinceMs = 0;
  #drained = 0;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
  }

  close(): void {
    this.isClosed = true;
    this.#watchAnew(this.#clock.monotonicMs());
  }

  open(): void {
    this.isClosed = false;
    this.takesNew = true;
    const nowMs = this.#clock.monotonicMs();
    for (const pass of this.passes) pass.start(nowMs);
  }

  add(pass: GatePass, change: number): void {
    if (pass.bytes === 0) {
      pass.start(this.#clock.monotonicMs());
      this.#queue.add(pass);
    }
    pass.bytes += change;
    if (pass.bytes === 0) this.#queue.delete(pass);
    this.bytes += change;
    if (change < 0) this.#drained -= change;
  }

  /** Those that held a frame open while nobody stopped them, and sent next to nothing of it; the slowest first. */
  slow(): GatePass[] {
    const nowMs = this.#clock.monotonicMs();
    return [...this.#queue].filter((pass) => pass.isSlow(nowMs)).sort((a, b) => a.rate(nowMs) - b.rate(nowMs));
  }

  /** Whose turn it is: who has waited longest; null where nobody can use one. */
  next(): GatePass | null {
    return rotate(this.#queue, ({ member }) => !member.isWaiting);
  }

  /** It had its turn. */
  hadTurn(pass: GatePass): void {
    if (this.#queue.delete(pass)) this.#queue.add(pass);
  }

  /** Those of a kind, the largest first, then the youngest. */
  largest(isOfKind: (pass: GatePass) => boolean): Heap<GatePass> {
    const before = (a: GatePass, b: GatePass): boolean =>
      a.bytes === b.bytes ? a.freelySinceMs > b.freelySinceMs : a.bytes > b.bytes;
    return new Heap(before, this.#queue.values().filter(isOfKind));
  }

  /**
   * Whether those that wait for us have held more than `bytesMax` for long without draining. To be asked again and
   * again.
   */
  isStuck(bytesMax: number): boolean {
    let waiting = 0;
    for (const { bytes, member } of this.#queue) if (member.isWaiting) waiting += bytes;
    const nowMs = this.#clock.monotonicMs();
    if (waiting <= bytesMax || this.#drained >= this.bytes * DRAINED_SHARE) this.#watchAnew(nowMs);
    return nowMs - this.#stuckSinceMs >= STUCK_AFTER_MS;
  }

  #watchAnew(nowMs: number): void {
    this.#stuckSinceMs = nowMs;
    this.#drained = 0;
  }
}

/**
 * The first that fits; those before it that do not go to the end. So whoever asks again does not look at them again.
 */
export function rotate<T>(queue: Set<T>, fits: (one: T) => boolean): T | null {
  let left = queue.size;
  for (const one of queue) {
    if (fits(one)) return one;
    if (left === 0) break;
    left -= 1;
    queue.delete(one);
    queue.add(one);
  }
  return null;
}
