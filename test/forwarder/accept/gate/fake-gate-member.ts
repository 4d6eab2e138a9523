// Connections of the reading gate that are told what to do, and senders that send at a rate.

import type { GateEviction, GateMember, GatePass } from '#forwarder/accept/gate/gate-network.ts';
import { ReadingGate } from '#forwarder/accept/gate/reading-gate.ts';
import { VirtualClock } from '#test/memory/clock.ts';

export const KIB = 1024;
export const MIB = 1024 * KIB;

export class FakeMember implements GateMember {
  isWaiting = false;
  evictedWhy: GateEviction | null = null;
  isReading = true;
  bytesRead = 0;
  readonly pass: GatePass;
  readonly #gate: ReadingGate;

  constructor(gate: ReadingGate, network: string) {
    this.#gate = gate;
    this.pass = gate.enter(this, network);
    this.flow();
  }

  get isEvicted(): boolean {
    return this.evictedWhy !== null;
  }

  flow(): void {
    this.isReading = this.#gate.mayRead(this.pass);
  }

  evict(why: GateEviction): void {
    this.evictedWhy = why;
    this.#gate.leave(this.pass);
  }

  hold(bytes: number): void {
    this.read(Math.max(0, bytes - this.pass.bytes), bytes);
  }

  read(bytesRead: number, bytesHeld: number): void {
    this.bytesRead += bytesRead;
    this.#gate.update(this.pass, bytesHeld);
  }
}

/** What waits in the kernel for a connection that is not read. */
const KERNEL_BYTES = 256 * KIB;

/** Sends frame after frame; one that is closed comes back and begins its frame again. */
export class FakeSender {
  frames = 0;
  closings = 0;
  bytesPerMs: number;
  member: FakeMember;
  readonly #enter: () => FakeMember;
  readonly #frameBytes: number;
  #sent = 0;

  constructor(enter: () => FakeMember, { frameBytes, bytesPerMs }: { frameBytes: number; bytesPerMs: number }) {
    this.#enter = enter;
    this.#frameBytes = frameBytes;
    this.bytesPerMs = bytesPerMs;
    this.member = enter();
  }

  run(ms: number): void {
    if (this.member.isEvicted) {
      this.closings += 1;
      this.#sent = 0;
      this.member = this.#enter();
    }
    this.#sent = Math.min(KERNEL_BYTES, this.#sent + this.bytesPerMs * ms);
    while (this.#sent > 0 && this.member.isReading && !this.member.isEvicted) {
      const piece = Math.min(this.#sent, 64 * KIB);
      this.#sent -= piece;
      const held = this.member.pass.bytes + piece;
      this.frames += Math.floor(held / this.#frameBytes);
      this.member.read(piece, held % this.#frameBytes);
    }
  }
}

export function setUpGate(bytesMax = 64 * MIB) {
  const clock = new VirtualClock();
  const room = { hasRoom: true };
  const gate = new ReadingGate(bytesMax, clock, () => room.hasRoom);
  const enter = (network: string): FakeMember => new FakeMember(gate, network);
  return { clock, gate, room, enter };
}
