// Shares the bytes that the forwarder's intake holds (`intake.max_bytes`) among tenants. One alone may hold nearly all,
// and each of many a fair part; something is always left for whoever comes next. A tenant may also have a rate of bytes
// and of events.
//
// A tenant has room while it holds less than `SHARE_OF_FREE` times what nobody holds. With one busy tenant that is
// three quarters of all, with two three sevenths each. What is left takes the first bytes of another tenant at once,
// however much the others have waiting. Without tenants everybody shares everything; but each way in may hold a
// sixteenth whatever the others hold, so that none of them stops because another brings more than the queue takes.

import assert from 'node:assert/strict';
import type { Clock } from '#shared/clock.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { TokenBucket } from './token-bucket.ts';
import type { InputName, Room } from './chunk.ts';
import { Waiters } from '#shared/waiters.ts';

const SHARE_OF_FREE = 3;
/** Of all bytes, beyond the limit. */
const RESERVE_SHARE = 1 / 16;

/** How events come in: their senders wait for acks, for answers, or for nothing; or this machine itself has them. */
export type WayIn = 'forward' | 'http' | 'unacked' | 'files';

export function wayInOf(input: InputName): WayIn {
  if (input === 'forward' || input === 'files') return input;
  if (input === 'journald') return 'files';
  return input === 'gelf' || input === 'syslog' ? 'unacked' : 'http';
}

export interface TenantQuotasOptions {
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly tenants: readonly Tenant[];
  /** A tenant sent more than its rate, and is not read for a while. */
  readonly throttled: (tenant: string) => void;
}

/** Bytes that are held, until it is disposed of. */
export interface QuotaPermit extends Disposable {
  /** Gives back some of them before the rest. */
  giveBack(bytes: number): void;
}

export class TenantQuotas implements Room {
  readonly #options: TenantQuotasOptions;
  readonly #quotas = new Map<string, TenantQuota>();
  readonly #tenants = new Set<string | null>();
  /** Quotas that somebody waits for. */
  readonly #awaited = new Set<TenantQuota>();
  readonly #waiters = new Waiters();
  #bytesHeld = 0;

  constructor(options: TenantQuotasOptions) {
    this.#options = options;
  }

  get bytesHeld(): number {
    return this.#bytesHeld;
  }

  /** For inputs that do not know the tenant yet. */
  get hasRoom(): boolean {
    return this.#bytesHeld < this.#options.bytesMax;
  }

  async room(over?: AbortSignal): Promise<void> {
    if (!this.hasRoom || this.#waiters.count > 0) await this.#waiters.wait(over);
  }

  /** Without a tenant, each way in has a quota of its own. */
  of(tenant: string | null, way: WayIn): TenantQuota {
    this.#tenants.add(tenant);
    return this.#of(tenant, way);
  }

  /** For one way in, as long as the tenant is not known. */
  for(way: WayIn): Room {
    const now = (): Room => (this.#isShared ? this : this.#of(null, way));
    return {
      get hasRoom() {
        return now().hasRoom;
      },
      room: (over) => now().room(over),
    };
  }

  #of(tenant: string | null, way: WayIn): TenantQuota {
    const name = tenant === null ? `way ${way}` : `tenant ${tenant}`;
    let quota = this.#quotas.get(name);
    if (!quota) {
      quota = new TenantQuota(tenant, this, this.#options);
      this.#quotas.set(name, quota);
    }
    return quota;
  }

  get #isShared(): boolean {
    return this.#options.tenants.length > 0 || this.#tenants.size > 1;
  }

  /** Whether a tenant, or without one a way in, that holds so many bytes may hold more. */
  mayHold(bytes: number): boolean {
    const { bytesMax } = this.#options;
    const free = bytesMax - this.#bytesHeld;
    if (this.#isShared) return free > 0 && bytes < SHARE_OF_FREE * free;
    return free > 0 || bytes < RESERVE_SHARE * bytesMax;
  }

  await(room: TenantQuota): void {
    this.#awaited.add(room);
  }

  /** Adds bytes; a negative number removes them. */
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
export class TenantQuota implements Room {
  readonly #tenant: string | null;
  readonly #quotas: TenantQuotas;
  readonly #options: TenantQuotasOptions;
  readonly #bytes: TokenBucket | null;
  readonly #events: TokenBucket | null;
  #held = 0;
  readonly #waiters = new Waiters();
  readonly #shareWaiters = new Waiters();
  #timer: Disposable | null = null;

  constructor(tenant: string | null, quotas: TenantQuotas, options: TenantQuotasOptions) {
    const { bytesPerSecond, eventsPerSecond } = options.tenants.find(({ name }) => name === tenant) ?? UNLIMITED;
    const nowMs = options.clock.monotonicMs();
    this.#tenant = tenant;
    this.#quotas = quotas;
    this.#options = options;
    this.#bytes = bytesPerSecond === null ? null : new TokenBucket(bytesPerSecond, nowMs);
    this.#events = eventsPerSecond === null ? null : new TokenBucket(eventsPerSecond, nowMs);
  }

  get hasRoom(): boolean {
    return this.hasShare && this.rateWaitMs === 0;
  }

  /** Whether it may hold more, whatever its rate; for what began while there was room. */
  get hasShare(): boolean {
    return this.#quotas.mayHold(this.#held);
  }

  async share(): Promise<void> {
    if (this.hasShare) return;
    const shared = this.#shareWaiters.wait();
    this.#quotas.await(this);
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
    if (!this.wake()) this.#quotas.await(this);
    await hasCome;
  }

  /** Counts bytes at once, even beyond the limit, since they are in memory. `sentBytes`: as they came, for the rate. */
  take(bytes: number, events: number, sentBytes: number): QuotaPermit {
    this.#held += bytes;
    this.#quotas.hold(bytes);
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
    this.#quotas.hold(-bytes);
  }

  /** Wakes some of the waiters per turn of the event loop if there is room; false while some still wait. */
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

/** One for each chunk in hand; closures would take twice the memory. */
class HeldBytes implements QuotaPermit {
  readonly #room: TenantQuota;
  #left: number;
  #isGiven = false;

  constructor(bytes: number, room: TenantQuota) {
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
