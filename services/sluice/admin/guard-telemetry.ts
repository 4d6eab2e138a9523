// What is told of whoever is not let in to a page for few: an operators' page, or the read API. The metrics are those
// of the inputs, so that their alerts hold here too.

import {
  AUTH_FAILURES,
  type AuthFailure,
  CONNECTIONS_CLOSED,
  type ConnectionEnd,
  watchCertificate,
} from '#forwarder/intake/peer-telemetry.ts';
import { AccessLog } from '#shared/access-log.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';

type GuardRefusal = AuthFailure | 'origin_refused' | 'other_machine';

export class GuardTelemetry<Name extends 'admin' | 'read'> implements Disposable {
  protected readonly log: Log;
  protected readonly access: AccessLog;
  readonly #metrics: Metrics;
  readonly #name: Name;
  readonly #authFailures;
  readonly #connectionsEnded;

  constructor(name: Name, metrics: Metrics, log: Log, clock: Clock) {
    this.log = log;
    this.access = new AccessLog(log, clock);
    this.#metrics = metrics;
    this.#name = name;
    this.#authFailures = metrics.counter('auth_failures_total', AUTH_FAILURES, ['input', 'reason']);
    this.#connectionsEnded = metrics.counter('connections_closed_total', CONNECTIONS_CLOSED, ['input', 'reason']);
  }

  authFailed(input: Name, reason: GuardRefusal, peer: string | null, detail?: string): void {
    this.#authFailures.add(1, input, reason);
    this.access.refused({ input, reason, peer, detail });
  }

  connectionEnded(input: Name, reason: ConnectionEnd, refusedPeer: string): void {
    this.#connectionsEnded.add(1, input, reason);
    this.access.refused({ input, reason, peer: refusedPeer });
  }

  /** The page's certificate; `expiresMs` since the epoch, read anew at each scrape. */
  watchCertificate(expiresMs: () => number): void {
    watchCertificate(this.#metrics, this.#name, expiresMs);
  }

  exposed(input: string, address: string): void {
    this.log.warn('input_exposed', { input, address, what: 'anyone who reaches it can use it (SLUICE_INSECURE)' });
  }

  tokensReloaded(count: number): void {
    this.log.info('tokens_reloaded', { input: this.#name, tokens: count });
  }

  tokensReloadFailed(error: unknown): void {
    const what = reasonOf(error);
    this.log.error('tokens_unusable', { input: this.#name, what, effect: 'those before stay in force' });
  }

  tlsReloaded(expiresMs: number): void {
    this.log.info('certificate_reloaded', { input: this.#name, expires: new Date(expiresMs).toISOString() });
  }

  tlsReloadFailed(error: unknown): void {
    const what = reasonOf(error);
    this.log.error('certificate_unusable', { input: this.#name, what, effect: 'the one before stays in force' });
  }

  [Symbol.dispose](): void {
    this.access[Symbol.dispose]();
  }
}
