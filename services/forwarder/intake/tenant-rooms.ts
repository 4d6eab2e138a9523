// The bytes that intake holds, shared among tenants: one alone may hold nearly all of them, and each of many as much as
// is fair, with something always left for who comes next. Beside that each tenant may have a rate of bytes and of
// events.
//
// A tenant has room while it holds less than `SHARE_OF_FREE` times what nobody holds. With one busy tenant that is
// three quarters of all, with two three sevenths each; what is left takes the first bytes of another tenant at once,
// however long the others' lines are. Without tenants all of it is everybody's; but each way in may hold a sixteenth
// whatever the others hold, so that none of them stands still because senders of another bring more than the queue
// takes.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { TokenBucket } from './token-bucket.ts';
import type { InputName, Room } from './chunk.ts';
import { Waiters } from '#shared/waiters.ts';

const SHARE_OF_FREE = 3;
/** Of all bytes, beyond the limit. */
const RESERVE_SHARE = 1 / 16;

/** Who waits for acks, who for answers, and who for nothing. */
export type WayIn = 'forward' | 'http' | 'unacked';

export function wayInOf(input: InputName): WayIn {
  if (input === 'forward') return 'forward';
  return input === 'gelf' || input === 'syslog' ? 'unacked' : 'http';
}

export interface TenantRoomsOptions {
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly tenants: readonly Tenant[];
  /** A tenant sent more than its rate, and is not read for a while. */
  readonly throttled: (tenant: string) => void;
}

/** Bytes that are held, until it is disposed of. */
export interface RoomPermit extends Disposable {
  /** Gives back some of them before the rest. */
  giveBack(bytes: number): void;
}

export class TenantRooms implements Room {
  readonly #options: TenantRoomsOptions;
  readonly #rooms = new Map<string, TenantRoom>();
  readonly #tenants = new Set<string | null>();
  /** Rooms that somebody waits for. */
  readonly #awaited = new Set<TenantRoom>();
  readonly #waiters = new Waiters();
  #bytesHeld = 0;

