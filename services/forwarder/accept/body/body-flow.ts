// Which of the bodies that are being read flow, and which stand still because there is no room for them.
//
// Guarantees: where a kind of bodies has no room any more, all of that kind stand still at the next piece of any;
// nobody is looked at twice for it, so a piece costs the same however many bodies are read; those that stand still go
// on one after another, senders of large ones in turns and of each the longest first, each with a piece before the next
// is asked; what stands still for longer than `waitMs` is told so. Of a sender that has its share of large ones, one
// goes on alone, so that they do not wait for each other.

import type { IncomingMessage } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#shared/clock.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';

/** What there is room for. */
interface BodyRoom {
  /** For bodies of any kind. */
  readonly forAll: () => boolean;
  /** For large ones of this sender, if for all. */
  readonly forLargeOf: (sender: string) => boolean;
  /** For one of them alone. */
  readonly forOneLargeOf: (sender: string) => boolean;
  /** For small ones, if not for all. */
  readonly forSmall: () => boolean;
  /** For small ones of this sender. */
  readonly forSmallOf: (sender: string) => boolean;
  /** Resolves when it is worth asking again whether there is room. */
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
  readonly #largeOf = new Map<string, Set<IncomingMessage>>();
  readonly #smallOf = new Map<string, Set<IncomingMessage>>();
  /**
   * Those that stand still, the longest first: small ones together (null), large ones by sender, of which the first has
   * waited for its turn longest.
   */
  readonly #paused = new Map<string | null, Map<IncomingMessage, Disposable>>();
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
      const standing = this.#takeStanding(request, member);
      member.isLarge = true;
      if (flows) this.#groupOf(member).add(request);
      else if (standing) this.#standing(member).set(request, standing);
    }
    const { room } = this.#options;
    const { sender } = member.reading;
    if (room.forAll()) {
      if (member.isLarge && !room.forLargeOf(sender)) this.#leaveOne(sender);
      return;
    }
    for (const large of this.#largeOf.values()) this.#pauseAll(large);
    if (!room.forSmall()) for (const small of this.#smallOf.values()) this.#pauseAll(small);
    else if (!room.forSmallOf(sender)) this.#pauseAll(this.#smallOf.get(sender));
  }

  #groupOf(member: Member): Set<IncomingMessage> {
    const groups = this.#groupsOf(member);
    const { sender } = member.reading;
    let group = groups.get(sender);
    if (!group) groups.set(sender, (group = new Set()));
    return group;
  }

  #groupsOf(member: Member): Map<string, Set<IncomingMessage>> {
    return member.isLarge ? this.#largeOf : this.#smallOf;
  }

  /** The sender's large bodies stand still but for one, and that too where it has no room. */
  #leaveOne(sender: string): void {
    const group = this.#largeOf.get(sender);
    const [one] = group ?? [];
    this.#pauseAll(group, this.#options.room.forOneLargeOf(sender) ? one : undefined);
  }

  /** Whether it was among those that flow. */
  #ungroup(request: IncomingMessage, member: Member): boolean {
    const groups = this.#groupsOf(member);
    const { sender } = member.reading;
    const group = groups.get(sender);
    const flowed = group?.delete(request) ?? false;
    if (group?.size === 0) groups.delete(sender);
    return flowed;
  }

  #pauseAll(group: ReadonlySet<IncomingMessage> = new Set(), but?: IncomingMessage): void {
    const { clock, waitMs } = this.#options;
    for (const request of group) {
      if (request === but) continue;
      const member = this.#members.get(request);
      if (!member) continue;
      this.#ungroup(request, member);
      // What has come whole is in memory, whether it flows or not.
      if (request.complete) continue;
      request.pause();
      this.#standing(member).set(request, clock.timer(waitMs, member.reading.onOverdue));
    }
    if (this.#paused.size > 0 && !this.#isResuming) void this.#resumeInTurn();
  }

  #standing({ isLarge: isLargeOne, reading }: Member): Map<IncomingMessage, Disposable> {
    const whose = isLargeOne ? reading.sender : null;
    let standing = this.#paused.get(whose);
    if (!standing) this.#paused.set(whose, (standing = new Map()));
    return standing;
  }

  async #resumeInTurn(): Promise<void> {
    const { room } = this.#options;
    this.#isResuming = true;
    while (this.#paused.size > 0) {
      const request = room.forAll() ? this.#next() : null;
      if (request) {
        this.#resume(request);
        await turn();
      } else {
        await room.changed();
      }
    }
    this.#isResuming = false;
  }

  /** Who goes on; null while everybody has his share. */
  #next(): IncomingMessage | null {
    const { room } = this.#options;
    for (const [whose, standing] of this.#paused) {
      const mayGoOn =
        whose === null || room.forLargeOf(whose) || (!this.#largeOf.has(whose) && room.forOneLargeOf(whose));
      if (!mayGoOn) continue;
      this.#paused.delete(whose);
      this.#paused.set(whose, standing);
      const [request] = standing.keys();
      return request ?? null;
    }
    return null;
  }

  #resume(request: IncomingMessage): void {
    const member = this.#members.get(request);
    if (!member) return;
    this.#takeStanding(request, member)?.[Symbol.dispose]();
    this.#groupOf(member).add(request);
    request.resume();
  }

  /** Its timer; null where it does not stand still. */
  #takeStanding(request: IncomingMessage, member: Member): Disposable | null {
    const whose = member.isLarge ? member.reading.sender : null;
    const standing = this.#paused.get(whose);
    const timer = standing?.get(request) ?? null;
    standing?.delete(request);
    if (standing?.size === 0) this.#paused.delete(whose);
    return timer;
  }

  #leave(request: IncomingMessage, member: Member): void {
    this.#ungroup(request, member);
    this.#members.delete(request);
    const standing = this.#takeStanding(request, member);
    if (!standing) return;
    standing[Symbol.dispose]();
    request.resume();
  }
}

function isLarge(bytes: number): boolean {
  return bytes > LARGE_BODY_BYTES;
}
