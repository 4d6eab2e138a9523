// A bound on what all connections of an input hold together beside the chunks in hand: frames that have not come whole, pieces that
// wait to be read, answers that their peers do not read. However many connections there are, and however slowly they send.
//
// At the limit the gate closes: of those that hold anything one is read at a time, a network after the other and of each the one that has
// waited longest, until there is room again. Whoever holds nothing still reads a piece, for which there is a reserve: most frames come whole
// in it. A connection that makes no use of its turn is closed, and so are, at once, those that hold a frame open and send next to nothing
// of it; and one that keeps its turn from others for long, of the network that holds most. Where those that wait for us (for a pass, for a
// rate) keep the gate shut though there is room for others, the largest of the network that holds most are closed.
//
// Guarantees: at most the limit, an eighth of it, one frame and one piece are held; while the gate is closed and there is room, something
// ends or somebody is closed, so it opens again; a peer whose frames come whole in a piece never counts; nobody is closed for waiting
// while there is room for nobody.

import type { Clock } from '#shared/clock.ts';
import { bytesByNetwork, largestFirst, StuckWatch } from './gate-relief.ts';

export interface GateMember {
  /** Waits for us (for room, for the thread pool), so that its silence is not its peer's. */
  readonly isWaiting: boolean;
  /** Reads on, or stops, as `mayRead` tells. */
  flow(): void;
  /** Others wait for what it holds. */
  evict(why: GateEviction): void;
}

/** Its peer was slow; or it waited for us, and held more than others. */
export type GateEviction = 'slow_when_full' | 'waiting_when_full';

/** How long a turn may pass without a byte. */
const TURN_MS = 100;
/** A turn of the network that holds most, while others wait for theirs. */
const TURN_MAX_MS = 10_000;
/** A frame that is older than this and came slower is let go first. */
const SLOW_AFTER_MS = 1000;
const SLOW_BYTES_PER_MS = 16;
/** The gate opens again when so much of the limit is free. */
const OPEN_SHARE = 0.75;
/** Of the limit, for those that hold nothing when the gate closes. */
const RESERVE_SHARE = 1 / 8;
/** Of the limit: who drains by less while the gate is closed is stuck. */
const DRAINED_SHARE = 1 / 16;

/** What one connection holds. */
export class GatePass {
  readonly member: GateMember;
  readonly network: string;
  bytes = 0;
  /** It holds a part of the reserve. */
  isNew = false;
  /** Since when it holds anything, monotonic. */
  sinceMs = 0;
  /** When that last changed. */
  changedMs = 0;

  constructor(member: GateMember, network: string) {
    this.member = member;
    this.network = network;
  }
}

export class ReadingGate {
  readonly #bytesMax: number;
  readonly #clock: Clock;
  readonly #hasRoom: () => boolean;
  readonly #passes = new Set<GatePass>();
  readonly #stuck: StuckWatch;
  #bytes = 0;
  #isClosed = false;
  #newBytes = 0;
  #isReserveFull = false;
  #turn: GatePass | null = null;
  #turnBegan = { ms: 0, bytes: 0 };
  /** Network → number of its last turn since the gate closed. */
  readonly #turnsOf = new Map<string, number>();
  #turns = 0;
  #timer: Disposable | null = null;
  #relief: Disposable | null = null;

  /** `hasRoom`: whether what is read now can go on; where it cannot, nobody is to blame for waiting. */
  constructor(bytesMax: number, clock: Clock, hasRoom: () => boolean = () => true) {
    this.#bytesMax = bytesMax;
    this.#clock = clock;
    this.#hasRoom = hasRoom;
    this.#stuck = new StuckWatch(bytesMax * DRAINED_SHARE);
  }

  /** Bytes that all connections hold. */
  get bytesHeld(): number {
    return this.#bytes;
  }

  /** `network`: of its peer. */
  enter(member: GateMember, network = ''): GatePass {
    const pass = new GatePass(member, network);
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
    return !this.#isClosed || pass === this.#turn || (pass.bytes === 0 && !this.#isReserveFull);
  }

