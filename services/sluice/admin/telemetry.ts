// The log and metrics of the operators' pages: whom they refused, which actions they did, and for whom.

import {
  AUTH_FAILURES,
  type AuthFailure,
  CONNECTIONS_CLOSED,
  type ConnectionEnd,
  watchCertificate,
} from '#forwarder/intake/peer-telemetry.ts';
import { AccessLog, type AdminDeed } from '#shared/access-log.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';

type AdminRefusal = AuthFailure | 'origin_refused' | 'other_machine';

export class AdminTelemetry implements Disposable {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #access: AccessLog;
  readonly #authFailures;
  readonly #connectionsEnded;
  readonly #actions;

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    this.#log = log;
    this.#metrics = metrics;
    this.#access = new AccessLog(log, clock);
    // As of the inputs, so that their alerts hold here too.
    this.#authFailures = metrics.counter('auth_failures_total', AUTH_FAILURES, ['input', 'reason']);
    this.#connectionsEnded = metrics.counter('connections_closed_total', CONNECTIONS_CLOSED, ['input', 'reason']);
    this.#actions = metrics.counter('admin_actions_total', 'Actions that the admin page was asked for, and did.', [
      'action',
      'outcome',
    ]);
  }

  authFailed(input: 'admin', reason: AdminRefusal, peer: string | null, detail?: string): void {
    this.#authFailures.add(1, input, reason);
    this.#access.refused({ input, reason, peer, detail });
  }

  connectionEnded(input: 'admin', reason: ConnectionEnd, refusedPeer: string): void {
    this.#connectionsEnded.add(1, input, reason);
    this.#access.refused({ input, reason, peer: refusedPeer });
  }

  acted(deed: AdminDeed): void {
    this.#actions.add(1, deed.action, deed.outcome);
    this.#access.done(deed);
  }

  /** The page's certificate; `expiresMs` since the epoch, read anew at each scrape. */
  watchCertificate(expiresMs: () => number): void {
    watchCertificate(this.#metrics, 'admin', expiresMs);
  }

  exposed(input: string, address: string): void {
    this.#log.warn('input_exposed', { input, address, what: 'anyone who reaches it can use it (SLUICE_INSECURE)' });
  }

  tokensReloaded(count: number): void {
    this.#log.info('tokens_reloaded', { input: 'admin', tokens: count });
  }

  tokensReloadFailed(error: unknown): void {
    const what = reasonOf(error);
    this.#log.error('tokens_unusable', { input: 'admin', what, effect: 'those before stay in force' });
  }

  tlsReloaded(expiresMs: number): void {
    this.#log.info('certificate_reloaded', { input: 'admin', expires: new Date(expiresMs).toISOString() });
  }

  tlsReloadFailed(error: unknown): void {
    const what = reasonOf(error);
    this.#log.error('certificate_unusable', { input: 'admin', what, effect: 'the one before stays in force' });
  }

  [Symbol.dispose](): void {
    this.#access[Symbol.dispose]();
  }
}
