// Tokens for logins to the brokers, one after another. Whoever logs in is given the one that is held. Past a share of
// its lifetime the next one is asked for in the background, and the old one serves for as long as it holds.
//
// Guarantees: one request is under way at a time, whoever asks; after a failure the next one waits for a growing pause;
// a token is never given out after its end, whichever of the two clocks says so.

import { backoffMs, type BackoffLimits } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';

export interface Token {
  readonly value: string;
  /** From when it was asked for. */
  readonly lifetimeMs: number;
}

export interface TokenSourceOptions {
  readonly clock: Clock;
  /** In [0, 1): so that many processes that began together do not ask together for ever. */
  readonly random: () => number;
  /** Rejects with what to tell the operator. */
  ask(): Promise<Token>;
}

export interface Grant {
  readonly value: string;
  /** Whether it came just now, for this call. */
  readonly isNew: boolean;
}

interface Held {
  readonly value: string;
  readonly askedAtMs: number;
  readonly askedAtEpochMs: number;
  readonly refreshAfterMs: number;
  readonly holdsMs: number;
}

const PAUSES: BackoffLimits = { baseMs: 500, capMs: 30_000 };
/** Share of the lifetime after which the next token is asked for, and what chance adds. */
const REFRESH_SHARE = 0.7;
const REFRESH_JITTER = 0.1;
/** The last part of a lifetime is left for the way to the broker, and for its clock. */
const LAST_SHARE = 0.05;
const LAST_MAX_MS = 10_000;

export class TokenSource {
  readonly #options: TokenSourceOptions;
  #held: Held | null = null;
  #asking: Promise<string> | null = null;
  #failures = 0;
  #failure: { readonly error: unknown; readonly untilMs: number } | null = null;

  constructor(options: TokenSourceOptions) {
    this.#options = options;
  }

  /** A token that holds. Rejects as `ask` does; within the pause after a failure at once, with the same error. */
  async token(): Promise<Grant> {
    const held = this.#held;
    const ageMs = held === null ? Number.POSITIVE_INFINITY : this.#ageMs(held);
    if (held === null || ageMs >= held.holdsMs) return { value: await this.#ask(), isNew: true };
    // A failure is told when the old token has ended, by whoever asks then.
    if (ageMs >= held.refreshAfterMs) void this.#ask().catch(() => undefined);
    return { value: held.value, isNew: false };
  }

  /** A broker took one: what was wrong is mended. */
  accepted(): void {
    this.#failures = 0;
  }

  /**
   * A broker has refused this token: it is not given out again. Where it was new, another would fare no better: then
   * `error` is what the next ones hear until the pause is over.
   */
  refused({ value, isNew }: Grant, error: unknown): void {
    if (this.#held?.value !== value) return;
    this.#held = null;
    if (isNew) this.#pause(error);
  }

  #ageMs({ askedAtMs, askedAtEpochMs }: Held): number {
    const { clock } = this.#options;
    // A machine that slept has stood still on the one, and a clock that was set on the other.
    return Math.max(clock.monotonicMs() - askedAtMs, clock.epochMs() - askedAtEpochMs);
  }

  #ask(): Promise<string> {
    if (this.#asking !== null) return this.#asking;
    if (this.#failure !== null && this.#options.clock.monotonicMs() < this.#failure.untilMs) {
      return Promise.reject(this.#failure.error);
    }
    this.#asking = this.#renew().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #renew(): Promise<string> {
    const { clock, random, ask } = this.#options;
    const askedAtMs = clock.monotonicMs();
    const askedAtEpochMs = clock.epochMs();
    try {
      const { value, lifetimeMs } = await ask();
      const refreshAfterMs = lifetimeMs * (REFRESH_SHARE + REFRESH_JITTER * random());
      const holdsMs = lifetimeMs - Math.min(lifetimeMs * LAST_SHARE, LAST_MAX_MS);
      this.#held = { value, askedAtMs, askedAtEpochMs, refreshAfterMs, holdsMs };
      this.#failure = null;
      return value;
    } catch (error) {
      this.#pause(error);
      throw error;
    }
  }

  #pause(error: unknown): void {
    const { clock, random } = this.#options;
    const pauseMs = backoffMs(this.#failures++, PAUSES, random);
    this.#failure = { error, untilMs: clock.monotonicMs() + pauseMs };
  }
}
