// A bound on what all connections of an input hold together beside the chunks in hand: frames that have not come whole,
// pieces that wait to be read, answers that their peers do not read. However many connections there are, and however
// slowly they send.
//
//   share     A network reads freely while it holds no more than it leaves free. So one alone may hold half of the
//             limit, two a third each, and something is always left for the next.
//   turns     Beyond its share one connection at a time is read, for 250 ms: of the network that has waited longest
//             who has waited longest there. Well beyond its share a network goes on with the same connection until its
//             frame ends. Where others wait, who brings less than 64 KiB in its turn, and less than it holds, is closed
//             (`slow_when_full`); at once those that sent next to nothing while nobody stopped them.
//   reserve   Whoever holds nothing still reads a piece: for that a network may hold an eighth of the limit beyond its
//             share.
//   waiting   Where those that wait for us (a rate, the thread pool) keep others from being read though there is room,
//             the largest of the network that holds most are closed (`waiting_when_full`).
//
// Guarantees: at most the limit, an eighth of it, one frame and two pieces are held; a network within its share waits
// for no other one, and one beyond it for a turn of each of the others, but while the limit itself is passed; nobody is
// closed while nobody else waits, or for waiting while there is room for nobody. What a connection that reads, comes or
// goes costs does not grow with how many there are, but for a logarithm, and for telling those of a network that it is
// read by turns, or freely, again.

import type { Clock } from '#shared/clock.ts';
import { type GateMember, GateNetwork, GatePass, rotate } from './gate-network.ts';
import { ClosedNetworks } from './closed-networks.ts';
import { Largest } from './gate-largest.ts';

const TURN_MS = 250;
/** What a good sender brings in a turn at least: as much as one read may. */
const TURN_BYTES = 64 * 1024;
/** A network reads freely again when it holds so much of its share. */
const OPEN_SHARE = 0.75;
/** Of the limit, for those that hold nothing. */
const RESERVE_SHARE = 1 / 8;

interface Turn {
  readonly pass: GatePass;
  /** What it held when the turn began, and when its time was counted from last. */
  readonly bytesAtFirst: number;
  readonly bytes: number;
  readonly bytesRead: number;
  /** It waited for us meanwhile. */
  isExcused: boolean;
}

export class ReadingGate {
  readonly #bytesMax: number;
  readonly #clock: Clock;
  readonly #hasRoom: () => boolean;
  readonly #networks = new Map<string, GateNetwork>();
  readonly #closed = new ClosedNetworks();
  /** All connections; who was stopped when that was asked last comes first. */
  readonly #passes = new Set<GatePass>();
  #bytes = 0;
  /** The reserve is used up: nobody but the turn is read. */
  #isFull = false;
  #turn: Turn | null = null;
  #turnTimer: Disposable | null = null;
  #reliefTimer: Disposable | null = null;

  /** `hasRoom`: whether what is read now can go on; where it cannot, nobody is to blame for waiting. */
  constructor(bytesMax: number, clock: Clock, hasRoom: () => boolean = () => true) {
    this.#bytesMax = bytesMax;
    this.#clock = clock;
    this.#hasRoom = hasRoom;
  }

  /** Bytes that all connections hold. */
  get bytesHeld(): number {
    return this.#bytes;
  }

  /** `name`: of its peer's network. */
  enter(member: GateMember, name = ''): GatePass {
    const network = this.#networks.get(name) ?? new GateNetwork(name, this.#clock);
    this.#networks.set(name, network);
    const pass = new GatePass(member, network);
    network.passes.add(pass);
    this.#passes.add(pass);
    return pass;
  }

  /** What it holds is given back; nothing counts for it any more. */
  leave(pass: GatePass): void {
    const { network } = pass;
    if (!network.passes.delete(pass)) return;
    this.#passes.delete(pass);
    if (network.passes.size === 0) {
      this.#networks.delete(network.name);
      this.#closed.delete(network);
    }
    if (pass.bytes > 0) this.#change(pass, -pass.bytes);
    this.#rest();
  }

