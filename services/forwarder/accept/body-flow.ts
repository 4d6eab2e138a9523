// Which of the bodies that are being read flow, and which stand still because there is no room for them.
//
// Guarantees: where a kind of bodies has no room any more, all of that kind stand still at the next piece of any; nobody is looked at
// twice for it, so a piece costs the same however many bodies are read; those that stand still go on one after another, the longest first,
// each with a piece before the next is asked; what stands still for longer than `waitMs` is told so.

import type { IncomingMessage } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#shared/clock.ts';
import { LARGE_BODY_BYTES } from './large-turns.ts';

/** What there is room for. */
interface BodyRoom {
  /** For bodies of any kind. */
  readonly forAll: () => boolean;
  /** For small ones, if not for all. */
  readonly forSmall: () => boolean;
  /** For small ones of this sender. */
  readonly forSmallOf: (sender: string) => boolean;
  /** Resolves when it is worth asking again whether there is room for all. */
  readonly changed: () => Promise<void>;
}

export interface BodyFlowOptions {
  readonly room: BodyRoom;
  readonly clock: Clock;
  readonly waitMs: number;
}

interface Reading {
  readonly sender: string;
  /** Of the body, as far as is known. */
  readonly bytes: number;
  /** It has stood still for too long. */
  readonly onOverdue: () => void;
}

interface Member {
  readonly reading: Reading;
  isLarge: boolean;
}

export class BodyFlow {
  readonly #options: BodyFlowOptions;
  readonly #members = new Map<IncomingMessage, Member>();
  /** Those that flow. */
  readonly #large = new Set<IncomingMessage>();
  readonly #smallOf = new Map<string, Set<IncomingMessage>>();
  /** Those that stand still, the longest first. */
  readonly #paused = new Map<IncomingMessage, Disposable>();
  #isResuming = false;

  constructor(options: BodyFlowOptions) {
    this.#options = options;
  }

  /** Until what it returns is disposed of, the request flows and stands still as there is room. */
  enter(request: IncomingMessage, reading: Reading): Disposable {
    const member = { reading, isLarge: isLarge(reading.bytes) };
    this.#members.set(request, member);
    this.#groupOf(member).add(request);
    return { [Symbol.dispose]: () => this.#leave(request, member) };
  }

  /** A piece came, and the body has so many bytes now. */
  took(request: IncomingMessage, bytes: number): void {
    const member = this.#members.get(request);
    if (!member) return;
    if (!member.isLarge && isLarge(bytes)) {
      const flows = this.#ungroup(request, member);
      member.isLarge = true;
      if (flows) this.#large.add(request);
    }
    const { room } = this.#options;
    if (room.forAll()) return;
    this.#pauseAll(this.#large);
    const { sender } = member.reading;
    if (!room.forSmall()) for (const small of this.#smallOf.values()) this.#pauseAll(small);
    else if (!room.forSmallOf(sender)) this.#pauseAll(this.#smallOf.get(sender));
  }

  #groupOf({ isLarge: isLargeOne, reading: { sender } }: Member): Set<IncomingMessage> {
    if (isLargeOne) return this.#large;
    let small = this.#smallOf.get(sender);
    if (!small) this.#smallOf.set(sender, (small = new Set()));
    return small;
  }

  /** Whether it was among those that flow. */
  #ungroup(request: IncomingMessage, member: Member): boolean {
    if (member.isLarge) return this.#large.delete(request);
    const { sender } = member.reading;
    const small = this.#smallOf.get(sender);
    const flowed = small?.delete(request) ?? false;
    if (small?.size === 0) this.#smallOf.delete(sender);
    return flowed;
  }

  #pauseAll(group: ReadonlySet<IncomingMessage> = new Set()): void {
    const { clock, waitMs } = this.#options;
    for (const request of group) {
      const member = this.#members.get(request);
      if (!member) continue;
      this.#ungroup(request, member);
      // What has come whole is in memory, whether it flows or not.
      if (request.complete) continue;
      request.pause();
      this.#paused.set(request, clock.timer(waitMs, member.reading.onOverdue));
    }
    if (this.#paused.size > 0 && !this.#isResuming) void this.#resumeInTurn();
  }

  async #resumeInTurn(): Promise<void> {
    const { room } = this.#options;
    this.#isResuming = true;
    while (this.#paused.size > 0) {
      if (room.forAll()) {
        const [request] = this.#paused.keys();
        if (request) this.#resume(request);
        await turn();
      } else {
        await room.changed();
      }
    }
    this.#isResuming = false;
  }

  #resume(request: IncomingMessage): void {
    this.#unpause(request);
    const member = this.#members.get(request);
    if (member) this.#groupOf(member).add(request);
    request.resume();
  }

  #unpause(request: IncomingMessage): boolean {
    this.#paused.get(request)?.[Symbol.dispose]();
    return this.#paused.delete(request);
  }

  #leave(request: IncomingMessage, member: Member): void {
    this.#ungroup(request, member);
    this.#members.delete(request);
    if (this.#unpause(request)) request.resume();
  }
}

function isLarge(bytes: number): boolean {
  return bytes > LARGE_BODY_BYTES;
}
