// How fast one address may guess at keys, passwords and tokens. A secret is compared only while its address has guesses
// left: GUESSES_PER_SECOND of them, BURST_SECONDS' worth at once, however many connections they come by. An IPv6
// network of 64 bits is one address.
//
//   wrong        costs a guess; its answer waits (accept/turns/refusal-pace.ts), unless too many wait already
//   right        costs nothing
//   none left    nothing is compared, right or wrong: HTTP and the admin page answer 429, Forward closes without a PONG
//
// A sender with the right secret that shares its address with a guesser (a NAT, a proxy) keeps its connections: the
// secret that admitted a connection may be shown on it again at any time. A new connection is admitted if it comes
// before the next guess. There is no other exception, since it would tell the guesser that a secret is right.
//
// Guarantees: comparisons that fail are bounded for each address; at most ADDRESSES_MAX are remembered, those that
// guessed last.

import { hash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '#shared/clock.ts';
import { networkOfPeer } from '#shared/net/networks.ts';
import { TokenBucket } from '../intake/token-bucket.ts';

/** A secret as it came, and by what. */
export interface Shown {
  readonly connection: object;
  readonly secret: string;
}

/** Between `mayLook` and what it came to nothing may be waited for, else more would be looked at than may be. */
export interface Logins {
  /** Whether a secret from this address may be compared now. */
  mayLook(peer: string, shown?: Shown): boolean;
  /** It was right: its connection may show it again. */
  right(shown: Shown): void;
  /** It was wrong; resolves when that may be answered. */
  wrong(peer: string): Promise<void>;
  /** Nothing was compared; resolves when that may be answered. */
  hold(peer: string): Promise<void>;
}

export interface LoginLimitOptions {
  readonly clock: Clock;
  /** How long those wait for their answer that are refused. */
  readonly pace: { hold(peer: string): Promise<void> };
}

const GUESSES_PER_SECOND = 10;
const BURST_SECONDS = 3;
const ADDRESSES_MAX = 10_000;
/** Longer ones are not remembered. */
const SECRET_LENGTH_MAX = 1024;

export class LoginLimit implements Logins {
  readonly #options: LoginLimitOptions;
  readonly #guesses = new Map<string, TokenBucket>();
  readonly #letIn = new WeakMap<object, string>();

  constructor(options: LoginLimitOptions) {
    this.#options = options;
  }

  mayLook(peer: string, shown?: Shown): boolean {
    // Nobody has guessed so far.
    if (this.#guesses.size === 0) return true;
    const guesses = this.#guesses.get(networkOfPeer(peer));
    if (!guesses || guesses.has(1, this.#options.clock.monotonicMs())) return true;
    const known = shown && this.#letIn.get(shown.connection);
    // Senders behind one proxy may share a connection.
    return known !== undefined && timingSafeEqual(digestOf(known), digestOf(shown?.secret ?? ''));
  }

  right({ connection, secret }: Shown): void {
    if (secret.length <= SECRET_LENGTH_MAX) this.#letIn.set(connection, secret);
  }

  wrong(peer: string): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const network = networkOfPeer(peer);
    const guesses = this.#guesses.get(network) ?? new TokenBucket(GUESSES_PER_SECOND, nowMs, BURST_SECONDS);
    // No debt: where a token is taken away, all connections that it had let in may show it once more.
    if (guesses.has(1, nowMs)) guesses.take(1, nowMs);
    this.#guesses.delete(network);
    this.#guesses.set(network, guesses);
    const [oldest] = this.#guesses.keys();
    if (this.#guesses.size > ADDRESSES_MAX && oldest !== undefined) this.#guesses.delete(oldest);
    return this.hold(peer);
  }

  hold(peer: string): Promise<void> {
    return this.#options.pace.hold(peer);
  }
}

function digestOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}
