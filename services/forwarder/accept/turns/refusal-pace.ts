// How fast senders are refused. Some come back without a pause when their connection is closed without an ack (Docker's
// driver, thousands of times a second, until its daemon fell over). So while nothing can be held nobody is read: they
// wait on open connections, and nothing is lost. What must be refused all the same is closed only after a while, which
// grows with the peer's refusals.
//
// Guarantees: a peer that is refused again and again is closed at most once in `DELAYS.capMs` for each of its
// connections; no connection is held longer than that; never more than `heldMax` are held at once: those beyond are
// closed without delay.

import { type BackoffLimits, steadyBackoffMs } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { networkOfPeer } from '#shared/net/networks.ts';
import { RecheckTimer } from './recheck-timer.ts';

export interface RefusalPaceOptions {
  readonly clock: Clock;
  /** Connections that are held at once. */
  readonly heldMax: number;
  /** Why nothing can be held now; null while all is well. */
  readonly unreadyReason: () => string | null;
}

interface Peer {
  refusals: number;
  /** Until when those that are refused belong to the same round. */
  untilMs: number;
}

/** Without jitter: those of one peer are held together, and those of others meet nobody. */
const DELAYS: BackoffLimits = { baseMs: 200, capMs: 10_000 };
/** Who was not refused for so long begins anew. */
const FORGOTTEN_MS = 60_000;
const PEERS_MAX = 10_000;
const RECHECK_MS = 100;

export class RefusalPace {
  readonly #options: RefusalPaceOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #recheck: RecheckTimer;
  #held = 0;

  constructor(options: RefusalPaceOptions) {
    this.#options = options;
    this.#recheck = new RecheckTimer(options.clock, RECHECK_MS);
  }

  /** Whether what is read now can be held. */
  get mayRead(): boolean {
    return this.#options.unreadyReason() === null;
  }

  /** Resolves when `mayRead` is worth another check. */
  recheck(): Promise<void> {
    return this.#recheck.next();
  }

  /** Resolves when a connection of this peer may be closed. */
  async hold(peer: string): Promise<void> {
    if (this.#held >= this.#options.heldMax) return;
    const ms = this.#delayMs(networkOfPeer(peer));
    this.#held++;
    await new Promise<void>((resolve) => this.#options.clock.timer(ms, resolve));
    this.#held--;
  }

  #delayMs(name: string): number {
    const nowMs = this.#options.clock.monotonicMs();
    let peer = this.#peers.get(name);
    if (!peer || nowMs - peer.untilMs > FORGOTTEN_MS) peer = { refusals: 0, untilMs: nowMs };
    // Many connections that are refused together are one refusal; the last that came is the last to be forgotten.
    if (nowMs >= peer.untilMs) {
      const ms = steadyBackoffMs(peer.refusals, DELAYS);
      peer = { refusals: peer.refusals + 1, untilMs: nowMs + ms };
      this.#peers.delete(name);
      this.#peers.set(name, peer);
      const [oldest] = this.#peers.keys();
      if (this.#peers.size > PEERS_MAX && oldest !== undefined) this.#peers.delete(oldest);
    }
    return steadyBackoffMs(peer.refusals - 1, DELAYS);
  }
}