  /** It waited for us until now: its peer begins anew. */
  resumed(pass: GatePass): void {
    pass.start(this.#clock.monotonicMs());
    if (this.#turn?.pass === pass) this.#turn.isExcused = true;
  }

  mayRead(pass: GatePass): boolean {
    if (pass === this.#turn?.pass) return true;
    if (this.#isFull) return false;
    return !pass.network.isClosed || (pass.bytes === 0 && pass.network.takesNew);
  }

  /** To be called whenever it has read, or its peer has. Nothing where it has left. */
  update(pass: GatePass, bytes: number): void {
    if (bytes === pass.bytes || !pass.network.passes.has(pass)) return;
    const couldRead = this.mayRead(pass);
    this.#change(pass, bytes - pass.bytes);
    if (couldRead !== this.mayRead(pass) && pass.network.passes.has(pass)) pass.member.flow();
  }

  #change(pass: GatePass, change: number): void {
    const { network } = pass;
    network.add(pass, change);
    this.#closed.update(network);
    this.#bytes += change;
    if (change > 0) this.#grew(network);
    else this.#shrank();
    // A frame has ended: the next one of the same connection waits as those of others do.
    if (pass === this.#turn?.pass && (pass.bytes === 0 || change <= -TURN_BYTES)) this.#nextTurn();
  }

  /** What a network may hold: as much as is free, and a part of the reserve. */
  #share(ofReserve = 0): number {
    return this.#bytesMax * (1 + RESERVE_SHARE * ofReserve) - this.#bytes;
  }

  #grew(network: GateNetwork): void {
    if (!this.#isFull && this.#share(1) < 0) {
      this.#isFull = true;
      for (const each of this.#networks.values()) if (each.bytes > 0 && each !== network) this.#take(each);
      this.#flowAll();
    }
    if (network.isClosed) this.#checkReserve(network);
    else if (network.bytes > this.#share()) this.#close(network);
  }

  #shrank(): void {
    if (this.#isFull && this.#share(OPEN_SHARE) >= 0) {
      this.#isFull = false;
      this.#flowAll();
    }
    // Of the others too only those that hold least can have become free by it.
    for (let least; (least = this.#closed.least) && least.bytes <= this.#share() * OPEN_SHARE;) this.#open(least);
    for (let least; (least = this.#closed.leastRefusing) && least.bytes < this.#share(OPEN_SHARE);)
      this.#checkReserve(least);
    this.#rest();
  }

  #close(network: GateNetwork): void {
    const slow = network.slow();
    this.#take(network);
    this.#checkReserve(network);
    for (const { member } of network.passes) member.flow();
    for (const pass of slow) {
      if (!network.isClosed || !this.#othersWait(pass)) break;
      pass.member.evict('slow_when_full');
    }
    if (!network.isClosed) return;
    if (!this.#turn) this.#nextTurn();
    this.#reliefTimer ??= this.#relieveLater();
  }

  /** From now on it is read by turns. */
  #take(network: GateNetwork): void {
    if (network.isClosed) return;
    network.close();
    this.#closed.add(network);
  }

  #open(network: GateNetwork): void {
    network.open();
    this.#closed.delete(network);
    for (const { member } of network.passes) member.flow();
    if (this.#turn?.pass.network === network && !this.#isFull) this.#nextTurn();
  }

  /** Nobody waits: neither turns nor checks are needed. */
  #rest(): void {
    if (this.#closed.count > 0 || this.#isFull) return;
    this.#turn = null;
    this.#turnTimer?.[Symbol.dispose]();
    this.#reliefTimer?.[Symbol.dispose]();
    this.#turnTimer = this.#reliefTimer = null;
  }

  #flowAll(): void {
    for (const { passes } of this.#networks.values()) for (const { member } of passes) member.flow();
  }

  /** Stops those of the network that hold nothing, or lets them go on. */
  #checkReserve(network: GateNetwork): void {
    const takesNew = network.bytes < this.#share(network.takesNew ? 1 : OPEN_SHARE);
    if (takesNew === network.takesNew) return;
    network.takesNew = takesNew;
    this.#closed.update(network);
    for (const { bytes, member } of network.passes) if (bytes === 0) member.flow();
  }

  /** To the network that has waited longest. `keepsPlace`: the next turn of its network is for the same connection. */
  #nextTurn(keepsPlace = false): void {
    const turn = this.#turn;
    const last = turn?.pass;
    this.#turn = null;
    this.#turnTimer?.[Symbol.dispose]();
    this.#turnTimer = null;
    if (last) {
      this.#closed.hadTurn(last.network);
      if (!keepsPlace) last.network.hadTurn(last);
      this.#makeRoom(last, last.bytes - turn.bytesAtFirst);
    }
    const next = this.#next();
    if (next) this.#startTurn(next);
    if (last !== next) {
      last?.member.flow();
      next?.member.flow();
    }
  }

  #next(): GatePass | null {
    return this.#isTight && !this.#hasRoom() ? null : this.#closed.next();
  }

  /** The limit is passed: only frames that end help. */
  get #isTight(): boolean {
    return this.#share(1 / 2) < 0;
  }

  #startTurn(pass: GatePass, bytesAtFirst = pass.bytes): void {
    const { bytes } = pass;
    const turn = { pass, bytesAtFirst, bytes, bytesRead: pass.member.bytesRead, isExcused: false };
    this.#turn = turn;
    // In two halves: the loop reads between them, however long it stood still.
    this.#turnTimer = this.#clock.timer(TURN_MS / 2, () => {
      this.#turnTimer = this.#clock.timer(TURN_MS / 2, () => this.#endTurn(turn));
    });
  }