  /** To be called whenever it has read, or its peer has. */
  update(pass: GatePass, bytes: number): void {
    if (bytes === pass.bytes) return;
    const nowMs = this.#clock.monotonicMs();
    const change = bytes - pass.bytes;
    const couldRead = this.mayRead(pass);
    if (pass.bytes === 0) {
      pass.sinceMs = nowMs;
      pass.isNew = this.#isClosed && pass !== this.#turn;
    }
    pass.changedMs = nowMs;
    this.#bytes += change;
    pass.bytes = bytes;
    if (pass.isNew) this.#newBytes += change;
    else if (change < 0) this.#stuck.drained(-change);
    if (bytes === 0) pass.isNew = false;
    if (!this.#isClosed) {
      if (this.#bytes > this.#bytesMax) this.#close(nowMs);
      return;
    }
    if (this.#bytes <= this.#bytesMax * OPEN_SHARE) return this.#open();
    if (pass === this.#turn && bytes === 0) this.#nextTurn();
    this.#lookAtReserve();
    if (couldRead !== this.mayRead(pass) && this.#passes.has(pass)) pass.member.flow();
  }

  #close(nowMs: number): void {
    this.#isClosed = true;
    this.#turnsOf.clear();
    this.#stuck.begin(nowMs);
    this.#relieveLater();
    for (const { member } of this.#passes) member.flow();
    const slow = [...this.#passes]
      .filter((pass) => isSlow(pass, nowMs))
      .sort((a, b) => rate(a, nowMs) - rate(b, nowMs));
    for (const { member } of slow) {
      if (!this.#isClosed) return;
      member.evict('slow_when_full');
    }
    if (this.#isClosed) this.#nextTurn();
  }

  #open(): void {
    this.#isClosed = false;
    this.#turn = null;
    this.#isReserveFull = false;
    this.#newBytes = 0;
    for (const pass of this.#passes) pass.isNew = false;
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    this.#relief?.[Symbol.dispose]();
    this.#relief = null;
    for (const { member } of this.#passes) member.flow();
  }

  /** Stops those that hold nothing, or lets them go on. */
  #lookAtReserve(): void {
    const reserve = this.#bytesMax * RESERVE_SHARE;
    const isFull = this.#newBytes > (this.#isReserveFull ? reserve * OPEN_SHARE : reserve);
    if (isFull === this.#isReserveFull) return;
    this.#isReserveFull = isFull;
    for (const { bytes, member } of this.#passes) if (bytes === 0) member.flow();
  }

  /** To whoever holds anything and does not wait for us: of the network whose last turn is longest ago, who does so for the longest time. */
  #nextTurn(): void {
    const last = this.#turn;
    let next: GatePass | null = null;
    for (const pass of this.#ready()) if (next === null || this.#isBefore(pass, next)) next = pass;
    this.#turn = next;
    if (next) this.#turnsOf.set(next.network, ++this.#turns);
    const beganMs = this.#clock.monotonicMs();
    if (next !== last) this.#turnBegan = { ms: beganMs, bytes: next?.bytes ?? 0 };
    last?.member.flow();
    next?.member.flow();
    if (next?.isNew) {
      // It may go on to the end of its frame, which others shall not wait for.
      next.isNew = false;
      this.#newBytes -= next.bytes;
      this.#lookAtReserve();
    }
    this.#judgeAfter(beganMs);
  }

  *#ready(): Generator<GatePass> {
    for (const pass of this.#passes) if (pass.bytes > 0 && !pass.member.isWaiting) yield pass;
  }

  #isBefore(a: GatePass, b: GatePass): boolean {
    const turnOf = ({ network }: GatePass): number => this.#turnsOf.get(network) ?? 0;
    return turnOf(a) === turnOf(b) ? a.sinceMs < b.sinceMs : turnOf(a) < turnOf(b);
  }

  #judgeAfter(sinceMs: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.timer(TURN_MS, () => this.#judge(sinceMs));
  }

  /** Whether the turn was used since it was looked at last. */
  #judge(sinceMs: number): void {
    const turn = this.#turn;
    if (!turn || turn.member.isWaiting) return this.#nextTurn();
    const nowMs = this.#clock.monotonicMs();
    const isUsed = turn.changedMs > sinceMs && !this.#dawdles(turn, nowMs) && !this.#keepsOut(turn, nowMs);
    if (isUsed) return this.#judgeAfter(nowMs);
    turn.member.evict('slow_when_full');
    if (this.#isClosed && this.#turn === turn) this.#nextTurn();
  }

  /** A byte now and then keeps no turn. */
  #dawdles({ bytes }: GatePass, nowMs: number): boolean {
    const tookMs = nowMs - this.#turnBegan.ms;
    return tookMs >= SLOW_AFTER_MS && bytes - this.#turnBegan.bytes < SLOW_BYTES_PER_MS * tookMs;
  }

  /** Frames that come just fast enough, one after another, keep the gate shut for others for as long as their network likes. */
  #keepsOut({ network }: GatePass, nowMs: number): boolean {
    if (nowMs - this.#turnBegan.ms < TURN_MAX_MS) return false;
    const held = bytesByNetwork(this.#passes);
    const most = Math.max(...held.values());
    return held.get(network) === most && this.#ready().some((pass) => pass.network !== network);
  }

  #relieveLater(): void {
    this.#relief = this.#clock.timer(TURN_MS, () => {
      this.#relieve();
      if (this.#isClosed) this.#relieveLater();
    });
  }

  /** Closes those that wait and keep the gate shut, until it opens. */
  #relieve(): void {
    const waiting = [...this.#passes].filter(({ bytes, member }) => bytes > 0 && member.isWaiting);
    const bytes = waiting.reduce((sum, pass) => sum + pass.bytes, 0);
    const keepShut = bytes > this.#bytesMax * OPEN_SHARE && this.#hasRoom();
    if (!this.#stuck.isStuck(keepShut, this.#clock.monotonicMs())) return;
    for (const pass of largestFirst(waiting)) {
      if (!this.#isClosed) return;
      pass.member.evict('waiting_when_full');
    }
  }
}

function isSlow(pass: GatePass, nowMs: number): boolean {
  if (pass.bytes === 0 || pass.member.isWaiting) return false;
  return nowMs - pass.sinceMs >= SLOW_AFTER_MS && rate(pass, nowMs) < SLOW_BYTES_PER_MS;
}

function rate(pass: GatePass, nowMs: number): number {
  return pass.bytes / Math.max(1, nowMs - pass.sinceMs);
}