  constructor(options: TenantRoomsOptions) {
    this.#options = options;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** For those who do not know yet whose bytes they will be. */
  get hasRoom(): boolean {
    return this.#bytesHeld < this.#options.bytesMax;
  }

  async room(over?: AbortSignal): Promise<void> {
    if (!this.hasRoom || this.#waiters.count > 0) await this.#waiters.wait(over);
  }

  /** Of those without a tenant each way in has its own. */
  of(tenant: string | null, way: WayIn): TenantRoom {
    this.#tenants.add(tenant);
    return this.#of(tenant, way);
  }

  /** For those of a way in who do not know yet whose bytes they will be. */
  for(way: WayIn): Room {
    const now = (): Room => (this.#isShared ? this : this.#of(null, way));
    return {
      get hasRoom() {
        return now().hasRoom;
      },
      room: (over) => now().room(over),
    };
  }

  #of(tenant: string | null, way: WayIn): TenantRoom {
    const name = tenant === null ? `way ${way}` : `tenant ${tenant}`;
    let room = this.#rooms.get(name);
    if (!room) {
      room = new TenantRoom(tenant, this, this.#options);
      this.#rooms.set(name, room);
    }
    return room;
  }

  get #isShared(): boolean {
    return this.#options.tenants.length > 0 || this.#tenants.size > 1;
  }

  /** Whether a tenant, or where there is none a way in, that holds so much may be read on. */
  mayHold(bytes: number): boolean {
    const { bytesMax } = this.#options;
    const free = bytesMax - this.#bytesHeld;
    if (this.#isShared) return free > 0 && bytes < SHARE_OF_FREE * free;
    return free > 0 || bytes < RESERVE_SHARE * bytesMax;
  }

  await(room: TenantRoom): void {
    this.#awaited.add(room);
  }

  /** Bytes come, or go where they are less than 0. */
  hold(bytes: number): void {
    this.#bytesHeld += bytes;
    assert(this.#bytesHeld >= 0);
    if (bytes >= 0 || (this.#isShared && !this.hasRoom)) return;
    for (const room of this.#awaited) if (room.wake()) this.#awaited.delete(room);
    this.#wakeSome();
  }

  #wakeSome(): void {
    if (this.hasRoom) this.#waiters.wakeSome(() => this.#wakeSome());
  }
}

/** What one tenant holds and may read. */
export class TenantRoom implements Room {
  readonly #tenant: string | null;
  readonly #rooms: TenantRooms;
  readonly #options: TenantRoomsOptions;
  readonly #bytes: TokenBucket | null;
  readonly #events: TokenBucket | null;
  #held = 0;
  readonly #waiters = new Waiters();
  readonly #shareWaiters = new Waiters();
  #timer: Disposable | null = null;

  constructor(tenant: string | null, rooms: TenantRooms, options: TenantRoomsOptions) {
    const { bytesPerSecond, eventsPerSecond } = options.tenants.find(({ name }) => name === tenant) ?? UNLIMITED;
    const nowMs = options.clock.monotonicMs();
    this.#tenant = tenant;
    this.#rooms = rooms;
    this.#options = options;
    this.#bytes = bytesPerSecond === null ? null : new TokenBucket(bytesPerSecond, nowMs);
    this.#events = eventsPerSecond === null ? null : new TokenBucket(eventsPerSecond, nowMs);
  }

  get hasRoom(): boolean {
    return this.hasShare && this.rateWaitMs === 0;
  }

  /** Whether it may hold more, whatever its rate: for what was begun when there was room. */
  get hasShare(): boolean {
    return this.#rooms.mayHold(this.#held);
  }

  async share(): Promise<void> {
    if (this.hasShare) return;
    const shared = this.#shareWaiters.wait();
    this.#rooms.await(this);
    await shared;
  }

  /** Milliseconds until the tenant's rate lets it send again; 0 where it does now. */
  get rateWaitMs(): number {
    if (!this.#bytes && !this.#events) return 0;
    const nowMs = this.#options.clock.monotonicMs();
    return Math.max(this.#bytes?.waitMs(nowMs) ?? 0, this.#events?.waitMs(nowMs) ?? 0);
  }

  async room(over?: AbortSignal): Promise<void> {
    if (this.hasRoom && this.#waiters.count === 0) return;
    const hasCome = this.#waiters.wait(over);
    if (!this.wake()) this.#rooms.await(this);
    await hasCome;
  }

  /** Takes bytes at once, even past the limit: they are in memory. `sentBytes`: as they came, for the rate. */
  take(bytes: number, events: number, sentBytes: number): RoomPermit {
    this.#held += bytes;
    this.#rooms.hold(bytes);
    if (this.#bytes || this.#events) {
      const nowMs = this.#options.clock.monotonicMs();
      this.#bytes?.take(sentBytes, nowMs);
      this.#events?.take(events, nowMs);
    }
    return new HeldBytes(bytes, this);
  }

  /** For permits alone. */
  release(bytes: number): void {
    this.#held -= bytes;
    this.#rooms.hold(-bytes);
  }

  /** Lets those go on who wait, if there is room, some a turn of the event loop; false while somebody still waits. */
  wake(): boolean {
    if (this.#waiters.count + this.#shareWaiters.count === 0) return true;
    if (!this.hasShare) return false;
    this.#shareWaiters.wake();
    if (this.#waiters.count === 0) return true;
    const waitMs = this.rateWaitMs;
    if (waitMs > 0) {
      this.#waitForRate(waitMs);
      return false;
    }
    this.#waiters.wakeSome(() => this.wake());
    return this.#waiters.count === 0;
  }

  #waitForRate(waitMs: number): void {
    if (this.#timer) return;
    this.#options.throttled(this.#tenant ?? '');
    this.#timer = this.#options.clock.timer(waitMs, () => {
      this.#timer = null;
      this.wake();
    });
  }
}

/** There is one for each chunk in hand: closures would cost as much again. */
class HeldBytes implements RoomPermit {
  readonly #room: TenantRoom;
  #left: number;
  #isGiven = false;

  constructor(bytes: number, room: TenantRoom) {
    this.#left = bytes;
    this.#room = room;
  }

  giveBack(bytes: number): void {
    assert(!this.#isGiven && bytes <= this.#left, 'a permit is given back once');
    this.#left -= bytes;
    this.#room.release(bytes);
  }

  [Symbol.dispose](): void {
    this.giveBack(this.#left);
    this.#isGiven = true;
  }
}

const UNLIMITED = { bytesPerSecond: null, eventsPerSecond: null };