  #endTurn(turn: Turn): void {
    const { pass, bytes, bytesRead, isExcused } = turn;
    const { member } = pass;
    if (member.isWaiting || isExcused) return this.#nextTurn();
    if (!this.#othersWait(pass)) return this.#startTurn(pass, turn.bytesAtFirst);
    // Who holds little need not bring more than that: its frames are small, and come through.
    if (member.bytesRead - bytesRead < Math.min(TURN_BYTES, pass.bytes)) {
      member.evict('slow_when_full');
      if (this.#turn === turn) this.#nextTurn();
      return;
    }
    // Were others to grow as well, more than one frame would be held beyond the limit, or beyond the share.
    const isGrowing = pass.bytes - bytes >= TURN_BYTES;
    if (isGrowing && this.#isTight) return this.#startTurn(pass, turn.bytesAtFirst);
    this.#nextTurn(isGrowing && pass.network.bytes > this.#share(1 / 2));
  }

  #othersWait(pass: GatePass): boolean {
    return rotate(this.#passes, (other) => other !== pass && this.#isStopped(other)) !== null;
  }

  #isStopped(pass: GatePass): boolean {
    return !this.mayRead(pass) && !pass.member.isWaiting;
  }

  /** Where all is full each turn leaves no more than it found: the largest go, of the network that holds most. */
  #makeRoom(but: GatePass, bytes: number): void {
    if (bytes <= 0 || !this.#isFull) return;
    const largest = new Largest(this.#closed, (pass) => pass !== but);
    for (let left = bytes; left > 0 && this.#isFull && this.#hasRoom();) {
      const pass = largest.take(false);
      if (!pass) return;
      left -= pass.bytes;
      pass.member.evict(pass.member.isWaiting ? 'waiting_when_full' : 'slow_when_full');
    }
  }

  #relieveLater(): Disposable {
    return this.#clock.timer(TURN_MS / 2, () => {
      this.#reliefTimer = this.#relieveLater();
      this.#relieve();
      if (!this.#turn) this.#nextTurn();
      this.#rest();
    });
  }

  /**
   * Closes those that wait for us and stop others, always the largest of the network that holds most, until it reads
   * freely.
   */
  #relieve(): void {
    const bytesMax = this.#hasRoom() ? Math.max(0, this.#share() * OPEN_SHARE) : Infinity;
    const stuck = [...this.#closed].filter(
      (network) => network.isStuck(bytesMax) && network.passes.values().some((pass) => this.#isStopped(pass)),
    );
    const largest = new Largest(stuck, ({ member }) => member.isWaiting);
    for (let pass; (pass = largest.take(true));) pass.member.evict('waiting_when_full');
  }
}
