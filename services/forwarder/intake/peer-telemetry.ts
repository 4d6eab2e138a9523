// What the forwarder reports of its peers: connections, refusals, limits, and what listeners show them.

import { AccessLog } from '#shared/access-log.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { type InputName, LISTENERS } from './chunk.ts';

/** Why a sender was not let in. The operator sees it; the sender never does. */
export type AuthFailure =
  | 'network_refused'
  | 'tls_failed'
  | 'certificate_refused'
  | 'handshake_malformed'
  | 'handshake_timeout'
  | 'shared_key_wrong'
  | 'user_wrong'
  | 'token_missing'
  | 'token_wrong'
  | 'login_limited';

/**
 * Why Sluice closed a connection that did nothing forbidden. `too_many`, `too_fast`: at the door, before a byte was
 * read. `pipelined`: too many requests came before their answers.
 */
export type ConnectionEnd =
  | 'too_many'
  | 'too_fast'
  | 'slow_when_full'
  | 'waiting_when_full'
  | 'frame_timeout'
  | 'answers_unread'
  | 'idle_timeout'
  | 'pipelined';

/** Help texts of metrics that the admin page and the read API count too. */
export const AUTH_FAILURES = 'Senders, operators, scrapers and readers that were not let in.';
export const CONNECTIONS_CLOSED = 'Connections that were closed because of a limit.';

export class PeerTelemetry {
  protected readonly access: AccessLog;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #authFailures;
  readonly #connectionsEnded;
  readonly #addressThrottled;
  readonly #connections = new Map<InputName, number>(LISTENERS.map((input) => [input, 0]));

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    this.access = new AccessLog(log, clock);
    this.#log = log;
    this.#metrics = metrics;
    this.#authFailures = metrics.counter('auth_failures_total', AUTH_FAILURES, ['input', 'reason']);
    this.#connectionsEnded = metrics.counter('connections_closed_total', CONNECTIONS_CLOSED, ['input', 'reason']);
    this.#addressThrottled = metrics.counter(
      'address_throttled_total',
      'Times that an address sent more bytes, or small events, than its rate and was not read for a while.',
    );
    metrics.gauge('connections', 'Open connections of senders.', ['input'], () =>
      [...this.#connections].map(([input, n]) => [n, input] as const),
    );
  }

  connectionOpened(input: InputName): void {
    this.#connections.set(input, (this.#connections.get(input) ?? 0) + 1);
  }

  connectionClosed(input: InputName): void {
    this.#connections.set(input, (this.#connections.get(input) ?? 0) - 1);
  }

  /** `refusedPeer`: if it was not even admitted. */
  connectionEnded(input: InputName, reason: ConnectionEnd, refusedPeer?: string): void {
    this.#connectionsEnded.add(1, input, reason);
    if (refusedPeer === undefined) this.#log.warn('connection_closed', { input, reason });
    else this.access.refused({ input, reason, peer: refusedPeer });
  }

  /** `detail`: what the operator may want to know; never a secret. */
  authFailed(input: InputName, reason: AuthFailure, peer: string | null, detail = ''): void {
    this.#authFailures.add(1, input, reason);
    this.access.refused({ input, reason, peer, detail });
  }

  /** A datagram of a sender that may not send; it is counted where it is dropped. */
  datagramRefused(input: InputName, peer: string): void {
    this.access.refused({ input, reason: 'network_refused', peer });
  }

  tokensReloaded(count: number): void {
    this.#log.info('tokens_reloaded', { tokens: count });
  }

  tokensReloadFailed(error: unknown): void {
    this.#log.error('tokens_unusable', { what: reasonOf(error), effect: 'those before stay in force' });
  }

  /** An address sent more bytes than its rate. `address`: of the network that is counted as one. */
  addressThrottled(address: string): void {
    this.#addressThrottled.add(1);
    this.access.refused({ input: 'any', reason: 'rate_limited', peer: address, detail: 'it is not read for a while' });
  }

  /** Its datagrams exceed the rate; they are dropped, and counted as such. The address may be forged. */
  datagramsThrottled(address: string): void {
    const detail = 'its datagrams are dropped for a while';
    this.access.refused({ input: 'any', reason: 'address_rate', peer: address, detail });
  }

  /** A listener's certificate. `expiresMs`, since the epoch, is read at each scrape: it may have been renewed. */
  watchCertificate(listener: InputName, expiresMs: () => number): void {
    watchCertificate(this.#metrics, listener, expiresMs);
  }

  listening(input: string, address: string): void {
    this.#log.info('listening', { input, address });
  }

  exposed(input: string, address: string): void {
    this.#log.warn('input_exposed', { input, address, what: 'anyone who reaches it can use it (SLUICE_INSECURE)' });
  }

  tlsReloaded(expiresMs: number): void {
    this.#log.info('certificate_reloaded', { expires: new Date(expiresMs).toISOString() });
  }

  tlsReloadFailed(error: unknown): void {
    this.#log.error('certificate_unusable', { what: reasonOf(error), effect: 'the one before stays in force' });
  }
}

export function watchCertificate(
  metrics: Metrics,
  listener: InputName | 'admin' | 'read',
  expiresMs: () => number,
): void {
  metrics.gauge(
    'tls_certificate_expiry_seconds',
    'When the certificate of a listener expires, in Unix seconds.',
    ['listener'],
    () => [[expiresMs() / 1000, listener]],
  );
}
