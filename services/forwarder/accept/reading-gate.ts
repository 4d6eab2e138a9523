// A bound on what all connections of an input hold together beside the chunks in hand: frames that have not come whole, pieces that
// wait to be read, answers that their peers do not read. However many connections there are, and however slowly they send.
//
// At the limit the gate closes: nobody is read but one connection at a time, the one that has waited longest, until there is room
// again. A connection that makes no use of its turn is closed, and so are, at once, those that hold a frame open and send next to
// nothing of it: they are what the others wait for.
//
// Guarantees: at most the limit, one frame and one piece are held; while the gate is closed something ends or somebody is closed
// every `TURN_MS`, so it opens again; a peer whose frames come whole in a piece never counts.

import type { Clock } from '#shared/clock.ts';

export interface GateMember {
  /** Waits for us (for room, for the thread pool), so that its silence is not its peer's. */
  readonly isWaiting: boolean;
  /** Reads on, or stops, as `mayRead` tells. */
  flow(): void;
  /** Others wait for what it holds. */
  evict(): void;
}

/** How long a turn may pass without a byte. */
const TURN_MS = 100;
/** A frame that is older than this and came slower is let go first. */
const SLOW_AFTER_MS = 1000;
const SLOW_BYTES_PER_MS = 16;
/** The gate opens again when so much of the limit is free. */
const OPEN_SHARE = 0.75;

/** What one connection holds. */
export class GatePass {
  readonly member: GateMember;
  bytes = 0;
  /** Since when it holds anything, monotonic. */
  sinceMs = 0;
  /** When that last changed. */
  changedMs = 0;

  constructor(member: GateMember) {
    this.member = member;
  }
}

export class ReadingGate {
  readonly #bytesMax: number;
  readonly #clock: Clock;
  readonly #passes = new Set<GatePass>();
  #bytes = 0;
  #isClosed = false;
  #turn: GatePass | null = null;
  #timer: Disposable | null = null;

  constructor(bytesMax: number, clock: Clock) {
    this.#bytesMax = bytesMax;
    this.#clock = clock;
  }

  /** Bytes that all connections hold. */
  get bytesHeld(): number {
    return this.#bytes;
  }

  enter(member: GateMember): GatePass {
    const pass = new GatePass(member);
    this.#passes.add(pass);
    return pass;
  }

  leave(pass: GatePass): void {
    this.#passes.delete(pass);
    this.update(pass, 0);
  }

  /** It waited for us until now: its peer begins anew. */
  resumed(pass: GatePass): void {
    pass.sinceMs = pass.changedMs = this.#clock.monotonicMs();
  }

  mayRead(pass: GatePass): boolean {
    return !this.#isClosed || pass === this.#turn;
  }

  /** To be called whenever it has read, or its peer has. */
  update(pass: GatePass, bytes: number): void {
    if (bytes === pass.bytes) return;
    const nowMs = this.#clock.monotonicMs();
    if (pass.bytes === 0) pass.sinceMs = nowMs;
    pass.changedMs = nowMs;
    this.#bytes += bytes - pass.bytes;
    pass.bytes = bytes;
    if (this.#isClosed) {
      if (this.#bytes <= this.#bytesMax * OPEN_SHARE) this.#open();
      else if (pass === this.#turn && bytes === 0) this.#nextTurn();
    } else if (this.#bytes > this.#bytesMax) {
      this.#close(nowMs);
    }
  }

  #close(nowMs: number): void {
    this.#isClosed = true;
    for (const { member } of this.#passes) member.flow();
    const slow = [...this.#passes]
      .filter((pass) => isSlow(pass, nowMs))
      .sort((a, b) => rate(a, nowMs) - rate(b, nowMs));
    for (const { member } of slow) {
      if (!this.#isClosed) return;
      member.evict();
    }
    if (this.#isClosed) this.#nextTurn();
  }

  #open(): void {
    this.#isClosed = false;
    this.#turn = null;
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    for (const { member } of this.#passes) member.flow();
  }

  /** To whoever holds anything for the longest time and does not wait for us. */
  #nextTurn(): void {
    const last = this.#turn;
    let next: GatePass | null = null;
    for (const pass of this.#passes) {
      if (pass.bytes === 0 || pass.member.isWaiting) continue;
      if (next === null || pass.sinceMs < next.sinceMs) next = pass;
    }
    this.#turn = next;
    last?.member.flow();
    next?.member.flow();
    this.#timer?.[Symbol.dispose]();
    const beganMs = this.#clock.monotonicMs();
    this.#timer = this.#clock.timer(TURN_MS, () => this.#judge(beganMs));
  }

  /** Whether the turn was used since it was looked at last. */
  #judge(sinceMs: number): void {
    const turn = this.#turn;
    if (!turn || turn.member.isWaiting) return this.#nextTurn();
    if (turn.changedMs > sinceMs) {
      const nowMs = this.#clock.monotonicMs();
      this.#timer = this.#clock.timer(TURN_MS, () => this.#judge(nowMs));
      return;
    }
    turn.member.evict();
    if (this.#isClosed && this.#turn === turn) this.#nextTurn();
  }
}

function isSlow(pass: GatePass, nowMs: number): boolean {
  if (pass.bytes === 0 || pass.member.isWaiting) return false;
  return nowMs - pass.sinceMs >= SLOW_AFTER_MS && rate(pass, nowMs) < SLOW_BYTES_PER_MS;
}

function rate(pass: GatePass, nowMs: number): number {
  return pass.bytes / Math.max(1, nowMs - pass.sinceMs);
}
